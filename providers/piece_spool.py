"""A reply as it arrives, kept where there is room: in memory, and from where there is none on in an anonymous file."""

from __future__ import annotations

from pathlib import Path

from providers.pieces import Held, Memory, Span
from providers.spool import (
    SCARCE_THRESHOLD,
    SPOOL_THRESHOLD,
    STATED_THRESHOLD,
    BodyTooLargeError,
    Spool,
    holder,
)

_SMALL = 64 * 1024
"""Bytes. Chunks of fewer are put together: a picture read in records of TLS would be thousands of pieces."""
_BLOCK = 256 * 1024
"""Bytes they are put together to."""
WAIT_S = 0.2
"""Longest a large reply is left unread until there is memory for all of it, while no other gets any. Replies that come
at the same time would otherwise be read by turns, each a little, and none be through before all memory is taken: one
after the other most of them need no file, and all are through sooner."""
LONGEST_WAIT_S = 2.0
"""And longest if others do. An image takes 5 to 60 s to be made."""


class PieceSpool:
    """Collects one body. ``limit`` is in bytes, and so is ``stated``, the length its sender claims, if any: that one
    decides where it lies and nothing else. Not reusable; dropping it frees everything."""

    def __init__(self, directory: Path | None, *, limit: int, stated: int | None, memory: Memory) -> None:
        self._directory = directory
        self._limit = limit
        self._stated = stated
        self._memory = memory
        self._room = 0
        """Bytes of memory that are this body's and not filled yet."""
        self._held: list[Held] = []
        self._block = bytearray()
        self._rest: Spool | None = None
        self._holder = holder.get()
        self._counted = 0
        self.length = 0

    async def find_room(self) -> None:
        """Wait a moment for memory for a body that will be large. To be called before anything is written."""
        if self._stated is not None and self._stated > STATED_THRESHOLD and not self._scarce():
            self._room = self._stated if await self._memory.wait_for(self._stated, WAIT_S, LONGEST_WAIT_S) else 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes, which nobody changes any more. Raises BodyTooLargeError past the limit, SpoolFailedError when the
        disk takes no more."""
        self.length += len(chunk)
        if self.length > self._limit:
            self.close()
            raise BodyTooLargeError
        if self._rest is None and not self._takes(len(chunk)):
            self._hold_block()
            self._rest = Spool(self._directory, limit=self._limit, stated=STATED_THRESHOLD + 1)
        if self._rest is not None:
            self._rest.write(chunk)
            return
        if self._holder is not None:
            self._holder.took(len(chunk))
            self._counted += len(chunk)
        if len(chunk) >= _SMALL:
            self._hold_block()
            self._held.append(Held(chunk, self._memory))
            return
        self._block += chunk
        if len(self._block) >= _BLOCK:
            self._hold_block()

    def _takes(self, count: int) -> bool:
        """Whether there is memory for that much more; then it is taken."""
        if count <= self._room:
            self._room -= count
            return True
        if self.length <= self._sure():
            self._memory.overdraw(count)
            return True
        return self._stated is None and not self._scarce() and self._memory.take(count)

    def _sure(self) -> int:
        """Bytes there is memory for in any case."""
        if self._scarce():
            return SCARCE_THRESHOLD
        if self._stated is None:
            return SPOOL_THRESHOLD
        return STATED_THRESHOLD if self._stated <= STATED_THRESHOLD else 0

    def _scarce(self) -> bool:
        return self._holder is not None and self._holder.half_full

    def _hold_block(self) -> None:
        if self._block:
            self._held.append(Held(bytes(self._block), self._memory))
            self._block.clear()

    def finish(self) -> tuple[Span, ...]:
        """The whole body. Raises SpoolFailedError."""
        self._hold_block()
        spans = [Span(held.data, held) for held in self._held]
        if self._rest is not None:
            spans.append(Span(memoryview(self._rest.finish())))
        self._counted = 0  # from now on the holder's affair
        self.close()
        return tuple(spans)

    def close(self) -> None:
        """Free what was collected and is not handed out."""
        self._hold_block()
        self._held.clear()
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        if self._room:
            self._memory.give(self._room)
            self._room = 0
        if self._holder is not None and self._counted:
            self._holder.gave_back(self._counted)
            self._counted = 0

    def __del__(self) -> None:
        """What nobody closed takes no memory; whoever answers for its bytes is not told, for this may be any thread."""
        self._memory.give(self._room + len(self._block))
