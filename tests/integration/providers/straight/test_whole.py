"""Large replies of known length are read past the HTTP library, whole, and nothing but them."""

from __future__ import annotations

import asyncio
import base64
import gzip

import pytest
from aiohttp.client_proto import ResponseHandler

from providers import straight
from providers.blobs import cut
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Trust
from providers.straight import PIECE_BYTES, READ_BYTES
from providers.transport import Transport
from providers.transport_limits import TransportLimits
from tests.integration.providers.internet import HERE, internet
from tests.integration.providers.loopback import Handler, Loopback, Peer, Seen, answers, loopback, routes
from tests.integration.providers.straight.replies import (
    BEYOND,
    IMAGE,
    KEY,
    LARGE,
    MIB,
    NOISE,
    POST,
    image,
    until,
    whole,
)

AROUND = [
    at + by for at in (READ_BYTES, PIECE_BYTES, MIB, MIB + READ_BYTES, 4 * MIB, 5 * MIB) for by in (-1, 0, 1, 1000)
]


@pytest.mark.parametrize("step", [6 * MIB, 100_001, READ_BYTES])
async def test_a_body_of_any_length_in_any_pieces_is_what_was_sent_and_leaves_the_connection_to_the_next(
    server: Loopback, transport: Transport, readings: list[straight._Reading], step: int
) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        body = NOISE[: AROUND[len(server.requests) - 1]]
        await peer.answer(body[:50], length=len(body))
        for at in range(50, len(body), step):
            await peer.send(body[at : min(at + step, len(body))])

    server.handler = answer
    for length in AROUND:
        assert await image(transport, server) == NOISE[:length]
    assert server.accepted == 1
    assert len(readings) >= len([length for length in AROUND if length >= MIB])


async def test_pictures_are_cut_out_as_of_a_body_that_lies_in_one_piece(
    server: Loopback, transport: Transport, readings: list[straight._Reading]
) -> None:
    text = base64.b64encode(NOISE[: 2 * MIB])
    body = b'{"parts": [{"a": "%b"}, {"b": "\\u00e9 \\"x\\""}, {"c": "%b"}]}' % (text, text)
    server.handler = whole(body)
    reply = await transport.send(POST, Endpoint("vendor", server.base_url), KEY)
    skeleton, blobs = cut(body)
    assert reply.body == skeleton
    assert [blob.read() for blob in reply.blobs] == [blob.read() for blob in blobs] == [NOISE[: 2 * MIB]] * 2
    assert len(readings) == 1


async def test_several_at_once_each_get_their_own(server: Loopback, transport: Transport) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(NOISE[peer.number :])

    server.handler = answer
    bodies = await asyncio.gather(*(image(transport, server) for _ in range(6)))
    assert sorted(bodies) == sorted(NOISE[number:] for number in range(1, 7))


@pytest.mark.parametrize("says", [True, False])
async def test_a_connection_that_ends_with_the_body_is_not_used_again(
    server: Loopback, transport: Transport, says: bool
) -> None:
    async def ending(seen: Seen, peer: Peer) -> None:
        await peer.answer(LARGE, headers={"connection": "close"} if says else {})
        peer.close()

    server.handler = answers(ending, whole())
    assert await image(transport, server) == LARGE
    await server.all_closed()
    assert await image(transport, server) == LARGE
    assert server.accepted == 2


async def chunked(_seen: Seen, peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % len(LARGE))
    await peer.send(LARGE + b"\r\n0\r\n\r\n")


async def packed(_seen: Seen, peer: Peer) -> None:
    await peer.answer(gzip.compress(LARGE, 1), headers={"content-encoding": "gzip"})


@pytest.mark.parametrize("answer", [chunked, packed])
async def test_what_only_the_library_can_read_it_reads(
    server: Loopback, transport: Transport, readings: list[straight._Reading], answer: Handler
) -> None:
    server.handler = answer
    assert [await image(transport, server), await image(transport, server)] == [LARGE] * 2
    assert (readings, server.accepted) == ([], 1)


async def test_of_an_error_no_more_is_read_than_is_wanted(
    server: Loopback, transport: Transport, readings: list[straight._Reading]
) -> None:
    server.handler = whole(LARGE, 500)
    reply = await transport.send(IMAGE, Endpoint("vendor", server.base_url), KEY)
    assert (reply.status, reply.body, readings) == (500, LARGE[: TransportLimits().error_bytes], [])


async def test_a_picture_behind_a_redirect_comes_the_same_way_over_tls(
    transport: Transport, readings: list[straight._Reading]
) -> None:
    with internet() as net:
        async with loopback(tls=net.serving("media.test")) as media:
            net.ports[HERE] = media.port
            media.handler = routes({"GET /1": whole(b"", 302, location="/2"), "GET /2": whole()})
            where = Endpoint("vendor", "https://api.test", frozenset({"media.test"}))
            call = HttpCall("GET", "https://media.test/1", Trust.RESPONSE, wants_image=True)
            for _ in range(2):
                reply = await transport.send(call, where, KEY)
                assert reply.blob is not None
                assert reply.blob.read() == LARGE
            assert (len(readings), media.accepted) == (2, 1)
            await transport.close()
            await media.all_closed()


async def test_what_comes_while_nothing_was_asked_is_not_taken_for_the_next_answer(
    server: Loopback, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[bytes] = []
    received = ResponseHandler.data_received

    def noticed(self: ResponseHandler, data: bytes) -> None:
        came.append(bytes(data))
        received(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", noticed)
    server.handler = whole()
    assert await image(transport, server) == LARGE
    await server.peers[1].send(BEYOND)
    await until(lambda: BEYOND in came)
    assert await image(transport, server) == LARGE


async def test_what_follows_the_body_is_neither_part_of_it_nor_the_next_answer(
    server: Loopback, transport: Transport
) -> None:
    async def more(seen: Seen, peer: Peer) -> None:
        await peer.answer(LARGE + BEYOND, length=len(LARGE))

    server.handler = answers(more, whole())
    assert [await image(transport, server), await image(transport, server)] == [LARGE] * 2
