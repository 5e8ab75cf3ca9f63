"""Answers out of a file: the same bytes, at the client's pace, and nothing left open whatever the client does."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from errno import EINVAL, EMFILE
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from app.doors.reply import ZERO_COPY, PartsResponse
from app.serving.from_file import send_from_file
from app.serving.wire import BoundedProtocol
from benchmarks.rig.vitals import links
from providers.mapped import MappedFile
from tests.servers import running
from tests.waiting import until

LENGTH = 9_000_001
CONTENT = os.urandom(1 << 16) * (LENGTH // (1 << 16) + 1)
PATIENCE_S = 20.0


def lying(length: int = LENGTH) -> MappedFile:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(CONTENT[:length])
        return MappedFile.of(file, length)


LYING = lying()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert ZERO_COPY in scope["extensions"]
    if scope["path"] == "/copied":
        scope["extensions"] = {}
    text = memoryview(LYING)[5:-7]
    await PartsResponse((b'{"b64_json":"', text, b'"}'), {})(scope, receive, send)


EXPECTED = b'{"b64_json":"' + CONTENT[5 : LENGTH - 7] + b'"}'


@pytest.fixture
def port() -> Iterator[int]:
    with running(app, http=BoundedProtocol) as url:
        yield int(url.rpartition(":")[2])


def asked(port: int, *paths: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    *first, last = paths
    requests = [f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" for path in first]
    requests.append(f"POST {last} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    client.sendall("".join(requests).encode())
    return client


def rest(client: socket.socket) -> bytes:
    answer = bytearray()
    while piece := client.recv(1 << 20):
        answer += piece
    return bytes(answer)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that each call of the system sent out of a file."""
    counts: list[int] = []
    really = os.sendfile

    def counted(*args: int) -> int:
        counts.append(really(*args))
        return counts[-1]

    monkeypatch.setattr(os, "sendfile", counted)
    return counts


class Connections:
    """Those the server has had. Their descriptors alone are counted, and the file's: other tests leave some of their
    own to the collector."""

    def __init__(self) -> None:
        self._sockets: set[str] = set()
        self._file = str(Path(f"/proc/self/fd/{LYING.descriptor}").readlink())
        self._at_first = self._open()[self._file]

    def made(self, descriptor: int) -> None:
        self._sockets.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def ended(self, count: int) -> bool:
        """There were so many, and nothing is open any more of one of them, nor of the file for its sake."""
        now = self._open()
        assert len(self._sockets) <= count
        return len(self._sockets) == count and not now.keys() & self._sockets and now[self._file] == self._at_first

    @staticmethod
    def _open() -> Counter[str]:
        """How many descriptors lead to what: a duplicate leads to the same."""
        return Counter(links(Path("/proc/self/fd")))


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """What comes of them; for a server without any so far."""
    all_of_them = Connections()
    really = BoundedProtocol.connection_made

    def connection_made(self: BoundedProtocol, transport: asyncio.Transport) -> None:
        all_of_them.made(transport.get_extra_info("socket").fileno())
        really(self, transport)

    monkeypatch.setattr(BoundedProtocol, "connection_made", connection_made)
    return all_of_them


@pytest.mark.parametrize("path", ["/sent", "/copied"])
def test_the_answer_is_the_same_from_the_file_as_copied(port: int, path: str, sent: list[int]) -> None:
    with asked(port, path) as client:
        head, _, body = rest(client).partition(b"\r\n\r\n")
    assert f"content-length: {len(EXPECTED)}".encode() in head
    assert body == EXPECTED
    assert sum(sent) == (LENGTH - 12 if path == "/sent" else 0)


@pytest.mark.parametrize("at", [0, 1, 5])
def test_what_the_system_does_not_send_out_of_a_file_is_read(
    port: int, at: int, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.sendfile

    def refused(connection: int, file: int, offset: int, count: int) -> int:
        if len(sent) >= at:
            raise OSError(EINVAL, "not from this file")
        return really(connection, file, offset, min(count, 100_000))

    monkeypatch.setattr(os, "sendfile", refused)
    with asked(port, "/sent", "/sent") as client:
        assert rest(client).count(EXPECTED) == 2


def test_without_a_descriptor_to_wait_with_the_rest_is_read(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: int) -> int:
        raise OSError(EMFILE, "too many open files")

    monkeypatch.setattr(os, "dup", none_left)
    with asked(port, "/sent") as client:
        first = client.recv(1000)
        time.sleep(0.3)
        assert (first + rest(client)).endswith(EXPECTED)


def test_answers_follow_each_other_on_one_connection(port: int) -> None:
    with asked(port, "/sent", "/copied", "/sent") as client:
        answer = rest(client)
    assert answer.count(b"HTTP/1.1 200 OK") == answer.count(EXPECTED) == 3


def test_a_client_that_takes_its_time_has_all_of_it(port: int) -> None:
    with asked(port, "/sent") as client:
        first = client.recv(1000)
        time.sleep(0.3)
        assert (first + rest(client)).endswith(EXPECTED)


@pytest.mark.parametrize("read", [0, 500_000])
def test_a_client_that_leaves_leaves_nothing_open(port: int, read: int, connections: Connections) -> None:
    for _ in range(5):
        with asked(port, "/sent") as client:
            left = read
            while left > 0:
                left -= len(client.recv(min(left, 65536)))
            time.sleep(0.02)
    until(lambda: connections.ended(5))


def test_a_client_that_says_no_more_and_does_not_read_leaves_nothing_open_either(
    port: int, connections: Connections
) -> None:
    with asked(port, "/sent") as client:
        client.recv(1000)
        client.shutdown(socket.SHUT_WR)
        until(lambda: connections.ended(1))


def kept(_: Callable[[], None]) -> Callable[[], None]:
    return lambda: None


async def test_a_file_that_is_too_short_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile(buffering=0) as file:
        ours.setblocking(False)
        file.write(b"fox")
        with pytest.raises(RuntimeError, match="ends before"):
            await send_from_file(ours.fileno(), file.fileno(), 1, 5, kept)
        assert theirs.recv(10) == b"ox"


async def test_who_is_told_that_the_connection_is_lost_waits_no_longer() -> None:
    ours, theirs = socket.socketpair()
    told: list[Callable[[], None]] = []
    asked = asyncio.Event()

    def when_lost(call: Callable[[], None]) -> Callable[[], None]:
        told.append(call)
        asked.set()
        return lambda: told.remove(call)

    with ours, theirs, tempfile.TemporaryFile(buffering=0) as file:
        ours.setblocking(False)
        file.write(CONTENT)
        sending = asyncio.create_task(send_from_file(ours.fileno(), file.fileno(), 0, LENGTH, when_lost))
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        told[0]()
        await asyncio.wait_for(sending, PATIENCE_S)
        assert not told


async def test_a_client_that_is_gone_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, tempfile.TemporaryFile(buffering=0) as file:
        ours.setblocking(False)
        file.write(CONTENT)
        await send_from_file(ours.fileno(), file.fileno(), 0, LENGTH, kept)
