"""Ledger: the slices that are still being filled, counted from the shared stream of entries, in the stream's order.

Every replica counts all entries, so the ledgers of all replicas are alike and any of them may be written down. A slice
is written together with the last entry it counts: written twice, or by two replicas at once, it is still right, and a
reader adds exactly what came after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from routing.stats.outcome import Outcome, StatKey
from routing.stats.slices import Entry, Slice
from routing.stats.store import Event, StoredSlice
from routing.stats.windows import GRANULARITIES
from routing.stats.wire import START, EntryId

KEPT = {name: granularity for name, granularity in GRANULARITIES.items() if name != "10s"}
"""The slices that are kept outside the process. Ten-second slices are not: their outcomes are."""
LATE_S = 1800.0
"""Seconds for which a slice that is over still takes outcomes. Outcomes that arrive later, after a long outage of the
store, are folded by the replicas but missing from what a restart finds."""

Place = tuple[StatKey, str, int]
"""A key, a granularity, and the unix second the slice starts at."""


@dataclass(slots=True)
class _Page:
    slice: Slice = field(default_factory=Slice)
    through: EntryId = START
    """The last entry that was counted by whoever wrote the slice; later ones are counted here."""
    changed: bool = True


def is_open(granularity: str, start: int, *, now: float) -> bool:
    """Whether a slice still takes outcomes."""
    return start + KEPT[granularity].span_s + LATE_S > now


def _places(outcome: Outcome) -> Iterator[Place]:
    """The slices an outcome belongs to."""
    second = int(outcome.at // 1)
    for name, granularity in KEPT.items():
        yield outcome.key, name, second - second % granularity.span_s


class Ledger:
    """Slices still being filled, by key, granularity and start."""

    def __init__(self) -> None:
        self._pages: dict[Place, _Page] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def adopt(self, place: Place, slice: Slice, through: EntryId, *, counted: EntryId) -> None:
        """Take a slice as found in the store, unless the one at hand, which counts all up to ``counted``, has more."""
        if place not in self._pages or counted < through:
            self._pages[place] = _Page(slice, through, changed=False)

    def count(self, outcome: Outcome, entry_id: EntryId, *, now: float) -> None:
        """Count an outcome of that entry where it is not counted yet."""
        entry = Entry(outcome)
        for place in _places(outcome):
            if not is_open(place[1], place[2], now=now):
                continue
            page = self._pages.get(place)
            if page is None:
                page = self._pages[place] = _Page()
            if entry_id > page.through:
                page.slice.add(entry)
                page.changed = True

    def slices(self) -> Iterator[tuple[Place, Slice]]:
        """All slices, as they are."""
        for place, page in self._pages.items():
            yield place, page.slice

    def less(self, told: Mapping[Place, Slice]) -> list[StoredSlice]:
        """All slices, less what is told apart from them."""
        return [(*place, without(page.slice, told.get(place) or Slice())) for place, page in self._pages.items()]

    def changed(self) -> list[Place]:
        """The places whose slices were not written since they changed."""
        return [place for place, page in self._pages.items() if page.changed]

    def written(self, place: Place) -> Slice | None:
        """The slice to write down, which from now on counts as written; None when it is no longer kept."""
        page = self._pages.get(place)
        if page is None:
            return None
        page.changed = False
        return page.slice

    def unwritten(self, places: Iterable[Place]) -> None:
        """These were not written after all."""
        for place in places:
            page = self._pages.get(place)
            if page is not None:
                page.changed = True

    def all_unwritten(self) -> None:
        """What was written is gone."""
        self.unwritten(self._pages)

    def begin_anew(self) -> None:
        """The stream's ids start from the beginning: whatever is read next is new."""
        for page in self._pages.values():
            page.through = START
            page.changed = True

    def prune(self, *, now: float) -> None:
        """Let go of slices that take no more outcomes; by now they were written, by this replica or another."""
        for place in [place for place in self._pages if not is_open(place[1], place[2], now=now)]:
            del self._pages[place]


def count_apart(slices: dict[Place, Slice], events: Iterable[Event]) -> None:
    """Count the outcomes among the events in slices of their own."""
    for event in events:
        if isinstance(event, Outcome):
            entry = Entry(event)
            for place in _places(event):
                slices.setdefault(place, Slice()).add(entry)


def without(slice: Slice, counted: Slice) -> Slice:
    """The slice less what another has counted of it."""
    fields = slice.to_fields()
    for name, value in counted.to_fields().items():
        fields[name] = fields.get(name, 0) - value
    # Only the sum of logarithms can rightly be below zero.
    return Slice.from_fields({name: value for name, value in fields.items() if value > 0 or name == "log_micros"})
