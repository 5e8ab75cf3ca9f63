"""Answers in many pieces: the same bytes as joined, at the client's pace, and no memory kept for who has left."""

from __future__ import annotations

import base64
import gc
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.doors.reply import PIECES, ZERO_COPY, PartsResponse
from app.serving.wire import BoundedProtocol
from providers.mapped import MappedFile
from providers.pieced import EncodedPieces, TextAsItCame
from providers.pieces import Held, Memory, Span
from providers.spec.blob import Base64Text
from tests.integration.app.serving.test_from_file import asked, rest
from tests.servers import running
from tests.waiting import until

CONTENT = random.Random(9).randbytes(1 << 20) * 9
MOST = 100_000_000
SIZES = (65_536, 1, 0, 262_144, 100_000, 40_001, 300_000, 65_536, 65_536, 65_536, 600_000, 3, 250_000)


def in_file(data: bytes) -> memoryview:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        return memoryview(MappedFile.of(file, len(data)))


def spans(data: bytes, memory: Memory, *, end_in_file: int = 0) -> tuple[Span, ...]:
    """In memory in pieces of many sizes, by turns bytes and views; its end, if so asked, in a file."""
    found: list[Span] = []
    at = place = 0
    end = len(data) - end_in_file
    while at < end:
        piece = data[at : min(at + SIZES[place % len(SIZES)], end)]
        memory.overdraw(len(piece))
        found.append(Span(memoryview(piece) if place % 2 else piece, Held(piece, memory)))
        at += len(piece)
        place += 1
    return (*found, Span(in_file(data[end:]))) if end_in_file else tuple(found)


def parts(memory: Memory, *, end_in_file: int) -> list[Base64Text]:
    return [
        b'{"created":1,"data":[',
        b'{"b64_json":"',
        TextAsItCame(spans(CONTENT[:5_000_000], memory, end_in_file=end_in_file)),
        b'"},',
        memoryview(CONTENT)[7:700_000],
        EncodedPieces(spans(CONTENT[5_000_000:], memory, end_in_file=end_in_file)),
        memoryview(CONTENT)[3:9],
        b"]}",
    ]


EXPECTED = b"".join(
    [
        b'{"created":1,"data":[{"b64_json":"',
        CONTENT[:5_000_000],
        b'"},',
        CONTENT[7:700_000],
        base64.b64encode(CONTENT[5_000_000:]),
        CONTENT[3:9],
        b"]}",
    ]
)
memory = Memory(MOST)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope[PIECES] is True
    assert ZERO_COPY in scope["extensions"]
    if "copied" in scope["path"]:
        scope["extensions"] = {}
    if "one-by-one" in scope["path"]:
        del scope[PIECES]
    end_in_file = 1_000_003 if "file" in scope["path"] else 0
    try:
        await PartsResponse(parts(memory, end_in_file=end_in_file), {})(scope, receive, send)
    except Exception as wrong:
        failed.append(wrong)
        raise


failed: list[Exception] = []


@pytest.fixture
def port() -> Iterator[int]:
    with running(app, http=BoundedProtocol) as url:
        yield int(url.rpartition(":")[2])
    gc.collect()
    assert memory.free == MOST
    assert failed == []


def reading_slowly(port: int, path: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    client.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
    return client


PATHS = ["/memory", "/file", "/file/copied", "/one-by-one", "/file/one-by-one", "/file/copied/one-by-one"]


@pytest.mark.parametrize("path", PATHS)
def test_the_answer_is_the_same_in_pieces_as_joined(port: int, path: str) -> None:
    with asked(port, path) as client:
        head, _, body = rest(client).partition(b"\r\n\r\n")
    assert f"content-length: {len(EXPECTED)}".encode() in head
    assert body == EXPECTED
    until(lambda: memory.free == MOST)


def test_answers_follow_each_other_on_one_connection(port: int) -> None:
    with asked(port, *PATHS) as client:
        answers = rest(client).split(b"HTTP/1.1 200 OK\r\n")
    assert answers[0] == b""
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers[1:]] == [EXPECTED] * len(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_takes_its_time_has_all_of_it(port: int, path: str) -> None:
    with reading_slowly(port, path) as client:
        answer = bytearray(client.recv(1000))
        for pause in (0.1, 0.05, 0.02):
            time.sleep(pause)
            answer += client.recv(300_000)
        answer += rest(client)
    assert answer.partition(b"\r\n\r\n")[2] == EXPECTED


def test_a_client_that_takes_its_time_has_what_it_has_taken_let_go_of(port: int) -> None:
    with asked(port, "/memory") as client:
        taken = 0
        while taken < len(EXPECTED) * 3 // 4:
            taken += len(client.recv(100_000))
        until(lambda: memory.free > MOST - len(CONTENT) * 2 // 3)
        rest(client)


def test_what_a_client_has_not_taken_is_neither_sent_nor_let_go_of() -> None:
    async def small(scope: Scope, receive: Receive, send: Send) -> None:
        pieces = [CONTENT[at : at + 65_536] for at in range(0, len(CONTENT), 65_536)]
        memory.overdraw(len(CONTENT))
        text = TextAsItCame(tuple([Span(piece, Held(piece, memory)) for piece in pieces]))
        await PartsResponse([text], {})(scope, receive, send)

    with running(small, http=BoundedProtocol) as url, reading_slowly(int(url.rpartition(":")[2]), "/") as client:
        answer = client.recv(1000)
        time.sleep(0.3)
        assert memory.free < MOST - len(CONTENT) // 4
        answer += rest(client)
    assert answer.partition(b"\r\n\r\n")[2] == CONTENT
    assert memory.free == MOST


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("read", [0, 300_000, 3_000_000])
def test_nothing_is_held_for_a_client_that_has_left(port: int, path: str, read: int) -> None:
    for _ in range(3):
        with asked(port, path, path) as client:
            left = read
            while left > 0:
                left -= len(client.recv(min(left, 65_536)))
            time.sleep(0.02)
    until(lambda: memory.free == MOST)


@pytest.mark.parametrize("body", [PIECES, "body"])
@pytest.mark.parametrize("sent", [[b"12345", b"678901"], [b"1234567890", memoryview(b"1")], [b"x" * 300_000]])
def test_more_than_the_stated_length_is_an_error_and_none_of_it_is_sent(body: str, sent: list[Any]) -> None:
    failed: list[BaseException] = []

    async def overflowing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        try:
            await send(message(body, sent))
        except RuntimeError as wrong:
            failed.append(wrong)
            raise

    with running(overflowing, http=BoundedProtocol) as url, asked(int(url.rpartition(":")[2]), "/") as client:
        assert rest(client).partition(b"\r\n\r\n")[2] == b""
    assert len(failed) == 1


def message(body: str, sent: list[Any]) -> Message:
    given = sent if body == PIECES else b"".join(sent)
    return {"type": "http.response.body", body: given, "more_body": True}


@pytest.mark.parametrize("body", [PIECES, "body"])
def test_less_than_the_stated_length_is_an_error(body: str) -> None:
    failed: list[BaseException] = []

    async def short(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send(message(body, [b"1234", b"56789"]))
        try:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except RuntimeError as wrong:
            failed.append(wrong)
            raise

    with running(short, http=BoundedProtocol) as url, asked(int(url.rpartition(":")[2]), "/") as client:
        assert rest(client).partition(b"\r\n\r\n")[2] == b"123456789"
    assert len(failed) == 1


@pytest.mark.parametrize("early", [True, False])
def test_pieces_before_an_answer_has_begun_and_behind_its_end_are_an_error(early: bool) -> None:
    failed: list[BaseException] = []

    async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
        if not early:
            await PartsResponse([b"fox"], {})(scope, receive, send)
        try:
            await send(message(PIECES, [b""]))
        except RuntimeError as refused:
            failed.append(refused)
        if early:
            await PartsResponse([b"fox"], {})(scope, receive, send)

    with running(wrong, http=BoundedProtocol) as url, asked(int(url.rpartition(":")[2]), "/", "/") as client:
        assert rest(client).count(b"\r\n\r\nfox") == 2
    assert len(failed) == 2
