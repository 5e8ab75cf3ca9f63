"""A caller of any manner: against a server that writes down what reached it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.rig.caller import Call, Manner, call

BODY = b"x" * 100_000


class Server:
    """Answers each request with 100 kB once it is whole."""

    def __init__(self, answer: bytes) -> None:
        self.url = ""
        self.received = bytearray()
        self.over = asyncio.Event()
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while b"\r\n\r\n" not in self.received or len(self.received) < len(BODY):
                piece = await reader.read(65536)
                if not piece:
                    return
                self.received += piece
            writer.write(self._answer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.over.set()


GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\nX-Request-Id: r\r\n\r\n" + BODY


@asynccontextmanager
async def serving(answer: bytes = GOOD) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        listening.close()


async def test_a_plain_caller_sends_all_and_hears_all() -> None:
    async with serving() as server:
        heard = await call(server.url, Call("/a", BODY, {"x-a": "b"}))
    assert (heard.status, heard.body, heard.whole, heard.trouble) == (200, BODY, True, "")
    assert heard.headers["x-request-id"] == "r"
    assert server.received.startswith(b"POST /a HTTP/1.1\r\n")
    assert b"\r\nx-a: b\r\n" in server.received
    assert server.received.endswith(BODY)


@pytest.mark.parametrize("share", [0.0005, 0.5])
async def test_one_who_leaves_while_sending_has_sent_just_that(share: float) -> None:
    async with serving() as server:
        heard = await call(server.url, Call("/a", BODY), Manner(leaves_at_sent=share))
        await asyncio.wait_for(server.over.wait(), 5.0)
    assert heard.left
    assert len(server.received) == pytest.approx(share * 100_100, rel=0.01, abs=30)


async def test_one_who_leaves_while_waiting_or_reading_is_no_failure() -> None:
    async with serving(b"") as silent:
        assert (await call(silent.url, Call("/a", b"x"), Manner(leaves_after_s=0.05))).left
    async with serving() as server:
        heard = await call(server.url, Call("/a", BODY), Manner(leaves_at_read=1000))
        assert heard.left
        assert 1000 <= len(heard.body) < len(BODY)


async def test_slow_ones_come_to_their_end() -> None:
    async with serving() as server:
        heard = await call(server.url, Call("/a", BODY), Manner(sends_per_s=2e6, reads_per_s=2e6))
    assert heard.whole
    assert server.received.endswith(BODY)


async def test_what_goes_wrong_is_heard() -> None:
    async with serving(GOOD[:-10]) as short:
        cut = await call(short.url, Call("/a", BODY))
    assert (cut.whole, cut.trouble) == (False, "RemoteProtocolError")
    nobody = await call(short.url, Call("/a"))
    assert nobody.trouble == "ConnectionRefusedError"
    async with serving(b"") as silent:
        forgotten = await call(silent.url, Call("/a", b"x"), patience_s=0.05)
    assert forgotten.trouble == "unanswered"
