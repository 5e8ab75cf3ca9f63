"""A small application behind the real protocol, and a client that sends any bytes it likes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.doors.answer_headers import EVERY_ANSWER
from app.serving import wire
from app.serving.wire import BoundedProtocol
from tests.waiting import until

PATIENCE_S = 20.0
LARGE = 64_000_000
"""More than both ends of a connection keep for each other unread."""


@dataclass(slots=True)
class Serving:
    """A running server. ``served`` are the paths of the requests that reached the application, in order."""

    port: int
    served: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """Until it is set, answers under ``/held`` wait."""
    server: uvicorn.Server | None = None

    def connections(self) -> int:
        assert self.server is not None
        return len(self.server.server_state.connections)

    def until_served(self, path: str) -> None:
        """Wait until a request for this path has reached the application. Raises AssertionError."""
        until(lambda: path in self.served)

    def until_last(self) -> None:
        """Wait until the only connection's request is its last, though it is still under way. Raises AssertionError."""
        assert self.server is not None
        (connection,) = self.server.server_state.connections
        assert isinstance(connection, BoundedProtocol)
        until(lambda: not connection.cycle.keep_alive)

    def until_closed(self) -> None:
        """Wait until no connection is left. Raises AssertionError."""
        until(lambda: not self.connections())


def received_up_to(connection: socket.socket, ending: bytes) -> bytes:
    """What comes on a connection that stays, up to this ending. Raises AssertionError when it ends before."""
    received = b""
    while not received.endswith(ending):
        piece = connection.recv(65_536)
        assert piece, received
        received += piece
    return received


@contextmanager
def wire_server(
    *, head_s: float = 20.0, stall_s: float = 20.0, linger_s: float = 20.0, keep_alive_s: int = 20
) -> Iterator[Serving]:
    """Serve while the block runs: ``/early`` answers before it reads, ``/large`` with 64 MB, ``/held`` when told to,
    and ``/watched`` says when its client has left."""

    async def echo(request: Request) -> Response:
        path = request.url.path
        serving.served.append(path)
        if path == "/early":
            return PlainTextResponse("early")
        if path == "/large":
            return PlainTextResponse("x" * LARGE)
        body = await request.body()
        if path == "/watched":
            while (await request.receive())["type"] != "http.disconnect":
                pass
            serving.served.append(f"{path}: left")
        if path == "/held":
            await asyncio.to_thread(serving.release.wait, PATIENCE_S)
        names = ",".join(sorted(request.headers))
        return PlainTextResponse(f"{request.method} {path} {len(body)}", headers={"x-names": names})

    listener = socket.create_server(("127.0.0.1", 0))
    serving = Serving(listener.getsockname()[1])
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wire, "HEAD_SECONDS", head_s)
        patched.setattr(wire, "STALL_SECONDS", stall_s)
        patched.setattr(wire, "LINGER_SECONDS", linger_s)
        config = uvicorn.Config(
            app,
            loop="app.serving.coarse_timers:CoarseLoop",
            http=BoundedProtocol,
            log_level="critical",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=keep_alive_s,
        )
        serving.server = server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield serving
        finally:
            serving.release.set()
            server.should_exit = True
            thread.join(PATIENCE_S)
            listener.close()


def told(port: int, *pieces: bytes) -> bytes:
    """Everything that comes back until the server closes, or resets what was refused half-way."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        received = bytearray()
        with suppress(ConnectionError):
            for piece in pieces:
                client.sendall(piece)
        with suppress(ConnectionError):
            while piece := client.recv(65536):
                received += piece
        return bytes(received)


def assert_refused(answer: bytes, status: int, code: str) -> None:
    """One answer, in the envelope, with every header an answer has."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"connection: close" in head
    assert b"\r\nx-request-id: req_" in head
    for name, value in EVERY_ANSWER:
        assert b"\r\n%b: %b" % (name, value) in head
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
