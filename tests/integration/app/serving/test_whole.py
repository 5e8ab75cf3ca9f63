"""Short answers in one message: the same bytes as in two, and nothing kept alive by them."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Iterator

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.doors.reply import WHOLE, PartsResponse
from app.serving.wire import BoundedProtocol
from tests.servers import running

BODY = b'{"created":1,"data":[]}'
seen: list[weakref.ref[object]] = []


def answering(headers: dict[str, str]) -> ASGIApp:
    """Half of it with the server's whole answers, half without."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope[WHOLE] is True
        if scope["path"] == "/two":
            del scope[WHOLE]
        seen.append(weakref.ref(send.__self__))  # type: ignore[attr-defined]  # the server's own object
        await PartsResponse((BODY[:5], memoryview(BODY)[5:]), headers)(scope, receive, send)

    return app


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    seen.clear()
    with running(answering(getattr(request, "param", {"x-one": "1"})), http=BoundedProtocol) as serving:
        yield int(serving.rpartition(":")[2])


def told(port: int, *requests: bytes) -> bytes:
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"".join(requests))
        while piece := client.recv(65536):
            answer += piece
    return bytes(answer)


def asking(path: str, *, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n{more}\r\n".encode()


def without_date(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.startswith(b"date: ")]


@pytest.mark.parametrize("port", [{"x-one": "1"}, {"x%one": "%d", "x-two": ""}], indirect=True)
def test_it_is_the_same_bytes_in_one_message_as_in_two(port: int) -> None:
    one, two = (told(port, asking(path), asking("/end", more="Connection: close\r\n")) for path in ("/one", "/two"))
    assert without_date(one) == without_date(two)
    assert one.count(b"HTTP/1.1 200 OK") == one.count(BODY) == 2


def test_the_connection_ends_where_its_client_says_so(port: int) -> None:
    answer = told(port, asking("/one", more="Connection: close\r\n"))
    assert b"connection: close" in answer
    assert answer.endswith(BODY)


@pytest.mark.parametrize("port", [{"x-one": "1\r\nx-two: 2"}, {"x one": "1"}, {"x-one": "\0"}], indirect=True)
def test_no_header_can_end_the_head(port: int) -> None:
    answer = told(port, asking("/one"))
    assert b"HTTP/1.1 500" in answer
    assert b"x-two" not in answer


def test_no_request_is_kept_by_its_answer(port: int) -> None:
    gc.disable()
    try:
        told(port, *[asking("/one")] * 3, asking("/one", more="Connection: close\r\n"))
        assert [each() for each in seen[:3]] == [None] * 3
    finally:
        gc.enable()
