"""Transport over real sockets: credentials, replies of every shape, and connections that break."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rig.ports import held_port
from providers.blobs import Base64Blob, MemoryBlob
from providers.credentials import StaticKey
from providers.mapped import is_mapped
from providers.pieced import PiecedText
from providers.spec.adapter import Endpoint
from providers.spec.conversation import AsBase64, HttpCall, Raw, Reply, Trust, Unanswered, json_body
from providers.spool import STATED_THRESHOLD, SpoolFailedError
from providers.transport import Transport
from providers.transport_limits import TransportLimits
from tests.integration.providers.loopback import Loopback, Peer, Seen, answers, hang, loopback, texts_of

CANARY = "canary-3f9a"
KEY = StaticKey("Authorization", CANARY, scheme="Key")
PICTURE = bytes(range(256)) * 8192
"""2 MB."""
GET = HttpCall("GET", "/v1/status")
POST = HttpCall("POST", "/v1/make", body=(b'{"prompt":"a fox"}',), commits=True)
PATIENT = TransportLimits(read_s=20.0)
"""For what is not to take long, but may on a busy machine."""


@pytest.fixture
async def transport(tmp_path: Path) -> AsyncIterator[Transport]:
    carrying = Transport(spool_dir=tmp_path, limits=PATIENT)
    yield carrying
    await carrying.close()


def endpoint(server: Loopback, prefix: str = "") -> Endpoint:
    return Endpoint("vendor", server.base_url + prefix, frozenset({"media.test"}))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def failure(transport: Transport, call: HttpCall, where: Endpoint) -> Unanswered:
    with pytest.raises(Unanswered) as raised:
        await transport.send(call, where, KEY)
    assert CANARY not in texts_of(raised.value)
    return raised.value


async def test_the_credential_is_added_on_the_configured_origin(server: Loopback, transport: Transport) -> None:
    reply = await transport.send(GET, endpoint(server), KEY)
    assert reply.json() == {"ok": True}
    assert server.requests[0].headers["authorization"] == f"Key {CANARY}"
    assert server.requests[0].target == "/v1/status"


async def test_a_path_prefix_of_the_base_url_is_kept(server: Loopback, transport: Transport) -> None:
    await transport.send(HttpCall("GET", "/v1/a%2Fb?x=%2B"), endpoint(server, "/fal/proxy"), KEY)
    assert server.targets == ["GET /fal/proxy/v1/a%2Fb?x=%2B"]


async def test_a_url_out_of_a_reply_on_the_same_origin_gets_the_credential(
    server: Loopback, transport: Transport
) -> None:
    call = HttpCall("GET", f"{server.base_url}/media/1.png", Trust.RESPONSE)
    await transport.send(call, endpoint(server, "/fal"), KEY)
    assert server.requests[0].headers["authorization"] == f"Key {CANARY}"


@pytest.mark.parametrize("trust", Trust)
async def test_a_second_configured_origin_gets_the_credential_too(
    server: Loopback, transport: Transport, trust: Trust
) -> None:
    async with loopback() as other:
        where = Endpoint("vendor", server.base_url, also=frozenset({f"{other.base_url}/below"}))
        await transport.send(HttpCall("GET", f"{other.base_url}/storage", trust), where, KEY)
        assert other.requests[0].headers["authorization"] == f"Key {CANARY}"
        assert server.accepted == 0


@pytest.mark.parametrize("trust", Trust)
async def test_another_port_is_another_origin_and_sees_nothing_at_all(
    server: Loopback, transport: Transport, trust: Trust
) -> None:
    async with loopback() as other:
        failed = await failure(transport, HttpCall("GET", f"{other.base_url}/x", trust), endpoint(server))
        assert failed.sent is False
        assert other.accepted == server.accepted == 0


async def test_a_redirect_of_the_vendors_api_is_handed_back_and_not_followed(transport: Transport) -> None:
    async with loopback() as other, loopback() as server:

        async def redirect(seen: Seen, peer: Peer) -> None:
            await peer.answer(status=302, headers={"location": f"{other.base_url}/stolen"})

        server.handler = redirect
        reply = await transport.send(GET, endpoint(server), KEY)
        assert reply.status == 302
        assert other.accepted == 0


async def test_header_names_are_lower_case_and_the_first_byte_is_timed(server: Loopback, transport: Transport) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"{}", headers={"Retry-After": "7", "X-Request-ID": "r1"})

    server.handler = answer
    reply = await transport.send(GET, endpoint(server), KEY)
    assert (reply.headers["retry-after"], reply.headers["x-request-id"]) == ("7", "r1")
    assert 0.0 < reply.first_byte_seconds < 5.0


@pytest.mark.parametrize(
    ("status", "body"), [(204, b""), (200, b""), (502, b"<html><h1>Bad gateway</h1>"), (500, b"\xff\x00")]
)
async def test_a_body_of_any_kind_arrives_as_it_is(
    server: Loopback, transport: Transport, status: int, body: bytes
) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(body, status)

    server.handler = answer
    reply = await transport.send(GET, endpoint(server), KEY)
    assert (reply.status, reply.body, reply.blobs, reply.blob) == (status, body, (), None)


async def test_a_compressed_answer_is_unpacked_though_none_was_asked_for(
    server: Loopback, transport: Transport
) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(gzip.compress(b'{"packed": true}'), headers={"content-encoding": "gzip"})

    server.handler = answer
    reply = await transport.send(GET, endpoint(server), KEY)
    assert reply.json() == {"packed": True}
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_compressed_answer_that_swells_beyond_the_cap_is_refused(server: Loopback, tmp_path: Path) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(gzip.compress(bytes(4_000_000)), headers={"content-encoding": "gzip"})

    server.handler = answer
    transport = Transport(spool_dir=tmp_path, limits=TransportLimits(reply_bytes=1_000_000))
    failed = await failure(transport, GET, endpoint(server))
    assert failed.reason == "the reply was too large"
    await transport.close()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_reply_over_the_cap_is_refused_and_its_connection_closed(server: Loopback, chunked: bool) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        if not chunked:
            await peer.answer(b"x" * 2000, length=10_000_000)
        else:
            await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n")
        await hang(seen, peer)

    server.handler = answer
    transport = Transport(limits=TransportLimits(reply_bytes=1999))
    failed = await failure(transport, POST, endpoint(server))
    assert (failed.reason, failed.sent) == ("the reply was too large", True)
    await server.all_closed()
    await transport.close()


async def test_an_error_page_without_end_keeps_its_status_and_its_start(server: Loopback) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"x" * 5000, 429, {"retry-after": "7"}, length=10_000_000)
        await hang(seen, peer)

    server.handler = answer
    transport = Transport(limits=TransportLimits(error_bytes=1000))
    reply = await transport.send(POST, endpoint(server), KEY)
    assert (reply.status, reply.headers["retry-after"], reply.body) == (429, "7", b"x" * 1000)
    await server.all_closed()
    await transport.close()


@pytest.mark.parametrize("memory", [0, 3_000_000, 32_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_picture_of_a_large_answer_is_cut_out_wherever_there_is_room(
    server: Loopback, tmp_path: Path, memory: int, chunked: bool
) -> None:
    transport = Transport(spool_dir=tmp_path, reply_memory=memory)
    picture = PICTURE * 3
    body = json.dumps({"parts": [{"text": "here"}, {"data": base64.b64encode(picture).decode()}], "big": True}).encode()

    async def answer(seen: Seen, peer: Peer) -> None:
        if not chunked:
            await peer.answer(body)
            return
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for start in range(0, len(body), 100_000):
            piece = body[start : start + 100_000]
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await peer.send(b"0\r\n\r\n")

    server.handler = answer
    reply = await transport.send(POST, endpoint(server), KEY)
    assert len(reply.body) < 200
    blob = reply.json()["parts"][1]["data"]
    assert isinstance(blob, PiecedText)
    assert any(is_mapped(span.data) for span in blob.text) is (memory < len(body))
    assert (blob.length, blob.read()) == (len(picture), picture)
    assert names_in(tmp_path) == []
    await transport.close()


async def test_a_spool_that_cannot_be_written_is_our_own_failure(server: Loopback, tmp_path: Path) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(bytes(STATED_THRESHOLD + 1))

    server.handler = answer
    transport = Transport(spool_dir=tmp_path / "missing", reply_memory=0)
    with pytest.raises(SpoolFailedError):
        await transport.send(POST, endpoint(server), KEY)
    await server.all_closed()
    await transport.close()


@pytest.mark.parametrize("size", [0, 1000, len(PICTURE)])
async def test_an_image_is_handed_over_whole_with_its_media_type(
    server: Loopback, transport: Transport, size: int
) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(PICTURE[:size], headers={"content-type": "Image/PNG; q=1"})

    server.handler = answer
    reply = await transport.send(HttpCall("GET", "/a.png", wants_image=True), endpoint(server), KEY)
    assert reply.body == b""
    assert reply.blob is not None
    assert (reply.blob.read(), reply.blob.media_type, reply.blob.length) == (PICTURE[:size], "image/png", size)


async def test_an_error_in_place_of_an_image_is_a_body_to_read(server: Loopback, transport: Transport) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.json({"error": "expired"}, 404)

    server.handler = answer
    reply = await transport.send(HttpCall("GET", "/a.png", wants_image=True), endpoint(server), KEY)
    assert (reply.blob, reply.json()) == (None, {"error": "expired"})


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, len(PICTURE)])
async def test_a_body_with_a_picture_is_streamed_with_its_exact_length(
    server: Loopback, transport: Transport, size: int
) -> None:
    picture = AsBase64(MemoryBlob(PICTURE[:size]), "data:image/png;base64,")
    call = HttpCall("POST", "/v1/make", body=json_body({"prompt": "a fox", "image": picture}))
    await transport.send(call, endpoint(server), KEY)
    (seen,) = server.requests
    assert "transfer-encoding" not in seen.headers
    assert seen.headers["content-type"] == "application/json"
    assert json.loads(seen.body) == {
        "prompt": "a fox",
        "image": "data:image/png;base64," + base64.b64encode(PICTURE[:size]).decode(),
    }


async def test_raw_bytes_keep_the_adapters_content_type_whatever_its_case(
    server: Loopback, transport: Transport
) -> None:
    call = HttpCall("PUT", "/up", headers={"content-type": "image/png"}, body=(Raw(MemoryBlob(PICTURE)),))
    await transport.send(call, endpoint(server), KEY)
    (seen,) = server.requests
    assert seen.body == PICTURE
    assert seen.headers["content-type"] == "image/png"
    assert seen.header_names.count("content-type") == 1


async def test_a_call_cannot_bring_its_own_authorization(server: Loopback, transport: Transport) -> None:
    await transport.send(HttpCall("GET", "/x", headers={"authorization": "mine"}), endpoint(server), KEY)
    (seen,) = server.requests
    assert seen.headers["authorization"] == f"Key {CANARY}"
    assert seen.header_names.count("authorization") == 1


async def test_a_picture_that_cannot_be_read_ends_the_call_before_the_vendor_has_it(
    server: Loopback, transport: Transport
) -> None:
    damaged = (b'{"a":"', AsBase64(Base64Blob(b"YWJjZ")), b'"}')
    failed = await failure(transport, HttpCall("POST", "/v1/make", body=damaged, commits=True), endpoint(server))
    assert failed.sent is False
    await server.all_closed()
    assert server.requests == []


class Renewable:
    """A credential whose token changes when it is renewed."""

    def __init__(self, *, renews: bool = True) -> None:
        self.generation = 0
        self.renewals: list[str] = []
        self._renews = renews

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.generation}"}

    async def renew(self, refused: Mapping[str, str]) -> bool:
        self.renewals.append(refused["Authorization"])
        self.generation += 1
        return self._renews


async def unauthorized(seen: Seen, peer: Peer) -> None:
    await peer.json({"error": "expired"}, 401)


async def fine(seen: Seen, peer: Peer) -> None:
    await peer.json({"ok": True})


PICTURE_CALL = HttpCall("POST", "/v1/make", body=json_body({"image": AsBase64(MemoryBlob(PICTURE))}))


async def test_a_refused_token_is_renewed_once_and_the_call_sent_again_whole(
    server: Loopback, transport: Transport
) -> None:
    server.handler = answers(unauthorized, fine)
    credential = Renewable()
    reply = await transport.send(PICTURE_CALL, endpoint(server), credential)
    assert reply.status == 200
    assert credential.renewals == ["Bearer 0"]
    assert [seen.headers["authorization"] for seen in server.requests] == ["Bearer 0", "Bearer 1"]
    assert server.requests[0].body == server.requests[1].body


async def test_a_token_refused_twice_is_not_renewed_again(server: Loopback, transport: Transport) -> None:
    server.handler = unauthorized
    credential = Renewable()
    assert (await transport.send(GET, endpoint(server), credential)).status == 401
    assert (len(credential.renewals), len(server.requests)) == (1, 2)


async def test_a_call_is_not_sent_again_when_nothing_was_renewed(server: Loopback, transport: Transport) -> None:
    server.handler = unauthorized
    for credential in (Renewable(renews=False), KEY):
        server.requests.clear()
        assert (await transport.send(POST, endpoint(server), credential)).status == 401
        assert len(server.requests) == 1


async def test_nobody_listening_means_nothing_was_sent(transport: Transport) -> None:
    with held_port() as port:
        failed = await failure(transport, POST, Endpoint("vendor", f"http://127.0.0.1:{port}"))
    assert (failed.sent, failed.reason) == (False, "no connection")


async def test_a_server_that_never_finishes_tls_means_nothing_was_sent(server: Loopback) -> None:
    transport = Transport(limits=TransportLimits(connect_s=0.15))
    failed = await failure(transport, POST, Endpoint("vendor", server.base_url.replace("http:", "https:")))
    assert (failed.sent, failed.reason) == (False, "no connection in time")
    await transport.close()
    await server.all_closed()


async def reset_at_once(seen: Seen, peer: Peer) -> None:
    peer.reset()


async def reset_in_the_body(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"{", length=5000)
    peer.reset()


async def close_in_the_body(seen: Seen, peer: Peer) -> None:
    await peer.answer(b'{"half":', length=5000)
    peer.close()


async def close_in_a_chunk(seen: Seen, peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\nhalf")
    peer.close()


async def close_in_the_head(seen: Seen, peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-")
    peer.close()


async def speak_nonsense(seen: Seen, peer: Peer) -> None:
    await peer.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")


async def break_the_chunking(seen: Seen, peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")


async def pack_nonsense(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"this is not gzip", headers={"content-encoding": "gzip"})


async def send_a_head_without_end(seen: Seen, peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000 + b"\r\n\r\n")


async def stall_in_the_body(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"{", length=5000)
    await hang(seen, peer)


@pytest.mark.parametrize(
    "breaking",
    [
        reset_at_once,
        reset_in_the_body,
        close_in_the_body,
        close_in_a_chunk,
        close_in_the_head,
        speak_nonsense,
        break_the_chunking,
        pack_nonsense,
        send_a_head_without_end,
    ],
    ids=lambda breaking: breaking.__name__,
)
async def test_a_reply_that_breaks_off_may_have_been_paid_for_and_is_not_asked_for_again(
    server: Loopback, transport: Transport, breaking: Any
) -> None:
    server.handler = breaking
    failed = await failure(transport, POST, endpoint(server))
    assert failed.sent is True
    assert failed.__cause__ is failed.__context__ is None
    await server.all_closed()
    assert len(server.requests) == 1


@pytest.mark.parametrize("silent", [stall_in_the_body, hang])
async def test_a_reply_that_stays_away_may_have_been_paid_for_and_is_not_asked_for_again(
    server: Loopback, silent: Any
) -> None:
    server.handler = silent
    transport = Transport(limits=TransportLimits(read_s=0.5))
    failed = await failure(transport, POST, endpoint(server))
    assert failed.sent is True
    assert failed.__cause__ is failed.__context__ is None
    await server.all_closed()
    assert len(server.requests) == 1
    await transport.close()


async def test_a_post_on_a_connection_that_has_died_is_not_silently_sent_again(
    server: Loopback, transport: Transport
) -> None:
    server.handler = answers(fine, reset_at_once, fine)
    await transport.send(POST, endpoint(server), KEY)
    failed = await failure(transport, POST, endpoint(server))
    assert failed.sent is True
    assert [seen.connection for seen in server.requests] == [1, 1]


async def test_an_idle_connection_the_server_closed_is_replaced(server: Loopback, transport: Transport) -> None:
    await transport.send(POST, endpoint(server), KEY)
    for peer in list(server.peers.values()):
        peer.close()
    await server.all_closed()
    reply: Reply = await transport.send(POST, endpoint(server), KEY)
    assert reply.status == 200
    assert [seen.connection for seen in server.requests] == [1, 2]


async def test_connections_are_pooled_per_endpoint(server: Loopback) -> None:
    transport = Transport()  # with time for twenty at once on a busy machine
    for _ in range(3):
        await transport.send(POST, endpoint(server), KEY)
    assert server.accepted == 1
    await asyncio.gather(*(transport.send(POST, endpoint(server), KEY) for _ in range(20)))
    assert server.accepted <= 20
    await transport.close()


async def test_cancelling_a_call_closes_its_connection(server: Loopback, transport: Transport) -> None:
    server.handler = hang
    call = asyncio.create_task(transport.send(POST, endpoint(server), KEY))
    await server.arrived("POST /v1/make")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await server.all_closed()


async def test_after_closing_no_connection_is_left_and_none_is_made(server: Loopback, transport: Transport) -> None:
    await transport.send(POST, endpoint(server), KEY)
    await transport.close()
    await server.all_closed()
    failed = await failure(transport, POST, endpoint(server))
    assert (failed.sent, server.accepted) == (False, 1)
