"""Whole answers: a short one that is there from the first byte to the last is written at once.

ASGI has two messages for it, which pass everything between an endpoint and the connection one by one, and the server
looks at each header by itself: together as much work as understanding the request.
"""

from __future__ import annotations

from typing import cast

from uvicorn._types import ASGISendEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from app.doors.reply import WHOLE
from app.serving.one_write import OneWrite


class WholeAnswers(RequestResponseCycle):
    """A request under way whose answer may come in one message, its body under ``WHOLE``."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send one message. Raises RuntimeError for a header that would end the head early, as the server does."""
        body = cast("bytes | None", message.get(WHOLE))
        if body is None:
            await super().send(message)
        elif self.flow.write_paused or self.disconnected or self.response_started or not self.keep_alive:
            await super().send(message)
            await super().send({"type": "http.response.body", "body": body, "more_body": False})
        else:
            self._send_whole(cast("HTTPResponseStartEvent", message), body)

    def _send_whole(self, start: HTTPResponseStartEvent, body: bytes) -> None:
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
    cycle.scope[WHOLE] = True  # type: ignore[literal-required]
