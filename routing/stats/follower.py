"""Follower: reads the stream all replicas write to, each entry once, counts it in the ledger, and hands on the news."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from routing.stats.ledger import Ledger
from routing.stats.outcome import Outcome
from routing.stats.wire import START, Entry, EntryId, UndecodableError, decode_entry

FIELD = b"e"
"""The field of a stream's entry that holds ours."""
MAX_AHEAD_S = 60.0
"""Entries with events from further in the future than this are left out: that replica's clock is wrong."""
_MAX_REPLICAS = 256
"""Replicas, gone ones included, whose last number is remembered before old ones are forgotten."""
_FORGET_MS = 3_600_000
"""A replica that was silent for so long will not send again what it sent before: streams are shorter."""

RawEntry: TypeAlias = tuple[bytes, Mapping[bytes, bytes] | None]
"""An id and the fields, as the store hands them over."""


class Follower:
    """How far one replica has read, and what it has counted."""

    def __init__(self) -> None:
        self.last = START
        """Id of the last entry that was read."""
        self.undecodable = 0
        self.ledger = Ledger()
        self._numbers: dict[str, tuple[int, int]] = {}
        """By replica: the last number that was read, and when, in the stream's milliseconds."""

    def read(self, raw: Iterable[RawEntry], *, now: float) -> list[tuple[EntryId, Entry]]:
        """Those of the entries that were not read before and can be read, of all replicas; the ledger counts them."""
        found = []
        for text, fields in raw:
            entry_id = id_of(text)
            if entry_id <= self.last:
                continue
            self.last = entry_id
            try:
                entry = decode_entry((fields or {}).get(FIELD, b""), latest=now + MAX_AHEAD_S)
            except UndecodableError:
                self.undecodable += 1
                continue
            known = self._numbers.get(entry.replica)
            if known is not None and entry.number <= known[0]:
                continue
            self._numbers[entry.replica] = (entry.number, entry_id[0])
            for event in entry.events:
                if isinstance(event, Outcome):
                    self.ledger.count(event, entry_id, now=now)
            found.append((entry_id, entry))
        if len(self._numbers) > _MAX_REPLICAS:
            oldest = self.last[0] - _FORGET_MS
            self._numbers = {name: known for name, known in self._numbers.items() if known[1] > oldest}
        return found

    def begun_anew(self, newest: EntryId | None) -> bool:
        """Whether the stream, whose newest entry this is, was lost and begun anew; then reading starts over as well."""
        if (newest or START) >= self.last:
            return False
        self.last = START
        self.ledger.begin_anew()
        return True


def id_of(text: bytes) -> EntryId:
    """The id a stream writes as ``milliseconds-number``."""
    milliseconds, _, number = text.partition(b"-")
    return int(milliseconds), int(number)
