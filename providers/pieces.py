"""Pieces: one body that lies in several places, the first of it in memory and the rest in a mapped file.

What lies in memory is counted, for all bodies together, piece by piece, until the last who uses one is done, or it is
on its way to a client: of these, half a MiB may lie before a connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import NamedTuple

BUFFERED = 32 * 1024 * 1024
"""Bytes of large replies that are held in memory by default, of all that there are at one time. What is more lies in
files. A file costs a third of all work on a 4K image; with this, images that come and go quickly hardly ever meet one,
and any number of slow ones takes no more. Small replies lie in memory all the same, and count."""
_FEW = 100
"""Most amounts given that are added up each time, to see whether they are enough; more are settled instead."""
POINTLESS_S = 5.0
"""For how long nobody waits after somebody has waited while nobody was served."""


class Memory:
    """Bytes that may be held in memory, shared by all who ask, in one event loop. Only ``give`` may be called from
    anywhere."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = most
        self._given: deque[int] = deque()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._pointless_until = 0.0
        self._handed_on = 0
        """How often somebody's waiting had an end."""
        self._will_hand_on = False

    @property
    def free(self) -> int:
        """Bytes; below zero where memory is overdrawn."""
        self._settle()
        return self._free

    def take(self, count: int) -> bool:
        """Whether so many bytes are free, and nobody waits for them; then they are taken."""
        if self._waiting or count > self.free:
            return False
        self._free -= count
        return True

    def overdraw(self, count: int) -> None:
        """Take bytes, free or not."""
        self._settle()  # whoever only overdraws settles as well, or what is given would pile up
        self._free -= count

    async def wait_for(self, count: int, seconds: float, most_s: float) -> bool:
        """Take so many bytes as soon as they are free; whether they were.

        Those who come first are served first. Nobody waits longer than ``most_s``, nor longer than ``seconds`` in which
        nobody was served; where that was so for somebody a moment ago it is known at once.
        """
        if self.take(count):
            return True
        loop = asyncio.get_running_loop()
        if count > self._most or loop.time() < self._pointless_until:
            return False
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.append((count, mine))
        self._hand_on()  # what was given since, by the collector or a thread, has woken nobody
        ends_at = loop.time() + most_s
        try:
            while not mine.done() and (left := ends_at - loop.time()) > 0:
                handed_on = self._handed_on
                await asyncio.wait({mine}, timeout=min(seconds, left))
                if not mine.done() and seconds <= left and handed_on == self._handed_on:
                    self._pointless_until = loop.time() + POINTLESS_S
                    break
        except asyncio.CancelledError:
            if mine.done():
                self.give(count)
            raise
        finally:
            if not mine.done():
                self._waiting.remove((count, mine))
                self._hand_on()
        return mine.done()

    def give(self, count: int) -> None:
        """They are free again. May be called in any thread, and while garbage is collected."""
        self._given.append(count)
        if not self._waiting or self._will_hand_on:
            return
        with suppress(IndexError):  # nobody waits any more
            wanted, whose = self._waiting[0]
            if self._are_enough(wanted):
                self._will_hand_on = True  # set first: in its own thread the event loop may be done at once
                try:
                    whose.get_loop().call_soon_threadsafe(self._hand_on)
                except RuntimeError:  # it has ended
                    self._will_hand_on = False

    def _are_enough(self, wanted: int) -> bool:
        """Whether so many may be free. False is certain, whatever other threads do meanwhile."""
        if len(self._given) > _FEW:
            return True
        try:
            return sum(self._given) + self._free >= wanted  # in this order: what is settled in between counts twice
        except RuntimeError:  # more was given while it was added up
            return True

    def _settle(self) -> None:
        # In this order, for the same reason as above.
        while self._given:
            self._free += self._given[0]
            self._given.popleft()

    def _hand_on(self) -> None:
        self._will_hand_on = False
        while self._waiting and self._waiting[0][0] <= self.free:
            count, whose = self._waiting.popleft()
            self._free -= count
            self._handed_on += 1
            whose.set_result(None)


class Held:
    """A piece in memory, which counts for as long as anybody has this."""

    __slots__ = ("_memory", "data")

    def __init__(self, data: bytes | memoryview, memory: Memory) -> None:
        """``memory`` is where ``data`` was taken from."""
        self.data = data
        self._memory = memory

    def __del__(self) -> None:
        """It counts no longer."""
        self._memory.give(len(self.data))


class Span(NamedTuple):
    """Some bytes of a body, and what of memory they lie in; None: they lie in a mapped file, or count for nothing."""

    data: bytes | memoryview
    held: Held | None = None


def between(body: tuple[Span, ...], *ranges: tuple[int, int]) -> list[tuple[Span, ...]]:
    """The bytes of a body in each of these ranges, from a start to an end, in as many spans as they lie in; none is
    copied. The ranges stand in order and do not overlap; the body is gone through once for all of them."""
    lying: list[tuple[Span, ...]] = []
    spans = iter(body)
    span: Span | None = Span(b"")
    begins = ends = 0
    for start, end in ranges:
        found: list[Span] = []
        at = start
        while span is not None and at < end:
            if at >= ends:
                span = next(spans, None)
                begins, ends = ends, ends + (len(span.data) if span is not None else 0)
                continue
            stop = min(end, ends)
            whole = at == begins and stop == ends
            found.append(span if whole else Span(memoryview(span.data)[at - begins : stop - begins], span.held))
            at = stop
        lying.append(tuple(found))
    return lying


def length_of(body: tuple[Span, ...]) -> int:
    """Bytes."""
    return sum([len(span.data) for span in body])
