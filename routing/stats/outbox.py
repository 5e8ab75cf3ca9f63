"""Outbox: events on their way to a store, kept until it confirms them, numbered so that sending twice does no harm."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from routing.stats.outcome import Outcome
from routing.stats.slices import duration
from routing.stats.store import Event
from routing.stats.wire import EVENTS_PER_ENTRY, encode_entry

MAX_BUFFERED = 20_000
"""Events kept while the store is away: three minutes at 100 a second, about 5 MB."""
MAX_ENTRIES = 100
"""Entries under way at once: 3200 events a second at two exchanges a second."""


class Outbox:
    """First in, first out. Entries are numbered from 1."""

    def __init__(self, replica: str) -> None:
        self.sent = 0
        """Events confirmed."""
        self.dropped = 0
        """Events that had to make room."""
        self._replica = replica
        self._number = 0
        self._buffer: deque[Event] = deque()
        self._entries: deque[tuple[bytes, int]] = deque()

    def __len__(self) -> int:
        return len(self._buffer) + sum(count for _, count in self._entries)

    def put(self, event: Event) -> None:
        """Keep an event; when there are too many the oldest that is not under way makes room.

        Durations are brought within the bounds that readers insist on: for one that they refuse they leave out the
        whole entry.
        """
        if isinstance(event, Outcome):
            event = _bounded(event)
        if len(self._buffer) >= MAX_BUFFERED:
            self._buffer.popleft()
            self.dropped += 1
        self._buffer.append(event)

    def entries(self) -> list[bytes]:
        """What to send now: first, unchanged, whatever was sent before without being confirmed."""
        buffer = self._buffer
        while buffer and len(self._entries) < MAX_ENTRIES:
            events = [buffer.popleft() for _ in range(min(EVENTS_PER_ENTRY, len(buffer)))]
            self._number += 1
            self._entries.append((encode_entry(self._replica, self._number, events), len(events)))
        return [data for data, _ in self._entries]

    def confirm(self, entries: int) -> None:
        """The first so many entries have arrived."""
        for _ in range(entries):
            self.sent += self._entries.popleft()[1]


def _bounded(outcome: Outcome) -> Outcome:
    first_byte_s = outcome.first_byte_s
    seconds = duration(outcome.seconds)
    byte_s = None if first_byte_s is None else duration(first_byte_s)
    if seconds == outcome.seconds and byte_s == first_byte_s:
        return outcome
    return replace(outcome, seconds=seconds, first_byte_s=byte_s)
