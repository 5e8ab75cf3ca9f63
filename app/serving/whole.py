"""Whole answers: a short one that is there from the first byte to the last is written at once.

ASGI has two messages for it, which pass everything between an endpoint and the connection one by one, and the server
looks at each header by itself: together as much work as understanding the request.

Of large ones, what lies in a file goes from there to the connection without passing through this program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from uvicorn._types import ASGISendEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from app.doors.hang_up import WHEN_LOST, WhenLost
from app.doors.reply import PIECES, WHOLE, ZERO_COPY
from app.serving.from_file import NotFromFileError, send_from_file
from app.serving.one_write import OneWrite


class WholeAnswers(RequestResponseCycle):
    """A request under way whose answer may come in one message, its body under ``WHOLE``, or out of a file."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send one message. Raises RuntimeError for a header that would end the head early, as the server does."""
        if "file" in message:
            await self._send_from_file(message)
            return
        if PIECES in message:
            await self._send_pieces(cast("list[bytes | memoryview]", message[PIECES]))  # type: ignore[literal-required]
            return
        body = cast("bytes | None", message.get(WHOLE))
        if body is None:
            await super().send(message)
        elif self.flow.write_paused or self.disconnected or self.response_started or not self.keep_alive:
            await super().send(message)
            await super().send({"type": "http.response.body", "body": body, "more_body": False})
        else:
            self._send_whole(cast("HTTPResponseStartEvent", message), body)

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
        if HEADER_RE.search(b"".join([name for name, _ in headers])):
            raise RuntimeError("Invalid HTTP header name.")
        if HEADER_VALUE_RE.search(b"".join([value for _, value in headers])):
            raise RuntimeError("Invalid HTTP header value.")
        parts = [STATUS_LINE[start["status"]]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n", body)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        cast("OneWrite", self.transport).write_whole(b"".join(parts))
        self.message_event.set()
        self.on_response()


def take_whole_answers(cycle: RequestResponseCycle, transport: OneWrite) -> None:
    """Let the answer to this request come so. uvicorn makes the object, of a class that cannot be told to it."""
    cycle.__class__ = WholeAnswers
    cycle.transport = transport  # type: ignore[assignment]  # has all that is used of it
    cycle.scope[WHOLE] = cycle.scope[PIECES] = True  # type: ignore[literal-required]
    if hasattr(os, "sendfile") and cycle.scope["scheme"] == "http":  # what is encrypted has to pass through here
        cycle.scope["extensions"] = {ZERO_COPY: {}}
