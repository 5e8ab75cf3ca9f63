"""Requests that two servers could read differently, connections that are held, and clients that do not read."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from app.serving import wire
from app.serving.request_head import HEAD_LINES, TARGET_BYTES
from app.serving.wire import CHUNK_BYTES, HEAD_BYTES, PIPELINED, SMALL_CHUNKS
from tests.integration.app.serving.wire_server import (
    PATIENCE_S,
    Serving,
    assert_refused,
    received_up_to,
    told,
    wire_server,
)

GET = b"GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
"""What a smuggler hides behind a first request."""
POST = b"POST /first HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def serving() -> Iterator[Serving]:
    with wire_server() as server:
        yield server


def early(client: socket.socket, request: bytes = b"GET /early HTTP/1.1\r\nHost: h\r\n\r\n") -> bytes:
    """What is answered before the body is read."""
    client.sendall(request)
    return received_up_to(client, b"early")


@contextmanager
def little_time_for_heads() -> Iterator[None]:
    """For those that begin while the block runs: on a busy machine a connection's first one may take longer."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wire, "HEAD_SECONDS", 0.2)
        yield


SMUGGLED = {
    "length and coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + GET,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + GET,
    "one length twice": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + GET,
    "a list of lengths": POST + b"Content-Length: 0, 0\r\n\r\n" + GET,
    "a signed length": POST + b"Content-Length: +0\r\n\r\n" + GET,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n" + GET,
    "a hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n" + GET,
    "a length with a space": POST + b"Content-Length: 0 0\r\n\r\n" + GET,
    "an empty length": POST + b"Content-Length: \r\n\r\n" + GET,
    "an endless length": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + GET,
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + GET,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + GET,
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + GET,
    "chunked, then another": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + GET,
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "chunked twice in one": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + GET,
    "chunked with a tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + GET,
    "chunked in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + GET,
    "chunked in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n" + GET,
    "a space before the colon": POST + b"Content-Length : 5\r\n\r\n" + GET,
    "a tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + GET,
    "a folded line": POST + b"X: a\r\n Content-Length: 5\r\n\r\n" + GET,
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + GET,
    "a line of its own beginning": b"POST /first HTTP/1.1\r\n Host: h\r\n\r\n" + GET,
    "a bare line feed in the head": b"POST /first HTTP/1.1\nHost: h\n\n" + GET,
    "a bare line feed between headers": POST + b"X: a\nContent-Length: 60\r\n\r\n" + GET,
    "a bare line feed at the end": POST + b"\n" + GET,
    "a bare carriage return": POST + b"X: a\rContent-Length: 60\r\n\r\n" + GET,
    "a zero byte in a value": POST + b"X: a\x00b\r\n\r\n" + GET,
    "a zero byte in a name": POST + b"X\x00: a\r\n\r\n" + GET,
    "no name": POST + b": a\r\n\r\n" + GET,
    "no colon": POST + b"nonsense\r\n\r\n" + GET,
    "a name that is none": POST + b"Content\xa0Length: 5\r\n\r\n" + GET,
    "two hosts": POST + b"Host: other\r\n\r\n" + GET,
    "no host": b"POST /first HTTP/1.1\r\n\r\n" + GET,
    "a size that is none": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n" + GET,
    "a negative size": CHUNKED + b"-1\r\na\r\n0\r\n\r\n" + GET,
    "a size with a space": CHUNKED + b"1 \r\na\r\n0\r\n\r\n" + GET,
    "an endless size": CHUNKED + b"ffffffffffffffffff\r\na\r\n0\r\n\r\n" + GET,
    "a bare line feed after a size": CHUNKED + b"1\na\r\n0\r\n\r\n" + GET,
    "a bare line feed after a chunk": CHUNKED + b"1\r\na\n0\r\n\r\n" + GET,
    "a chunk that is too long": CHUNKED + b"1\r\nab\r\n0\r\n\r\n" + GET,
    "a bare line feed in an extension": CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n" + GET,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + GET,
    "HTTP/2 in disguise": b"GET /first HTTP/2.0\r\nHost: h\r\n\r\n" + GET,
    "HTTP/0.9": b"GET /first\r\n" + GET,
    "HTTP/1.2": b"GET /first HTTP/1.2\r\nHost: h\r\n\r\n" + GET,
    "no version": b"GET /first HTTP\r\nHost: h\r\n\r\n" + GET,
    "a space in the path": b"GET /first /second HTTP/1.1\r\nHost: h\r\n\r\n" + GET,
    "a tab for a space": b"GET\t/first\tHTTP/1.1\r\nHost: h\r\n\r\n" + GET,
    "a method that is none": b"G@T /first HTTP/1.1\r\nHost: h\r\n\r\n" + GET,
    "a method in lower case": b"get /first HTTP/1.1\r\nHost: h\r\n\r\n" + GET,
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_served(serving: Serving, name: str) -> None:
    for pieces in ((SMUGGLED[name],), tuple(SMUGGLED[name][at : at + 7] for at in range(0, len(SMUGGLED[name]), 7))):
        answer = told(serving.port, *pieces)
        assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1, answer
        status = int(answer.split(b" ")[1])
        assert_refused(
            answer,
            status,
            {400: "invalid_request", 501: "transfer_encoding_not_supported", 505: "version_not_supported"}[status],
        )
    assert "/second" not in serving.served


def test_a_trailer_is_no_header(serving: Serving) -> None:
    trailer = b"1\r\na\r\n0\r\nauthorization: Bearer x\r\nx-more: y\r\n\r\n"
    answer = told(serving.port, CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), trailer)
    assert answer.endswith(b"POST /first 1")
    assert b"x-names: connection,host,transfer-encoding\r\n" in answer


def test_more_header_lines_than_anybody_sends_are_refused(serving: Serving) -> None:
    lines = [b"X-%d: a\r\n" % number for number in range(HEAD_LINES - 2)]
    head = b"GET /first HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    assert told(serving.port, head + b"".join(lines) + b"\r\n").endswith(b"GET /first 0")
    assert_refused(told(serving.port, head + b"".join(lines) + b"X: a\r\n\r\n"), 431, "header_too_large")


def test_a_path_longer_than_any_is_refused(serving: Serving) -> None:
    tail = b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert b" 200 " in told(serving.port, b"GET /" + b"a" * (TARGET_BYTES - 1) + tail)
    assert_refused(told(serving.port, b"GET /" + b"a" * TARGET_BYTES + tail), 414, "path_too_long")
    assert_refused(told(serving.port, b"GET /?", *[b"%61" * 300] * (TARGET_BYTES // 900 + 1)), 414, "path_too_long")


def test_a_body_in_crumbs_is_refused(serving: Serving) -> None:
    close = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    crumbs = b"1\r\na\r\n" * SMALL_CHUNKS
    assert told(serving.port, close + crumbs + b"0\r\n\r\n").endswith(b"POST /first %d" % SMALL_CHUNKS)
    assert_refused(told(serving.port, close + crumbs + b"1\r\na\r\n" * 100), 400, "invalid_request")
    size = CHUNK_BYTES * 2
    pieces = (b"%x\r\n" % size + b"a" * size + b"\r\n") * (3 * SMALL_CHUNKS)
    whole = b"POST /first %d" % (3 * SMALL_CHUNKS * size)
    assert told(serving.port, close + pieces + b"0\r\n\r\n").endswith(whole)


def test_extensions_of_chunks_are_bounded_in_all(serving: Serving) -> None:
    chunk = b"1;" + b"e" * 1000 + b"\r\na\r\n"
    assert b" 200 " in told(serving.port, CHUNKED + chunk * 10 + b"0\r\n\r\n" + GET)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        client.sendall(CHUNKED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert client.recv(65536).startswith(b"HTTP/1.1 100")  # the head was read alone, and counts no more
        client.sendall(chunk * (HEAD_BYTES // 1000 + 1))
        with suppress(ConnectionError):
            answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert_refused(answer, 431, "header_too_large")


def test_a_few_requests_may_come_at_once_and_are_answered_in_order(serving: Serving) -> None:
    requests = [b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(PIPELINED)]
    answer = told(serving.port, b"".join(requests) + GET)
    places = [answer.index(b"GET /%d 0" % number) for number in range(PIPELINED)]
    assert places == sorted(places)
    assert answer.endswith(b"GET /second 0")


def test_a_flood_of_requests_on_one_connection_is_cut_off_and_the_first_is_answered(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n" + b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n" * 100)
        serving.until_served("/held")
        serving.release.set()
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1
    assert answer.endswith(b"GET /held 0")
    serving.until_closed()
    assert "/flood" not in serving.served


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("behind", [b"", b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n" * 2])
def test_who_leaves_is_noticed_whatever_was_sent_behind(serving: Serving, behind: bytes, *, at_once: bool) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        watched = b"POST /watched HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
        client.sendall(watched + behind if at_once else watched)
        serving.until_served("/watched")
        if not at_once:
            client.sendall(behind)
    serving.until_served("/watched: left")
    serving.until_closed()
    assert "/second" not in serving.served


def test_what_is_under_way_is_answered_though_nonsense_follows(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n")
        client.sendall(b"more nonsense\r\n\r\n" + GET)
        serving.release.set()
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"GET /held 0")
    assert serving.served == ["/held"]


def test_of_a_refused_request_the_client_may_leave_the_answer_unread(serving: Serving) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n")
        serving.until_served("/held")
    serving.release.set()
    serving.until_closed()


@pytest.mark.parametrize(
    "held",
    [
        b"\r\n",
        b"\r\n\r\n\r\n",
        b"GET",
        b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n1",
        b"POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n",
    ],
)
def test_a_connection_on_which_nothing_is_under_way_is_not_held_by_a_byte_now_and_then(held: bytes) -> None:
    with wire_server() as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            received = early(client)
            with little_time_for_heads():
                client.sendall(held)
                with suppress(ConnectionError):
                    while piece := client.recv(65536):
                        received += piece
                        if received.count(b"early") == 2:
                            client.sendall(b"2")  # one more byte of a body nobody waits for
        serving.until_closed()


def test_half_a_head_behind_a_request_under_way_ends_the_connection_behind_its_answer() -> None:
    with wire_server() as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            early(client)
            with little_time_for_heads():
                client.sendall(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\nGET /second HTTP/1.1\r\nHo")
                serving.until_served("/held")
                serving.until_last()
            serving.release.set()
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.endswith(b"GET /held 0")
        assert b"connection: close" in answer.partition(b"\r\n\r\n")[0]
        serving.until_closed()


def test_a_head_has_its_time_from_its_own_first_byte_on() -> None:
    with wire_server(head_s=6.0) as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            for piece in (b"\r\n", b"GET /early HTTP/1.1\r\n"):
                client.sendall(piece)
                time.sleep(3.5)
            client.sendall(b"Host: h\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.endswith(b"early")


def test_an_idle_connection_is_closed_though_a_body_nobody_wanted_came_first() -> None:
    with wire_server(keep_alive_s=3) as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            early(client, b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
            client.sendall(b"abc")
            assert client.recv(65536) == b""
        serving.until_closed()


def test_a_client_that_reads_nothing_is_dropped() -> None:
    with wire_server(stall_s=0.2, keep_alive_s=90) as serving, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", serving.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
        serving.until_served("/large")
        serving.until_closed()


def test_a_closed_connection_does_not_wait_for_its_client_to_read() -> None:
    with wire_server(stall_s=0.2, keep_alive_s=0) as serving, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", serving.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        serving.until_served("/large")
        serving.until_closed()


def test_an_answer_that_ends_the_connection_is_seen_by_who_is_still_sending() -> None:
    size = 24_000_000
    with wire_server() as serving, socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        client.sendall(b"POST /early HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            client.sendall(b"x" * 100_000)
        received = b""
        while piece := client.recv(65536):
            received += piece
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.endswith(b"early")
        client.close()
        serving.until_closed()
        assert serving.served == ["/early"]


def test_the_rest_of_a_body_behind_such_an_answer_is_not_waited_for_without_end() -> None:
    with (
        wire_server(linger_s=0.1, keep_alive_s=90) as serving,
        socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client,
    ):
        client.sendall(b"POST /early HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 99\r\n\r\nx")
        received = b""
        while piece := client.recv(65536):
            received += piece
        assert received.endswith(b"early")
        serving.until_closed()  # though the client neither sends nor leaves
