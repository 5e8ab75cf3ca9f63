"""streamGenerateContent: the answer event by event, thoughts that are pictures while the work still goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.delivery import ClientGone, wait_or_gone

Event = dict[str, Any]

MEDIA_TYPE = "text/event-stream"


def worded(event: Event) -> bytes:
    """An event as Google sends it."""
    return f"data: {json.dumps(event)}\r\n\r\n".encode()


def is_picture_thought(event: Event) -> bool:
    """Whether the event shows an interim picture."""
    parts = [part for each in event.get("candidates") or [] for part in each.get("content", {}).get("parts", [])]
    return any(part.get("thought") is True and "inlineData" in part for part in parts)


class Paced(Response):
    """Events that come while the work goes on: it is done in equal shares, one before each interim picture and one
    before the rest. ``done`` is called when all of it is done, ``busy`` is left at the end whatever happens."""

    def __init__(
        self, events: Sequence[Event], seconds: float, done: Callable[[], None], busy: AbstractContextManager[Any]
    ) -> None:
        self._events = events
        self._shown = [place for place, event in enumerate(events) if is_picture_thought(event)]
        self._worked = self._shown[-1] + 1 if self._shown else 0
        """Place of the first event that waits for all of the work."""
        self._seconds = seconds
        self._done = done
        self._busy = busy
        super().__init__(media_type=MEDIA_TYPE)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them until the client leaves."""
        request = Request(scope, receive)
        with self._busy:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                for place, event in enumerate(self._events):
                    if place in self._shown or place == self._worked:
                        await wait_or_gone(request, self._seconds / (len(self._shown) + 1))
                    if place == self._worked:
                        self._done()
                    await send({"type": "http.response.body", "body": worded(event), "more_body": True})
            except ClientGone:
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
