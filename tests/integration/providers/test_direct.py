"""Small POSTs go past the HTTP library's session, and nobody can tell but by the work that is saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from providers import direct
from providers.credentials import StaticKey
from providers.direct import BODY_BYTES, Direct, DirectReply
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Unanswered
from providers.transport import Transport
from providers.transport_limits import TransportLimits
from tests.integration.providers.loopback import Loopback, Peer, Seen, hang

KEY = StaticKey("X-Goog-Api-Key", "canary-3f9a")
BODY = b'{"prompt":"a fox"}'
CALLS = [
    HttpCall("POST", "/v1/make", body=(BODY,)),
    HttpCall("POST", "/v1/make?alt=sse&x=%2B", body=(b"{}",), headers={"content-type": "application/json; x=1"}),
    HttpCall("POST", "/", body=(b"",), headers={"Accept": "image/png", "User-Agent": "mine", "X-Other": "100%d"}),
    HttpCall(
        "POST", "/twice", body=(b"{}",), headers={"x-one": "1", "X-One": "2", "user-agent": "a", "User-Agent": "b"}
    ),
    HttpCall("POST", "/half", body=(b"{}",), headers={"x-half": "a\ud800b"}),
    HttpCall("POST", "/ä", body=(b"x" * BODY_BYTES,), headers={"Host": "other.test", "x-goog-api-key": "mine"}),
]


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[DirectReply]:
    """Replies to what was sent directly."""
    replies: list[DirectReply] = []
    post = Direct.post

    async def noticed(*args: object, **named: object) -> DirectReply:
        replies.append(await post(*args, **named))  # type: ignore[arg-type]
        return replies[-1]

    monkeypatch.setattr(Direct, "post", noticed)
    return replies


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that keeps each request as it came, byte by byte."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        heard.append(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def test_this_version_of_the_library_is_known() -> None:
    """If this fails: the library was updated. See that all of this file holds with its version, then name it."""
    async with aiohttp.ClientSession() as session:
        assert Direct.of(session, 1) is not None


async def test_with_another_version_the_library_does_it_all(
    server: Loopback, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_KNOWN", "0.0.0")
    reply = await transport.send(CALLS[0], Endpoint("vendor", server.base_url), KEY)
    assert (reply.status, server.requests[0].body, transport._direct) == (200, BODY, {})


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.url)
async def test_every_byte_is_the_one_the_library_would_have_sent(
    monkeypatch: pytest.MonkeyPatch, call: HttpCall, posted: list[DirectReply]
) -> None:
    async with listener() as (url, heard):
        for known in (aiohttp.__version__, "0.0.0", aiohttp.__version__):
            monkeypatch.setattr(direct, "_KNOWN", known)
            transport = Transport()
            await transport.send(call, Endpoint("vendor", url), KEY)
            await transport.close()
    assert heard[0] == heard[1] == heard[2]
    assert b"canary-3f9a" in heard[0]
    assert len(posted) == 2


async def test_each_call_has_its_own_body_length_and_credential(server: Loopback, transport: Transport) -> None:
    where = Endpoint("vendor", server.base_url)
    for secret, body in (("one", b"{}"), ("one", b'{"a": 1}'), ("two", b"{}")):
        await transport.send(HttpCall("POST", "/v1/make", body=(body,)), where, StaticKey("Authorization", secret))
    assert [(seen.headers["authorization"], seen.body) for seen in server.requests] == [
        ("one", b"{}"),
        ("one", b'{"a": 1}'),
        ("two", b"{}"),
    ]


@pytest.mark.parametrize(
    "call",
    [
        HttpCall("GET", "/x"),
        HttpCall("POST", "/x"),
        HttpCall("PUT", "/x", body=(b"{}",)),
        HttpCall("POST", "/x", body=(b"{}",), events=True),
        HttpCall("POST", "/x", body=(b"x" * (BODY_BYTES + 1),)),
    ],
    ids=["get", "no body", "put", "events", "large"],
)
async def test_every_other_call_is_the_librarys_and_has_the_same_connections(
    server: Loopback, transport: Transport, call: HttpCall, posted: list[DirectReply]
) -> None:
    where = Endpoint("vendor", server.base_url)
    await transport.send(CALLS[0], where, KEY)
    await transport.send(call, where, KEY)
    await transport.send(CALLS[0], where, KEY)
    assert len(posted) == 2
    assert [seen.connection for seen in server.requests] == [1, 1, 1]


@pytest.mark.parametrize("bad", ["a\r\nx-evil: 1", "a\nb", "a\x00"])
async def test_a_header_that_could_be_several_is_not_sent(server: Loopback, transport: Transport, bad: str) -> None:
    call = HttpCall("POST", "/x", body=(BODY,), headers={"x-asked": bad})
    with pytest.raises(ValueError, match="control character"):
        await transport.send(call, Endpoint("vendor", server.base_url), KEY)
    assert server.accepted == 0


@pytest.mark.parametrize("base", ["ftp://127.0.0.1:1", "http://me:secret@127.0.0.1:1"])
async def test_a_url_that_says_more_than_where_is_not_used(transport: Transport, base: str) -> None:
    with pytest.raises(Unanswered) as failed:
        await transport.send(CALLS[0], Endpoint("vendor", base), KEY)
    assert (failed.value.reason, failed.value.sent) == ("not a usable URL", False)


async def test_provisional_replies_are_passed_over(server: Loopback, transport: Transport) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await peer.json({"ok": True})

    server.handler = answer
    for _ in range(2):
        assert (await transport.send(CALLS[0], Endpoint("vendor", server.base_url), KEY)).json() == {"ok": True}
    assert server.accepted == 1


@pytest.mark.parametrize(("limit_s", "noticed"), [(None, True), (5.0, True), (0.1, False)])
async def test_silence_is_looked_for_unless_whoever_waits_ends_it_first(
    server: Loopback, limit_s: float | None, noticed: bool
) -> None:
    server.handler = hang
    transport = Transport(limits=TransportLimits(read_s=0.15))
    waiting = asyncio.create_task(transport.open(CALLS[0], Endpoint("vendor", server.base_url), KEY, limit_s=limit_s))
    done, _ = await asyncio.wait({waiting}, timeout=10.0 if noticed else 0.6)
    assert bool(done) is noticed
    if noticed:
        failed = waiting.exception()
        assert isinstance(failed, Unanswered)
        assert (failed.reason, failed.sent) == ("silence for too long", True)
    else:
        waiting.cancel()
        await asyncio.wait({waiting})
    await server.all_closed()
    await transport.close()


async def test_a_body_that_comes_later_than_its_head_is_read_and_the_connection_kept(
    server: Loopback, transport: Transport
) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"", length=len(BODY))
        for at in range(len(BODY)):
            await peer.send(BODY[at : at + 1])
            await asyncio.sleep(0)

    server.handler = answer
    for _ in range(2):
        assert (await transport.send(CALLS[0], Endpoint("vendor", server.base_url), KEY)).body == BODY
    assert server.accepted == 1
