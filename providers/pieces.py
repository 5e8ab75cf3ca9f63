"""Pieces: one body that lies in several places, the first of it in memory and the rest in a mapped file.

What lies in memory is counted, for all bodies together, piece by piece, until the last who uses one is done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import NamedTuple

BUFFERED = 32 * 1024 * 1024
"""Bytes of large replies that are held in memory, of all that there are at one time. What is more lies in files. A file
costs a third of all work on a 4K image; with this, images that come and go quickly hardly ever meet one, and any number
of slow ones takes no more."""
POINTLESS_S = 5.0
"""For how long nobody waits after somebody has waited in vain."""


class Memory:
    """Bytes that may be held in memory, shared by all who ask, in one event loop. Only ``give`` may be called from
    anywhere."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = most
        self._given: deque[int] = deque()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._pointless_until = 0.0

    @property
    def free(self) -> int:
        """Bytes; below zero where more was taken than there was."""
        self._settle()
        return self._free

    def take(self, count: int) -> bool:
        """Whether so many bytes are free, and nobody waits for them; then they are taken."""
        if self._waiting or count > self.free:
            return False
        self._free -= count
        return True

    def take_anyway(self, count: int) -> None:
        """Take bytes, free or not."""
        self._free -= count

    async def wait_for(self, count: int, seconds: float) -> bool:
        """Take so many bytes as soon as they are free; whether they were within so many seconds.

        Those who come first are served first. Where it was in vain for somebody a moment ago it is known at once.
        """
        if self.take(count):
            return True
        loop = asyncio.get_running_loop()
        if count > self._most or loop.time() < self._pointless_until:
            return False
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.append((count, mine))
        self._hand_on()  # what was given since it was looked for, when nobody waited yet
        try:
            await asyncio.wait({mine}, timeout=seconds)
        except asyncio.CancelledError:
            if mine.done():
                self.give(count)
            raise
        finally:
            if not mine.done():
                self._waiting.remove((count, mine))
                self._hand_on()
        if not mine.done():
            self._pointless_until = loop.time() + POINTLESS_S
        return mine.done()

    def give(self, count: int) -> None:
        """They are free again. May be called in any thread, and while garbage is collected."""
        self._given.append(count)
        with suppress(IndexError, RuntimeError):  # nobody waits, or their event loop has ended
            self._waiting[0][1].get_loop().call_soon_threadsafe(self._hand_on)

    def _settle(self) -> None:
        while self._given:
            self._free += self._given.popleft()

    def _hand_on(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.free:
            count, whose = self._waiting.popleft()
            self._free -= count
            whose.set_result(None)


buffered = Memory(BUFFERED)
"""This process's."""


class Held:
    """A piece in memory, which counts for as long as anybody has this."""

    __slots__ = ("_memory", "data")

    def __init__(self, data: bytes, memory: Memory) -> None:
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


def between(body: tuple[Span, ...], start: int, end: int) -> tuple[Span, ...]:
    """The bytes of a body from ``start`` to ``end``, in as many spans as they lie in; none is copied."""
    found: list[Span] = []
    begins = 0
    for span in body:
        ends = begins + len(span.data)
        if start < ends and begins < end:
            whole = start <= begins and ends <= end
            part = span.data if whole else memoryview(span.data)[max(start - begins, 0) : end - begins]
            found.append(Span(part, span.held))
        begins = ends
    return tuple(found)


def length_of(body: tuple[Span, ...]) -> int:
    """Bytes."""
    return sum([len(span.data) for span in body])
