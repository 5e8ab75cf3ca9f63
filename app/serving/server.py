"""Server: uvicorn with an end of its own, in which nobody's image is lost and no vendor's job is left running.

uvicorn drops idle connections and what waits to be accepted at once, lets new requests in on connections that are kept
alive, and skips the application's own end when it is asked twice. Here the first signal begins to drain:

1. Readiness says no; for ``delay_s`` everything is served as before, so that load balancers see it first.
2. The socket takes no more connections. Those that wait to be accepted are accepted, and a request that comes on a
   connection there is gets a 503 that says to send it elsewhere.
3. Requests under way finish, for up to ``limit_s``; the rest are cancelled, with an answer that says so.
4. The application's end cancels jobs with their vendors and hands statistics over.

A second signal skips what is left of 1 to 3, never 4.
"""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from app.draining import Draining
from app.serving.wire import BoundedProtocol
from app.settings import Settings

WIND_UP_SECONDS = 22.0
"""Longest the end may take after the limit for requests under way: their answers, cancel calls to vendors with the
grace of a submit (``app.main``), handing statistics over (``app.sharing``). Who stops the gateway must allow it."""
_TICK_S = 0.05
"""Between two looks at what is still under way."""
_ON_THEIR_WAY_S = 0.2
"""How long connections stay open that are idle at the end: a request sent in that moment is answered."""
_FIRST_REQUEST_S = 1.0
"""The same for connections that have brought no request yet: theirs is on its way, or they were opened to be ready."""
_MOST_WAITING = 65_536
"""Connections accepted at the end; more than any system lets wait, so that a flood does not keep the gateway."""
_LAST_ANSWERS_S = 2.0
"""How long cancelled requests may take to answer, and then what is left of answers to be sent."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


def config_of(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn is set up here."""
    return uvicorn.Config(
        app,
        loop="app.serving.coarse_timers:CoarseLoop",
        http=BoundedProtocol,
        access_log=False,
        log_level="warning",
        lifespan="on",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )


class DrainingServer(uvicorn.Server):
    """Serves until a signal, ``leave`` or ``all_leave``; returns when the application has ended."""

    def __init__(
        self,
        app: ASGIApp,
        draining: Draining,
        settings: Settings,
        *,
        one_of_several: bool = False,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """``draining`` is the application's own. ``one_of_several``: other processes accept from the same socket and go
        on doing so after a signal to this one. ``on_ready`` is called once requests are served."""
        super().__init__(config_of(app))
        self._draining = draining
        self._delay_s = settings.gateway_drain_delay_s
        self._limit_s = settings.gateway_drain_seconds
        self._on_ready = on_ready
        self._others_accept = one_of_several
        self._leaves_at = float("inf")
        self._hurried = False

    def leave(self) -> None:
        """Begin to drain, or hurry if that has begun. What waits at the socket is left to others who accept there."""
        if self._draining.begun:
            self._hurried = True
            return
        self._leaves_at = time.monotonic() + self._delay_s
        self._draining.begun = True

    def all_leave(self) -> None:
        """All processes that accept from the socket leave: drain, unless that has begun, and let nobody wait there."""
        self._others_accept = False
        if not self._draining.begun:
            self.leave()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal. Unlike uvicorn's own it is not raised again at the end: there is nothing left to be ended."""
        del sig, frame
        self.leave()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop accepting."""
        await super().on_tick(counter)
        return self._hurried or time.monotonic() >= self._leaves_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """The steps 2 to 4 above."""
        begun = time.monotonic()
        # Where others go on accepting, the last requests this process accepted cannot know of its end, and are served.
        self._draining.refusing = not self._others_accept
        await self._stop_accepting(sockets or ())
        _log.info("draining", requests=len(self.server_state.tasks), limit_s=self._limit_s)
        await self._until_quiet(begun + self._limit_s, refuses_at=begun + _FIRST_REQUEST_S)
        self._draining.refusing = True
        self._draining.cancelling = True
        cancelled = list(self.server_state.tasks)
        for task in cancelled:
            task.cancel()
        if cancelled:
            await asyncio.wait(cancelled, timeout=_LAST_ANSWERS_S)
        await self._close_connections()
        await self.lifespan.shutdown()
        _log.info("drained", cancelled=len(cancelled), seconds=round(time.monotonic() - begun, 3))

    async def _stop_accepting(self, sockets: Sequence[socket.socket]) -> None:
        if not self._others_accept:
            await self._accept_those_waiting(sockets)
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()

    async def _accept_those_waiting(self, sockets: Sequence[socket.socket]) -> None:
        """Closing the socket would reset them, although their callers were told that they are connected."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return BoundedProtocol(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )

        for listener in sockets:
            for _ in range(_MOST_WAITING):
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:
                    break
                except ConnectionError:  # this one has gone again
                    continue
                await loop.connect_accepted_socket(protocol, connection)

    async def _until_quiet(self, ends_at: float, *, refuses_at: float) -> None:
        idle_since: dict[BoundedProtocol, float] = {}
        while (now := time.monotonic()) < ends_at and not self._hurried:
            self._draining.refusing = self._draining.refusing or now >= refuses_at
            self._let_go(idle_since, now)
            if not self.server_state.connections and not self.server_state.tasks:
                return
            await asyncio.sleep(_TICK_S)
            await super().on_tick(0)  # the date that answers bear

    def _let_go(self, idle_since: dict[BoundedProtocol, float], now: float) -> None:
        """Close connections that have been idle for long enough; those with an answer to come close with it, if it can
        still say so. Where it cannot, its client may send another request at once, and is told to go elsewhere."""
        to_close = []
        for connection in list(self.server_state.connections):
            if not isinstance(connection, BoundedProtocol):
                continue
            cycle = connection.cycle
            busy = cycle is not None and not cycle.response_complete
            if busy or connection.arriving:
                idle_since.pop(connection, None)
                if busy and not cycle.response_started:
                    connection.shutdown()
                continue
            patience_s = _FIRST_REQUEST_S if connection.fresh else _ON_THEIR_WAY_S
            if now - idle_since.setdefault(connection, now) >= patience_s:
                to_close.append(connection)
        for connection in _with_nothing_to_read(to_close):
            connection.shutdown()

    async def _close_connections(self) -> None:
        """Whatever is left of them, or the event loop would not end."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        ends_at = time.monotonic() + _LAST_ANSWERS_S
        while self.server_state.connections and time.monotonic() < ends_at:  # noqa: ASYNC110 - uvicorn tells of no connection's end
            await asyncio.sleep(_TICK_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(_TICK_S)


def _with_nothing_to_read(connections: Sequence[BoundedProtocol]) -> list[BoundedProtocol]:
    """Those on which nothing has come that the event loop has yet to read: closing would throw a request away."""
    look = select.poll()
    numbers = {}
    for connection in connections:
        own = connection.transport.get_extra_info("socket")
        if own is not None and own.fileno() >= 0:
            numbers[connection] = own.fileno()
            look.register(own.fileno(), select.POLLIN)
    readable = {number for number, _ in look.poll(0)}
    return [connection for connection in connections if numbers.get(connection) not in readable]
