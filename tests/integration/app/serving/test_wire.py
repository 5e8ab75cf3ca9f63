"""What uvicorn leaves open: heads without end, offers to speak another protocol, the shape of refusals."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.doors.hang_up import unless_hung_up
from app.serving.wire import HEAD_BYTES, BoundedProtocol
from tests.integration.app.serving.wire_server import assert_refused, told, wire_server
from tests.servers import running

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAA\r\n"
"""What Java's HttpClient says on a new connection."""


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with wire_server(head_s=getattr(request, "param", 20.0)) as serving:
        yield serving.port


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n", b"x-more: " + b"a" * 1000 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nx-long: ", b"a" * 1000),
    ],
    ids=["lines", "one line"],
)
def test_a_head_without_end_is_refused_in_the_envelope(port: int, begin: bytes, more: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(begin)
        for _ in range(HEAD_BYTES // len(more) + 1):  # just beyond, so that nothing unread turns the answer to a reset
            client.sendall(more)
        answer = bytearray()
        with suppress(ConnectionError):
            while piece := client.recv(65536):
                answer += piece
    assert_refused(bytes(answer), 431, "header_too_large")


def test_trailers_without_end_close_the_connection(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    assert b" 200 " not in told(port, head, *[b"x-more: " + b"a" * 1000 + b"\r\n"] * 1000)


def test_a_large_head_and_a_large_body_within_bounds_pass(port: int) -> None:
    head = b"POST /here HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5000000\r\nx-big: "
    answer = told(port, head + b"a" * (HEAD_BYTES - 200), b"\r\n\r\n", *[b"b" * 100_000] * 50)
    assert answer.endswith(b"POST /here 5000000")


@pytest.mark.parametrize("apart", [False, True])
def test_an_offer_to_speak_http_2_is_passed_over_and_the_body_is_read(port: int, apart: bool) -> None:
    first = b"POST /one HTTP/1.1\r\nHost: h\r\n" + H2C + b"Content-Length: 300000\r\n\r\n"
    second = b"GET /two HTTP/1.1\r\nHost: h\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n"
    pieces = (first, b"b" * 300_000, second) if apart else (first + b"b" * 300_000 + second,)
    answer = told(port, *pieces)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"POST /one 300000" in answer
    assert answer.endswith(b"GET /two 0")


def test_an_offer_in_a_body_of_chunks_is_passed_over_too(port: int) -> None:
    head = b"POST /one HTTP/1.1\r\nHost: h\r\n" + H2C + b"Transfer-Encoding: chunked\r\n\r\n"
    close = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert b"POST /one 3" in told(port, head, b"3\r\nabc\r\n", b"0\r\n\r\n", close)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"CONNECT there:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_request_is_refused_in_the_envelope(port: int, request_: bytes) -> None:
    assert_refused(told(port, request_), 400, "invalid_request")


@pytest.mark.parametrize("port", [0.05], indirect=True)
@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_a_head_that_does_not_come_ends_the_connection(port: int, begin: bytes) -> None:
    assert_refused(told(port, begin), 408, "request_timeout")


@pytest.mark.parametrize("size", [942_000, 1_022_000, 1_102_000])  # the last piece is a large one of two of them
def test_a_hang_up_after_a_large_body_is_noticed(size: int) -> None:
    """A body that comes faster than it is taken halts the reading; an end that is not read is not seen."""
    read, left = threading.Event(), threading.Event()

    async def make(request: Request) -> Response:
        length = 0
        async for piece in request.stream():
            length += len(piece)
            time.sleep(0.02)  # noqa: ASYNC251 - the loop is busy, so that more comes at once than may be held
        assert length == size
        read.set()
        if await unless_hung_up(request, asyncio.Event().wait()) is None:
            left.set()
        return Response()

    app = Starlette(routes=[Route("/", make, methods=["POST"])])
    with running(app, http=BoundedProtocol) as url:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            assert read.wait(20)
        assert left.wait(20)
