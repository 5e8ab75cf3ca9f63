"""Judge: whether a soak showed what it must. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.rig.answers import Seen
from benchmarks.rig.books import Account
from benchmarks.soak.sampling import Window

SETTLED_S: Final = 600.0
"""A shorter soak says nothing about memory: the heap takes minutes to see every kind of request a few times."""
GROWTH_MB: Final = 12.0
"""Most the fitted line through the floors of memory may rise over the last two thirds of a soak: a 4K image's base64 is
22 MB, so that half of one kept anywhere shows. Whether that is a leak or the heap's settling, a longer soak tells."""
STRAY_DESCRIPTORS: Final = 2
"""By which idle counts may differ: a connection that is being closed."""
SETTLED_THREADS: Final = 40
"""Threads are made when they are first wanted; the standard library's pool for file and name look-ups stops at 32."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing a soak must show."""

    told: str
    found: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it did."""
        return self.found <= self.most


@dataclass(frozen=True, slots=True)
class Soaked:
    """All that a soak brought to light."""

    windows: Sequence[Window]
    idle_before: Window
    """After some requests of every kind and a rest."""
    idle_after: Window
    answers: Sequence[Seen]
    accounts: Sequence[Account]
    unanswered: int
    """Requests still under way when nobody waited any longer."""


def verdicts(soaked: Soaked) -> list[Verdict]:
    """All of them, the failed ones included."""
    return [*_memory(soaked.windows), *_left_behind(soaked.idle_before, soaked.idle_after), *_callers(soaked)]


def growth_mb(windows: Sequence[Window], field: str) -> float:
    """By how much the line fitted to this floor rises over the last two thirds of the windows."""
    last = windows[len(windows) // 3 :]
    if len(last) < 3:
        return 0.0
    times = [each.at_s for each in last]
    floors = [float(each.row()[field]) for each in last]
    middle, level = sum(times) / len(times), sum(floors) / len(floors)
    spread = sum((at - middle) ** 2 for at in times)
    slope = sum((at - middle) * (floor - level) for at, floor in zip(times, floors, strict=True)) / spread
    return slope * (times[-1] - times[0])


def _memory(windows: Sequence[Window]) -> Iterator[Verdict]:
    if not windows or windows[-1].at_s < SETTLED_S:
        return
    yield Verdict("MB by which RSS rose over the last two thirds", growth_mb(windows, "rss_floor_mb"), GROWTH_MB)
    rose = growth_mb(windows, "anonymous_floor_mb")
    yield Verdict("MB by which anonymous memory rose over the last two thirds", rose, GROWTH_MB)


def _left_behind(before: Window, after: Window) -> Iterator[Verdict]:
    yield Verdict("requests in flight at the end", after.in_flight, 0)
    yield Verdict("spool files at the end", after.spooled, 0)
    more = after.descriptors - before.descriptors
    yield Verdict("descriptors more than at the beginning, idle both times", more, STRAY_DESCRIPTORS)
    yield Verdict("sockets more than at the beginning", after.sockets - before.sockets, STRAY_DESCRIPTORS)
    yield Verdict("tasks more than at the beginning", after.tasks - before.tasks, STRAY_DESCRIPTORS)
    yield Verdict("threads at the end", after.threads, SETTLED_THREADS)


def _callers(soaked: Soaked) -> Iterator[Verdict]:
    yield Verdict("requests without an answer", soaked.unanswered, 0)
    yield Verdict("answers that no request may get", sum(bool(each.wrong) for each in soaked.answers), 0)
    yield Verdict("images bought although they were there already", sum(each.twice for each in soaked.answers), 0)
    differ = sum(not each.agrees for each in soaked.accounts)
    yield Verdict("providers whose bill is not what the gateway says", differ, 0)
