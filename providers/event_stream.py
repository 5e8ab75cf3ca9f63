"""Event stream: the events of one reply, one at a time, while the connection stays open.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. Of an event only its data counts here; lines end
with LF or CR LF, as every vendor's do. A line may have tens of millions of bytes, a whole image as base64.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from providers.spec.conversation import Reply, Unanswered
from providers.spool import BodyTooLargeError, Spool

Data = bytes | mmap.mmap

_FIELD = b"data:"
_HEAD = len(_FIELD) + 1
"""Bytes of a line after which its field is known, and whether a space stands before the value."""


class Events:
    """Bytes in, the data of finished events out. Holds one unfinished event, spooled when it is large.

    ``limit`` is in bytes of the whole stream.
    """

    def __init__(self, spool_dir: Path | None, *, limit: int) -> None:
        self._spool_dir = spool_dir
        self._limit = self._left = limit
        self._head: bytes | None = b""
        """The beginning of a line whose field is not known yet; None once it is."""
        self._in_data = False
        self._cr = b""
        """A CR that ends what came so far: part of the line's end if an LF follows."""
        self._spool: Spool | None = None

    def feed(self, chunk: bytes) -> list[Data]:
        """Take bytes as they come. Raises BodyTooLargeError, and SpoolFailedError when the disk takes no more."""
        self._left -= len(chunk)
        if self._left < 0:
            raise BodyTooLargeError
        finished: list[Data] = []
        at = 0
        while (end := chunk.find(b"\n", at)) != -1:
            self._part(chunk[at:end])
            finished += self._line_ended()
            at = end + 1
        self._part(chunk[at:])
        return finished

    def end(self) -> list[Data]:
        """At the stream's good end: an event that no empty line closed, if there is one."""
        return self._line_ended() or self._closed()

    def close(self) -> None:
        """Free what was collected."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _part(self, part: bytes) -> None:
        """Bytes of a line without its LF."""
        if self._head is None:
            if self._in_data:
                self._value(part)
            return
        self._head += part
        if len(self._head) >= _HEAD:
            self._named(self._head)

    def _named(self, head: bytes) -> None:
        """The line's field is known, or will not be."""
        self._head = None
        self._in_data = head.startswith(_FIELD)
        if not self._in_data:
            return
        if self._spool is None:
            self._spool = Spool(self._spool_dir, limit=self._limit)
        else:
            self._spool.write(b"\n")
        self._value(head.removeprefix(_FIELD).removeprefix(b" "))

    def _value(self, part: bytes) -> None:
        part = self._cr + part
        self._cr = b"\r" if part.endswith(b"\r") else b""
        if self._spool is not None:
            self._spool.write(part.removesuffix(b"\r"))

    def _line_ended(self) -> list[Data]:
        head, self._head = self._head, b""
        self._cr = b""
        if head is None:
            return []
        if head.rstrip(b"\r"):
            self._named(head.removesuffix(b"\r"))
            self._head, self._cr = b"", b""
            return []
        return self._closed()

    def _closed(self) -> list[Data]:
        if self._spool is None:
            return []
        spool, self._spool = self._spool, None
        try:
            return [spool.finish()] if spool.length else []
        finally:
            spool.close()


class EventStream:
    """The events of one reply, as replies. Not for several readers at once.

    ``chunk`` brings the body's next bytes, none at its end, and raises Unanswered when it breaks; ``reply`` makes a
    Reply of an event's data; ``hang_up`` closes the connection.
    """

    def __init__(
        self,
        events: Events,
        chunk: Callable[[], Awaitable[bytes]],
        reply: Callable[[Data], Awaitable[Reply]],
        hang_up: Callable[[], None],
    ) -> None:
        self._events = events
        self._chunk = chunk
        self._reply = reply
        self._hang_up = hang_up
        self._ready: deque[Data] = deque()
        self._over = False

    async def next(self) -> Reply | None:
        """The next event, None after the last. Raises Unanswered when the stream breaks or is too large, and
        SpoolFailedError when our own disk takes no more; either ends it."""
        try:
            while not self._ready and not self._over:
                chunk = await self._chunk()
                self._over = not chunk
                self._ready += self._events.feed(chunk) if chunk else self._events.end()
        except BodyTooLargeError:
            self.close()
            raise Unanswered("the reply was too large", sent=True) from None
        except BaseException:
            self.close()
            raise
        return await self._reply(self._ready.popleft()) if self._ready else None

    def close(self) -> None:
        """Close the connection, whatever is still to come. There are no more events then."""
        self._over = True
        self._ready.clear()
        self._events.close()
        self._hang_up()
