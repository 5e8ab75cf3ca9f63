"""Fetching what callers point to: public https only, redirects judged again, bounded, and nothing told of the URL."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.rig.ports import held_port
from providers.blobs import MemoryBlob
from providers.fetching import Fetcher, FetchLimits, Unfetchable
from tests.integration.providers.internet import HERE, Internet, internet
from tests.integration.providers.loopback import (
    Handler,
    Loopback,
    Peer,
    Seen,
    answers,
    hang,
    loopback,
    routes,
    texts_of,
)

CANARY = "canary-77aa"


@dataclass(frozen=True)
class World:
    """A server of pictures with a certificate, and a fetcher that finds it as if it were on the internet."""

    server: Loopback
    fetcher: Fetcher
    net: Internet

    def url(self, path: str, host: str = "pictures.test") -> str:
        return f"https://{host}{path}"

    async def refusal(self, url: str) -> str:
        with pytest.raises(Unfetchable) as raised:
            await self.fetcher.fetch(url)
        assert CANARY not in texts_of(raised.value)
        assert "://" not in raised.value.reason
        return raised.value.reason


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    with internet() as net:
        async with loopback(tls=net.serving("pictures.test", "other.test")) as server:
            net.ports[HERE] = server.port
            fetcher = Fetcher(tmp_path, limits=FetchLimits(body_bytes=2_000_000, seconds=30))
            yield World(server, fetcher, net)
            await fetcher.close()
            await server.all_closed()
            assert set(net.connected) <= {HERE}


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
        ("https://example.com:99999/", ""),
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
        ("https://[fe80::1%25eth0]/", "spelt as no host"),
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


@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST", "metadata", "redis"])
async def test_a_name_that_only_this_network_knows_is_not_looked_up(world: World, host: str) -> None:
    assert "no dot" in await world.refusal(world.url(f"/{CANARY}", host))
    assert world.net.asked == []


async def test_private_addresses_and_http_are_fetched_from_where_that_is_allowed() -> None:
    async with loopback(picture) as server:
        fetcher = Fetcher(allow_private=True)
        for host in ("127.0.0.1", "localhost"):
            assert (await fetcher.fetch(f"http://{host}:{server.port}/a.png")).read() == b"picture"
        with pytest.raises(Unfetchable, match="user or a password"):
            await fetcher.fetch(f"http://user@127.0.0.1:{server.port}/")
        with held_port() as port, pytest.raises(Unfetchable, match="no connection"):
            await fetcher.fetch(f"http://127.0.0.1:{port}/")
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


async def test_a_drip_without_end_is_given_up_however_steadily_it_comes() -> None:
    async def drip(seen: Seen, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.01)

    async with loopback(drip) as server:
        fetcher = Fetcher(allow_private=True, limits=FetchLimits(seconds=0.3))
        with pytest.raises(Unfetchable, match="did not come within"):
            await fetcher.fetch(server.base_url)
        await fetcher.close()
        await server.all_closed()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x-more: y\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 1_000_000,
        b"HTTP/1.1 200 " + b"y" * 1_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["lines", "a line", "a reason", "interim answers", "two lengths"],
)
async def test_an_answer_whose_head_does_not_end_or_says_two_things_is_refused(world: World, head: bytes) -> None:
    async def endless(seen: Seen, peer: Peer) -> None:
        await peer.send(head)
        peer.close()

    world.server.handler = endless
    assert await world.refusal(world.url(f"/?{CANARY}")) == "the connection broke"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity"])
async def test_nothing_is_unpacked(world: World, coding: str) -> None:
    bomb = gzip.compress(bytes(50_000_000))

    async def packed(seen: Seen, peer: Peer) -> None:
        await peer.answer(bomb, headers={"content-encoding": coding, "content-type": "image/png"})

    world.server.handler = packed
    assert "compressed" in await world.refusal(world.url("/"))


@pytest.mark.parametrize(
    "said", ["image/png", "IMAGE/x-anything", "application/octet-stream", "binary/octet-stream", ""]
)
async def test_what_is_called_an_image_or_nothing_in_particular_is_taken(world: World, said: str) -> None:
    async def labelled(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"picture", headers={"content-type": said} if said else {})

    world.server.handler = labelled
    assert (await world.fetcher.fetch(world.url("/"))).read() == b"picture"


@pytest.mark.parametrize(
    "said", ["text/html", "application/json; charset=utf-8", "text/plain", "multipart/x; image/png"]
)
async def test_what_calls_itself_something_else_is_refused_unread(world: World, said: str) -> None:
    async def labelled(seen: Seen, peer: Peer) -> None:
        await peer.answer(b"begin", headers={"content-type": said}, length=1_000_000)

    world.server.handler = labelled
    assert await world.refusal(world.url("/")) == "the server does not call it an image"


async def test_no_proxy_and_no_password_of_the_environment_is_used(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "netrc"
    secrets.write_text(f"machine pictures.test login user password {CANARY}\ndefault login any password {CANARY}\n")
    async with loopback() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://user:{CANARY}@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(secrets))
        world.server.handler = answers(to("/2"), picture)
        assert (await world.fetcher.fetch(world.url("/1"))).read() == b"picture"
        assert proxy.accepted == 0
    assert CANARY not in str(world.server.requests)
    assert not any("authorization" in name for seen in world.server.requests for name in seen.headers)
