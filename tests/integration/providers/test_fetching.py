"""Fetching what callers point to: public https only, redirects judged again, bounded, and nothing told of the URL."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from providers.blobs import MemoryBlob
from providers.fetching import Fetcher, FetchLimits, Unfetchable
from tests.integration.providers.loopback import (
    Handler,
    Loopback,
    Peer,
    Seen,
    answers,
    free_port,
    hang,
    loopback,
    routes,
    texts_of,
)

CANARY = "canary-77aa"


class Signposts(AbstractResolver):
    """Name service for a test: every name leads to this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class World:
    """A server of pictures with a certificate, and a fetcher that finds it as if it were on the internet."""

    server: Loopback
    fetcher: Fetcher

    def url(self, path: str, host: str = "pictures.test") -> str:
        return f"https://{host}:{self.server.port}{path}"

    async def refusal(self, url: str) -> str:
        with pytest.raises(Unfetchable) as raised:
            await self.fetcher.fetch(url)
        assert CANARY not in texts_of(raised.value)
        assert "://" not in raised.value.reason
        return raised.value.reason


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.test", "other.test").configure_cert(serving)
    calling = ssl.create_default_context()
    authority.configure_trust(calling)
    async with loopback(tls=serving) as server:
        fetcher = Fetcher(tmp_path, limits=FetchLimits(body_bytes=2_000_000, seconds=30))
        # Stands in for the network only: public name service and a public certificate authority.
        connector = fetcher._opened().connector
        await fetcher._opened().close()
        assert isinstance(connector, aiohttp.TCPConnector)
        fetcher._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=Signposts(), ssl=calling),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=fetcher._opened().headers,
        )
        yield World(server, fetcher)
        await fetcher.close()
        await server.all_closed()


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def picture(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"picture", headers={"content-type": "Image/PNG; q=1", "set-cookie": f"a={CANARY}"})


def to(location: str, status: int = 302) -> Handler:
    async def redirect(seen: Seen, peer: Peer) -> None:
        await peer.answer(status=status, headers={"location": location})

    return redirect


async def test_a_picture_is_fetched_bare_and_its_url_spelt_as_given(world: World) -> None:
    world.server.handler = picture
    for _ in range(2):
        blob = await world.fetcher.fetch(world.url("/a%2Fb~.png?sig=%2F%7e+c#there"))
        assert (blob.read(), blob.media_type) == (b"picture", "image/png")
    for seen in world.server.requests:
        assert seen.target == "/a%2Fb~.png?sig=%2F%7e+c"
        assert seen.headers["accept"] == "image/*"
        assert seen.headers["accept-encoding"] == "identity"
        assert not {"cookie", "authorization", "referer"} & set(seen.headers)


async def test_a_large_picture_lies_in_a_mapped_file(world: World, tmp_path: Path) -> None:
    async def large(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"x" * 1_900_000)

    world.server.handler = large
    blob = await world.fetcher.fetch(world.url("/"))
    assert isinstance(blob, MemoryBlob)
    assert isinstance(blob.data, memoryview)
    assert blob.length == 1_900_000
    assert not any(entries(tmp_path))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_three_times(world: World, status: int) -> None:
    other = world.url("/3", "other.test")
    table = {"GET /1": to("/2", status), "GET /2": to(other, status), "GET /3": to("4?x", status), "GET /4?x": picture}
    world.server.handler = routes(table)
    assert (await world.fetcher.fetch(world.url("/1"))).read() == b"picture"
    world.server.handler = routes({**table, "GET /0": to("/1", status)})
    assert await world.refusal(world.url("/0")) == "it redirects more than 3 times"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://pictures.test/x", "only https"),
        ("https://127.0.0.1/x", "not a public"),
        ("https://[::1]/x", "not a public"),
        (f"https://user:{CANARY}@pictures.test/x", "user or a password"),
        ("file:///etc/passwd", "not a usable URL"),
        ("//169.254.169.254/latest", "not a public"),
        ("https://[bad", "not a usable URL"),
        ("https://pictures.test/" + "x" * 9_000, ""),
    ],
    ids=range(8),
)
async def test_every_redirect_is_judged_like_the_first_url(world: World, location: str, said: str) -> None:
    world.server.handler = to(location)
    assert said in await world.refusal(world.url(f"/?{CANARY}"))
    assert len(world.server.requests) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/a.png", "only https"),
        ("ftp://example.com/a.png", "not an https URL"),
        ("gs://bucket/a.png", "not an https URL"),
        ("file:///etc/passwd", "not a usable URL"),
        ("https:///a.png", ""),
        ("https://", ""),
        ("https://user@example.com/", "user or a password"),
        ("https://:pw@example.com/", "user or a password"),
        ("https://example.com:99999/", "not a usable URL"),
        ("https://127.0.0.1/", "not a public"),
        ("https://127.1/", "not a public"),
        ("https://127.0.0.1./", "not a public"),
        ("https://2130706433/", "not a public"),
        ("https://0x7f000001/", "not a public"),
        ("https://0x7f.1/", "not a public"),
        ("https://0177.0.0.1/", "not a public"),
        ("https://１２７.0.0.1/", "not a public"),
        ("https://10.0.0.1:8443/", "not a public"),
        ("https://169.254.169.254/latest/meta-data", "not a public"),
        ("https://[::1]/", "not a public"),
        ("https://[::ffff:127.0.0.1]/", "not a public"),
        ("https://[fe80::1%25eth0]/", "not a public"),
        ("https://[64:ff9b::a9fe:a9fe]/", "not a public"),
        ("https://example.com/" + "x" * 9_000, "characters"),
    ],
    ids=range(24),
)
async def test_a_url_that_may_not_be_asked_for_is_refused_before_any_connection(url: str, said: str) -> None:
    fetcher = Fetcher()
    with pytest.raises(Unfetchable) as raised:
        await fetcher.fetch(url)
    assert said in raised.value.reason
    assert fetcher._session is None
    await fetcher.close()


@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST"])
async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(host: str) -> None:
    async with loopback() as server:
        fetcher = Fetcher()
        with pytest.raises(Unfetchable, match="no connection to a public address"):
            await fetcher.fetch(f"https://{host}:{server.port}/{CANARY}")
        assert server.accepted == 0
        await fetcher.close()


async def test_private_addresses_and_http_are_fetched_from_where_that_is_allowed() -> None:
    async with loopback(picture) as server:
        fetcher = Fetcher(allow_private=True)
        for host in ("127.0.0.1", "localhost"):
            assert (await fetcher.fetch(f"http://{host}:{server.port}/a.png")).read() == b"picture"
        with pytest.raises(Unfetchable, match="user or a password"):
            await fetcher.fetch(f"http://user@127.0.0.1:{server.port}/")
        with pytest.raises(Unfetchable, match="no connection"):
            await fetcher.fetch(f"http://127.0.0.1:{free_port()}/")
        await fetcher.close()
        with pytest.raises(Unfetchable, match="shutting down"):
            await fetcher.fetch(f"http://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("status", [201, 204, 304, 401, 403, 404, 500])
async def test_another_answer_than_200_is_told(world: World, status: int) -> None:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(CANARY.encode() if status not in (204, 304) else b"", status)

    world.server.handler = answer
    assert await world.refusal(world.url("/")) == f"the server answered {status}"


async def test_more_bytes_than_are_taken_are_refused_at_once_or_as_they_come(world: World) -> None:
    async def stated(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"begin", length=2_000_001)

    async def endless(seen: Seen, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    world.server.handler = answers(stated, endless)
    for _ in range(2):
        assert await world.refusal(world.url(f"/?{CANARY}")) == "it has more than 2,000,000 bytes"


async def test_broken_connections_are_told(world: World) -> None:
    async def half(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"half", length=100)
        peer.close()

    async def no_http(seen: Seen, peer: Peer) -> None:
        await peer.send(CANARY.encode() + b"\r\n\r\n")

    async def squeezed(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"x", headers={"content-encoding": "gzip"})

    world.server.handler = answers(half, no_http, squeezed)
    assert await world.refusal(world.url(f"/?{CANARY}")) == "the connection broke"
    assert await world.refusal(world.url(f"/?{CANARY}")) == "the connection broke"
    assert "compressed" in await world.refusal(world.url("/"))


async def test_what_does_not_come_in_time_is_given_up() -> None:
    async with loopback(hang) as server:
        fetcher = Fetcher(allow_private=True, limits=FetchLimits(seconds=0.2))
        with pytest.raises(Unfetchable, match=r"^it did not come within 0\.2 seconds$") as raised:
            await fetcher.fetch(f"{server.base_url}/?{CANARY}")
        assert CANARY not in texts_of(raised.value)
        await fetcher.close()
        await server.all_closed()


async def test_a_certificate_of_another_name_is_no_connection(world: World) -> None:
    assert "no connection" in await world.refusal(world.url("/", "wrong.test"))
    assert world.server.requests == []
