"""Whole answers: a short one that is there from the first byte to the last is written at once.

ASGI has two messages for it, which pass everything between an endpoint and the connection one by one, and the server
looks at each header by itself: together as much work as understanding the request.

Of large ones, what lies in a file goes from there to the connection without passing through this program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from uvicorn._types import ASGISendEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from app.doors.hang_up import WHEN_LOST, WhenLost
from app.doors.reply import PIECES, WHOLE, ZERO_COPY
from app.serving.from_file import NotFromFileError, send_from_file
from app.serving.one_write import OneWrite

_FROM_FILES = hasattr(os, "sendfile")
"""Whether the system sends from files."""
_MARKING_WHAT_ENDS_A_VALUE = HEADER_VALUE_RE.sub(b"!", bytes(range(256)))
"""The server's own rule as a table for ``bytes.translate``, which takes a fifth of the pattern's time: what is the same
afterwards may be a value."""


class WholeAnswers(RequestResponseCycle):
    """A request under way whose answer may come in one message, its body under ``WHOLE``, or out of a file."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send one message. Raises RuntimeError for a header that would end the head early, as the server does."""
        body: bytes | None = message.get(WHOLE)  # type: ignore[assignment]  # uvicorn knows of no such key
        if body is not None:
            if self.flow.write_paused or self.disconnected or self.response_started or not self.keep_alive:
                await super().send(message)
                await super().send({"type": "http.response.body", "body": body, "more_body": False})
            else:
                self._send_whole(message, body)  # type: ignore[arg-type]  # it is a start
        elif "file" in message:
            await self._send_from_file(message)
        elif PIECES in message:
            await self._send_pieces(cast("list[bytes | memoryview]", message[PIECES]))  # type: ignore[literal-required]
        else:
            await super().send(message)

    async def _send_from_file(self, message: Mapping[str, Any]) -> None:
        """A part of a body whose length was stated, out of a file; more of it follows."""
        if self.disconnected:
            return
        self._check(message["count"])
        transport = cast("OneWrite", self.transport)
        if not await transport.drained(self.flow):
            return
        when_lost: WhenLost = self.scope[WHEN_LOST]  # type: ignore[literal-required]
        file, offset, count = message["file"], message["offset"], message["count"]
        try:
            await send_from_file(transport.descriptor(), file, offset, count, when_lost)
        except NotFromFileError as stopped:
            self.expected_content_length -= stopped.sent
            rest = os.pread(file, count - stopped.sent, offset + stopped.sent)
            await super().send({"type": "http.response.body", "body": rest, "more_body": True})
        else:
            self.expected_content_length -= count

    async def _send_pieces(self, pieces: list[bytes | memoryview]) -> None:
        """Parts of a body whose length was stated; more of it follows."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        count = sum([len(piece) for piece in pieces])
        self._check(count)
        self.expected_content_length -= count
        cast("OneWrite", self.transport).write_pieces(pieces)

    def _check(self, count: int) -> None:
        if not self.response_started or self.response_complete or count > self.expected_content_length:
            raise RuntimeError("Not a part of this body.")

    def _send_whole(self, start: HTTPResponseStartEvent, body: bytes) -> None:
        """For headers that say nothing of the connection, which is kept."""
        headers = [*self.default_headers, *start.get("headers", ())]
        names, values = zip(*headers, strict=True)
        lines = _lines(names) % values
        said = b"".join(values)
        if said.translate(_MARKING_WHAT_ENDS_A_VALUE) != said:
            raise RuntimeError("Invalid HTTP header value.")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        transport: OneWrite = self.transport  # type: ignore[assignment]  # as take_whole_answers made it
        transport.write_whole(b"".join((STATUS_LINE[start["status"]], lines, b"\r\n", body)))
        self.message_event.set()
        self.on_response()


@lru_cache(maxsize=256)
def _lines(names: tuple[bytes, ...]) -> bytes:
    """Header lines of these names, for their values to be put in: few answers have others than one before. Raises
    RuntimeError."""
    if HEADER_RE.search(b"".join(names)):
        raise RuntimeError("Invalid HTTP header name.")
    return b"".join([name.replace(b"%", b"%%") + b": %b\r\n" for name in names])


def take_whole_answers(cycle: RequestResponseCycle, transport: OneWrite) -> None:
    """Let the answer to this request come so. uvicorn makes the object, of a class that cannot be told to it."""
    cycle.__class__ = WholeAnswers
    cycle.transport = transport  # type: ignore[assignment]  # has all that is used of it
    cycle.scope[WHOLE] = cycle.scope[PIECES] = True  # type: ignore[literal-required]
    if _FROM_FILES and cycle.scope["scheme"] == "http":  # what is encrypted has to pass through here
        cycle.scope["extensions"] = {ZERO_COPY: {}}
