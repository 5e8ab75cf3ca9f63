"""Uploads over real sockets: what is right is read, what is not gets its answer, and the server outlives all of it."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
MIB = 1024 * 1024
SMALL = b"\x89PNG" * 100
PEAK_MIB = 220
"""Resident memory the server may have at its peak, mapped files included: it begins with some 50 MiB, one body takes up
to 25 more, and the largest upload that is read, 96 MiB, is looked at while mapped. Refused ones may be endless."""


@dataclass(frozen=True, slots=True)
class Server:
    port: int

    def state(self) -> dict[str, int]:
        answer: dict[str, int] = httpx.get(f"http://127.0.0.1:{self.port}/state").json()
        return answer

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    spools = tmp_path_factory.mktemp("spools")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.app.upload_server", str(spools)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Server(int(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(30) == 0
    assert list(spools.iterdir()) == []


@pytest.fixture(autouse=True)
def _alive_and_lean(server: Server) -> Iterator[None]:
    yield
    answer = httpx.post(f"http://127.0.0.1:{server.port}/", json={"prompt": "still there"})
    assert answer.json() == {"multipart": False, "document": {"prompt": "still there"}}
    state = server.state()
    print(f"peak {state['VmHWM'] // 1024} MiB, now {state['RssAnon'] // 1024} MiB of its own")
    assert state["VmHWM"] < PEAK_MIB * 1024


def head(*headers: str, type: str = "multipart/form-data; boundary=b") -> bytes:
    lines = ("POST / HTTP/1.1", "Host: x", f"Content-Type: {type}", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def opened(name: str, filename: str = "") -> bytes:
    file = f'; filename="{filename}"\r\nContent-Type: application/octet-stream' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()


def file(name: str, length: int) -> Iterator[bytes]:
    yield opened(name, "ä.png")
    for _ in range(length // MIB):
        yield bytes(MIB)
    yield bytes(length % MIB) + b"\r\n"


def chunked(pieces: Iterable[bytes], *, end: bool = True) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
    if end:
        yield b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    document: Any
    sent_all: bool
    """The client could write all it had before the connection ended."""


def exchanged(server: Server, start: bytes, pieces: Iterable[bytes], *, half_close: bool = False) -> Answer:
    """Write all of it, as simple clients do, and only then read the answer."""
    with server.connect() as connection:
        sent_all = True
        try:
            connection.sendall(start)
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            sent_all = False
        response = connection.makefile("rb")
        status = int(response.readline().split()[1])
        headers = {}
        while line := response.readline().strip().decode():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return Answer(status, headers, json.loads(response.read(int(headers["content-length"]))), sent_all)


def refusal(answer: Answer) -> tuple[int, str | None, str | None]:
    error = answer.document["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return answer.status, error["param"], error["code"]


CHUNKED = "Transfer-Encoding: chunked"


def test_sixteen_large_files_in_chunks_are_read_and_never_lie_in_memory(server: Server) -> None:
    before = server.state()["RssAnon"]
    parts = [piece for _ in range(16) for piece in file("image[]", 6 * MIB)]
    answer = exchanged(server, head(CHUNKED), chunked([*parts, opened("prompt"), b"night\r\n--b--\r\n"]))
    assert answer.status == 200
    assert answer.document["document"]["prompt"] == "night"
    digest = {"length": 6 * MIB, "sha256": hashlib.sha256(bytes(6 * MIB)).hexdigest()}
    assert answer.document["document"]["image"] == [digest] * 16
    # The test's own look at each image reads it whole, two at a time.
    assert server.state()["RssAnon"] - before < 60 * 1024


def test_large_data_urls_in_json_are_read_and_never_lie_in_memory(server: Server) -> None:
    picture = bytes(range(256)) * 24_000
    url = b'{"image_url": "data:image\\/png;base64,' + base64.b64encode(picture).replace(b"/", b"\\/") + b'"}'
    pieces = [b'{"prompt": "night", "images": [', *([url + b","] * 7), url, b"]}"]
    answer = exchanged(server, head(CHUNKED, type="application/json"), chunked(pieces))
    assert answer.status == 200
    digest = {"length": len(picture), "sha256": hashlib.sha256(picture).hexdigest()}
    assert answer.document["document"]["images"] == [{"image_url": digest}] * 8


@pytest.mark.parametrize("stated", [True, False])
def test_a_file_of_sixty_megabytes_is_a_413_and_the_connection_stays(server: Server, stated: bool) -> None:
    parts = [*file("image", 60 * 1000 * 1000), b"--b--\r\n"]
    if stated:
        answer = exchanged(server, head(f"Content-Length: {sum(map(len, parts))}"), parts)
    else:
        answer = exchanged(server, head(CHUNKED), chunked(parts))
    assert refusal(answer) == (413, "image", "request_too_large")
    assert "52,428,800" in answer.document["error"]["message"]
    assert answer.sent_all
    assert "connection" not in answer.headers


def test_seventeen_files_are_a_400_naming_image(server: Server) -> None:
    parts = [piece for _ in range(17) for piece in file("image", MIB)]
    answer = exchanged(server, head(CHUNKED), chunked([*parts, b"--b--\r\n"]))
    assert refusal(answer) == (400, "image", "invalid_value")
    assert answer.sent_all


def test_ten_thousand_parts_are_a_400(server: Server) -> None:
    parts = [opened(f"field{n}") + b"x\r\n" for n in range(10_000)]
    answer = exchanged(server, head(CHUNKED), chunked([b"".join(parts), b"--b--\r\n"]))
    assert refusal(answer)[:2] == (400, "body")
    assert answer.sent_all


def test_an_endless_header_is_a_400_while_it_still_comes(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        yield b"--b\r\nContent-Disposition: form-data; name="
        while True:
            yield b"x" * MIB

    answer = exchanged(server, head(CHUNKED), chunked(endless()))
    assert refusal(answer)[:2] == (400, "body")
    assert answer.headers["connection"] == "close"
    assert not answer.sent_all


def test_a_file_that_never_ends_is_a_413_and_the_connection_is_closed(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        yield opened("image", "a")
        while True:
            yield bytes(MIB)

    answer = exchanged(server, head(CHUNKED), chunked(endless()))
    assert refusal(answer)[0] == 413
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("length", [300, 3 * MIB])
def test_a_form_that_lacks_its_end_is_a_400(server: Server, length: int) -> None:
    answer = exchanged(server, head(CHUNKED), chunked([opened("image", "a"), bytes(length)]))
    assert refusal(answer)[:2] == (400, "body")


def test_senders_that_leave_in_the_middle_leave_nothing_behind(server: Server) -> None:
    before = server.state()["files"]
    for _ in range(30):
        with server.connect() as connection:
            connection.sendall(head(CHUNKED) + b"".join(chunked([opened("image", "a"), bytes(2 * MIB)], end=False)))
    give_up = time.monotonic() + 20
    while server.state()["files"] > before:  # the server learns of each in its own time
        assert time.monotonic() < give_up


def test_a_length_beyond_all_limits_is_refused_before_the_client_sends_anything(server: Server) -> None:
    answer = exchanged(server, head("Content-Length: 5000000000", "Expect: 100-continue"), [])
    assert refusal(answer) == (413, None, "request_too_large")
    assert answer.headers["connection"] == "close"


def test_a_client_that_asks_first_is_told_to_go_on(server: Server) -> None:
    body = opened("prompt") + b"night\r\n--b--\r\n"
    with server.connect() as connection:
        connection.sendall(head(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_another_request_on_the_connection_of_a_refused_one_is_served(server: Server) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        for _ in range(3):
            refused = client.post("/", files=[("image", ("a", SMALL))] * 17)
            assert refused.status_code == 400
            served = client.post("/", files={"image": ("a", SMALL)}, data={"prompt": "x"})
            assert served.json()["document"]["image"]["length"] == len(SMALL)
