"""The server's end: who was connected is answered, and what waits at a shared socket is left to those who stay."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

from app.accounts.keys import Keys
from app.doors.edge import Edge
from app.draining import Draining
from app.serving import server as module
from app.serving.serve import listening
from app.serving.server import DrainingServer
from app.settings import Settings
from app.telemetry import Telemetry
from tests.integration.app.serving.wire_server import received_up_to
from tests.waiting import until

PATIENCE_S = 20.0
HELD_S = 0.4
"""How long the event loop is held at least: longer than the server takes between two looks at whether it is to stop, so
that its end begins before the loop asks for anything that came meanwhile."""


class Held:
    """An application in which one path holds the event loop, and another an answer that has begun, until ``release`` is
    set; and a server that serves it in a thread."""

    def __init__(self, *, delay_s: float = 0.0, one_of_several: bool = False) -> None:
        self.holding = threading.Event()
        self.release = threading.Event()
        self.ended = threading.Event()
        self.draining = draining = Draining()
        settings = Settings(_env_file=None, gateway_drain_delay_s=delay_s, gateway_drain_seconds=15.0)
        edge = Edge(self._app, keys=Keys([]), metrics_keys=Keys([]), telemetry=Telemetry(), draining=draining)
        self.server = DrainingServer(edge, draining, settings, one_of_several=one_of_several)
        self.listener = listening("127.0.0.1", 0)
        self.address = self.listener.getsockname()
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for said in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{said}.complete"})
            self.ended.set()
            return
        if scope["path"] == "/hold":
            self.holding.set()
            self.release.wait(PATIENCE_S)  # the loop waits, that is the point
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        if scope["path"] == "/begun":
            self.holding.set()
            await asyncio.to_thread(self.release.wait, PATIENCE_S)
        await send({"type": "http.response.body", "body": b"ok"})

    def connected(self) -> socket.socket:
        connection = socket.create_connection(self.address)
        connection.settimeout(PATIENCE_S)
        return connection

    @contextmanager
    def loop_held(self) -> Iterator[None]:
        """The loop stands still while the block runs."""
        holder = self.connected()
        ask(holder, "/hold")
        assert self.holding.wait(PATIENCE_S)
        try:
            yield
            time.sleep(HELD_S)
        finally:
            self.release.set()
        assert whole(holder).endswith(b"ok")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        for _ in range(2):
            self.server.leave()
        self._thread.join(PATIENCE_S)
        self.listener.close()
        assert not self._thread.is_alive()
        assert self.ended.is_set()


def ask(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())


def whole(connection: socket.socket) -> bytes:
    """All that comes until the server closes. Raises ConnectionResetError where it did not close in order."""
    received = b""
    with connection:
        while piece := connection.recv(65_536):
            received += piece
    return received


def answered(connection: socket.socket) -> bytes:
    """An answer of the application on a connection that stays."""
    return received_up_to(connection, b"ok")


def assert_sent_elsewhere(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    for line in (b"retry-after: 1", b"connection: close", b"x-should-retry: true"):
        assert line in head.lower()
    assert b'"code": "shutting_down"' in body


def test_who_was_connected_is_answered_even_if_nobody_had_accepted_yet() -> None:
    with Held() as held:
        kept, idle = held.connected(), held.connected()
        ask(kept, "/")
        answered(kept)
        with held.loop_held():
            waiting = [held.connected() for _ in range(50)]
            for connection in (*waiting, kept):
                ask(connection, "/")
            slow = held.connected()
            slow.sendall(b"GET / HTTP/1.1\r\nhost: loc")
            held.server.leave()
        for connection in (*waiting, kept):
            answer = whole(connection)
            if not answer.endswith(b"\r\n\r\nok"):  # it came before the end began
                assert_sent_elsewhere(answer)
        assert whole(idle) == b""
        slow.sendall(b"alhost\r\n\r\n")
        assert_sent_elsewhere(whole(slow))
        with pytest.raises(ConnectionRefusedError):
            held.connected()


def test_who_was_not_told_that_the_connection_closes_may_send_another_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ON_THEIR_WAY_S", 10.0)  # there is no telling how long it is on a busy machine
    with Held() as held:
        kept = held.connected()
        ask(kept, "/begun")
        assert held.holding.wait(PATIENCE_S)
        held.server.leave()
        until(lambda: held.draining.refusing)
        held.release.set()
        assert b"connection: close" not in answered(kept).lower()
        ask(kept, "/")
        assert_sent_elsewhere(whole(kept))


def test_what_waits_at_a_shared_socket_is_left_to_those_who_stay() -> None:
    with Held(one_of_several=True) as held, held.listener.dup() as shared:
        with held.loop_held():
            waiting = {connection.getsockname(): connection for connection in (held.connected() for _ in range(20))}
            for connection in waiting.values():
                ask(connection, "/")
            held.server.handle_exit(15, None)
        assert held.ended.wait(PATIENCE_S)
        left = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                taken, caller = shared.accept()
                with taken:
                    taken.settimeout(PATIENCE_S)
                    taken.recv(65_536)
                    taken.sendall(b"here")
                assert whole(waiting.pop(caller)) == b"here"
                left += 1
        assert left, "the server has taken them all"
        for connection in waiting.values():
            assert whole(connection).startswith(b"HTTP/1.1 ")


def test_asked_twice_it_waits_for_no_connection() -> None:
    with Held(delay_s=60.0) as held:
        begun, idle = held.connected(), held.connected()
        begun.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(2):
            held.server.leave()
        assert held.ended.wait(PATIENCE_S)
        assert (whole(begun), whole(idle)) == (b"", b"")


def test_until_the_delay_is_over_new_connections_are_served() -> None:
    with Held(delay_s=60.0) as held:
        held.server.leave()
        for _ in range(3):
            connection = held.connected()
            ask(connection, "/")
            answered(connection)
            connection.close()
