"""Idle connections: closed after a while, as uvicorn does it, but by a timer that is set once and looks at the time.

uvicorn sets one behind each answer, and takes it back when the next request comes, a moment later as a rule.
"""

from __future__ import annotations

from contextvars import Context
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class IdleProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle_since: float | None = None
        """When the last answer was written, by the loop's clock; None once anything has come since."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more; uvicorn thinks of it only where the connection did not break."""
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """An answer is written."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle()

    def timeout_keep_alive_handler(self) -> None:
        """Close, if nothing has come for long."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_in(left)
        else:
            super().timeout_keep_alive_handler()

    def _idle(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_in(self.timeout_keep_alive)

    def _look_in(self, seconds: float) -> None:
        look = self.timeout_keep_alive_handler
        # In nobody's context: the request's own would be kept for as long.
        self.timeout_keep_alive_task = self.loop.call_later(seconds, look, context=Context())
