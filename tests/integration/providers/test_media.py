"""Downloads from a vendor's media hosts, over real TLS: bare, redirects re-checked, never back to the vendor."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from providers.blobs import MemoryBlob
from providers.credentials import StaticKey
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Raw, Trust, Unanswered
from providers.transport import Transport
from tests.integration.providers.internet import HERE, Internet, internet
from tests.integration.providers.loopback import Handler, Loopback, Peer, Seen, loopback, routes, texts_of

CANARY = "canary-77aa"
KEY = StaticKey("Authorization", CANARY, scheme="Key")


@dataclass(frozen=True)
class World:
    """A vendor's API, its media host, and what leads to them."""

    vendor: Loopback
    media: Loopback
    net: Internet
    transport: Transport

    def serves(self, table: Mapping[str, Handler]) -> None:
        self.media.handler = routes(table)

    async def fetch(self, url: str, method: str = "GET") -> bytes:
        reply = await self.transport.send(
            HttpCall(method, url, Trust.RESPONSE, wants_image=True),
            Endpoint("vendor", self.vendor.base_url, frozenset({"media.test", ".media.test"})),
            KEY,
        )
        return reply.blob.read() if reply.blob is not None else b"%d" % reply.status


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with internet() as net:
        tls = net.serving("media.test", "a.media.test", "evil.test")
        async with loopback() as vendor, loopback(tls=tls) as media:
            net.ports[HERE] = media.port
            transport = Transport()
            yield World(vendor, media, net, transport)
            await transport.close()
            await media.all_closed()


async def picture(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"picture", headers={"content-type": "image/png", "set-cookie": "a=b"})


def to(location: str, status: int = 302) -> Handler:
    async def redirect(seen: Seen, peer: Peer) -> None:
        await peer.answer(status=status, headers={"location": location})

    return redirect


async def refusal(world: World, url: str) -> Unanswered:
    with pytest.raises(Unanswered) as raised:
        await world.fetch(url)
    assert CANARY not in texts_of(raised.value)
    assert world.vendor.accepted == 0
    return raised.value


async def test_a_listed_host_is_asked_without_the_credential(world: World) -> None:
    world.serves({"GET /a%2Fb.png?sig=%2F%7E": picture})
    assert await world.fetch("https://a.media.test/a%2Fb.png?sig=%2F%7E") == b"picture"
    (seen,) = world.media.requests
    assert CANARY not in str(seen)
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_among_listed_hosts_are_followed_bare(world: World, status: int) -> None:
    world.serves(
        {
            "GET /1": to("/2", status),
            "GET /2": to("https://a.media.test/3", status),
            "GET /3": to("4"),
            "GET /4": picture,
        }
    )
    assert await world.fetch("https://media.test/1") == b"picture"
    assert [seen.headers["host"] for seen in world.media.requests] == ["media.test"] * 2 + ["a.media.test"] * 2
    assert CANARY not in str(world.media.requests)
    assert not any("cookie" in seen.headers for seen in world.media.requests)


async def test_a_fourth_redirect_is_one_too_many(world: World) -> None:
    world.serves({f"GET /{step}": to(f"/{step + 1}") for step in range(9)})
    failed = await refusal(world, "https://media.test/0")
    assert failed.sent is True
    assert world.media.targets == ["GET /0", "GET /1", "GET /2", "GET /3"]


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/a.png",
        "http://media.test/a.png",
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/a.png",
        "https://media.test:8443/a.png",
        "https://user:pw@media.test/a.png",
        "//evil.test/a.png",
        "file:///etc/passwd",
        "https://[broken/",
    ],
)
async def test_a_redirect_is_checked_like_any_url_out_of_a_reply(world: World, location: str) -> None:
    world.serves({"GET /1": to(location)})
    await refusal(world, "https://media.test/1")
    assert world.media.targets == ["GET /1"]
    assert "evil.test" not in world.net.asked


async def test_a_redirect_to_the_vendors_own_api_is_refused(world: World) -> None:
    world.serves({"GET /1": to(f"{world.vendor.base_url}/v1/account")})
    await refusal(world, "https://media.test/1")


async def test_a_redirect_without_a_location_and_one_of_a_post_are_handed_back(world: World) -> None:
    async def nowhere(seen: Seen, peer: Peer) -> None:
        await peer.answer(status=302)

    world.serves({"GET /1": nowhere, "POST /2": to("/3", 307)})
    assert await world.fetch("https://media.test/1") == b"302"
    assert await world.fetch("https://media.test/2", "POST") == b"307"
    assert world.media.targets == ["GET /1", "POST /2"]


async def test_a_file_is_handed_to_a_listed_host_whole_and_without_the_credential(world: World) -> None:
    content = bytes(range(256)) * 4096
    world.serves({"PUT /put?signature=%2F": picture})
    call = HttpCall(
        "PUT",
        "https://media.test/put?signature=%2F",
        Trust.RESPONSE,
        headers={"content-type": "image/webp"},
        body=(Raw(MemoryBlob(content)),),
    )
    endpoint = Endpoint("vendor", world.vendor.base_url, frozenset({"media.test"}))
    reply = await world.transport.send(call, endpoint, KEY)
    assert reply.status == 200
    (seen,) = world.media.requests
    assert seen.body == content
    assert (seen.headers["content-type"], seen.headers["content-length"]) == ("image/webp", str(len(content)))
    assert "authorization" not in seen.headers
    assert CANARY not in str(seen.headers)


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP"])
async def test_what_comes_from_a_media_host_is_never_unpacked(world: World, coding: str) -> None:
    async def packed(seen: Seen, peer: Peer) -> None:
        await peer.answer(gzip.compress(bytes(50_000_000)), headers={"content-encoding": coding})

    world.serves({"GET /1": packed})
    failed = await refusal(world, "https://media.test/1")
    assert (failed.sent, failed.reason) == (True, "the reply was compressed, which was not asked for")


@pytest.mark.parametrize(
    "url",
    [
        "https://a%2emedia.test/x",
        "https://a..media.test/x",
        "https://.media.test/x",
        "https://media.test../x",
        "https://[media.test]/x",
        "https://ａ.media.test:４４３0/x",
        "https://@media.test/x",
        "https://media.test\\x/",
        "https://media.test:/\n",
        "https://\tmedia.test/",
    ],
)
async def test_an_odd_spelling_of_a_listed_host_is_not_asked(world: World, url: str) -> None:
    assert (await refusal(world, url)).sent is False
    assert (world.net.asked, world.net.connected) == ([], [])
