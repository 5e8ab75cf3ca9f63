"""A reply that nobody asked for is nobody's answer: what lies behind a reply's last byte ends its connection."""

from __future__ import annotations

import asyncio
from itertools import count

import aiohttp
import pytest

from providers.connections import Connections
from providers.credentials import StaticKey
from providers.direct import BODY_BYTES
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall
from providers.transport import Transport
from tests.integration.providers.loopback import Handler, Loopback, Peer, Seen

KEY = StaticKey("Authorization", "canary", scheme="Key")
UNASKED = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nanother"
CALLS = {
    "small, past the session": HttpCall("POST", "/", body=(b"{}",)),
    "large": HttpCall("POST", "/", body=(b"x" * (BODY_BYTES + 1),)),
    "read": HttpCall("GET", "/"),
    "image": HttpCall("GET", "/", wants_image=True),
}


def numbered(size: int, unasked: bytes, *, apart: bool) -> Handler:
    """Each reply says which one it is. ``unasked`` comes in one piece with the body, or with all of the reply."""
    numbers = count(1)

    async def handle(seen: Seen, peer: Peer) -> None:
        body = b"%d" % next(numbers) + b" " * size
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
        if apart:
            await peer.send(head)
            await asyncio.sleep(0.02)
            head = b""
        await peer.send(head + body + unasked)

    return handle


async def said(transport: Transport, server: Loopback, call: HttpCall) -> bytes:
    reply = await transport.send(call, Endpoint("vendor", server.base_url), KEY)
    return (reply.body if reply.blob is None else reply.blob.read()).strip()


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("size", [0, 1000, 100_000])
@pytest.mark.parametrize("name", CALLS)
async def test_a_reply_that_nobody_asked_for_is_not_the_next_answer(
    server: Loopback, transport: Transport, name: str, size: int, apart: bool
) -> None:
    server.handler = numbered(size, UNASKED, apart=apart)
    assert [await said(transport, server, CALLS[name]) for _ in range(3)] == [b"1", b"2", b"3"]
    assert server.accepted == 3


@pytest.mark.parametrize("name", CALLS)
async def test_one_connection_is_enough_where_nothing_else_comes(
    server: Loopback, transport: Transport, name: str
) -> None:
    server.handler = numbered(1000, b"", apart=True)
    assert [await said(transport, server, CALLS[name]) for _ in range(3)] == [b"1", b"2", b"3"]
    assert server.accepted == 1


async def test_what_comes_while_a_connection_waits_ends_it(server: Loopback, transport: Transport) -> None:
    server.handler = numbered(10, b"", apart=False)
    call = CALLS["small, past the session"]
    assert await said(transport, server, call) == b"1"
    (peer,) = server.peers.values()
    await peer.send(UNASKED)
    await asyncio.sleep(0.05)
    assert await said(transport, server, call) == b"2"
    assert server.accepted == 2


async def test_a_server_that_speaks_first_is_given_up(monkeypatch: pytest.MonkeyPatch, server: Loopback) -> None:
    really = aiohttp.TCPConnector.connect

    async def late(self: Connections, *args: object) -> object:
        connection = await really(self, *args)  # type: ignore[arg-type]
        assert connection.protocol is not None
        connection.protocol.data_received(UNASKED)
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", late)
    async with aiohttp.ClientSession(connector=Connections()) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.base_url)
    assert server.requests == []
