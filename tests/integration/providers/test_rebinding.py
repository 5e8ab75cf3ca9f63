"""Names that lead elsewhere when they are asked again: what was judged is what is connected to, for every client that
asks for URLs from outside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import ResolveResult

from providers.credentials import StaticKey
from providers.fetching import Fetcher, FetchLimits, Unfetchable
from providers.public_only import PublicOnlyResolver, public_only
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Trust, Unanswered
from providers.transport import Transport
from tests.integration.providers.internet import ELSEWHERE, HERE, Internet, internet
from tests.integration.providers.loopback import Loopback, Peer, Seen, loopback

NAME = "pictures.test"
PRIVATE = ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe"]
KEY = StaticKey("Authorization", "canary-77aa", scheme="Key")


@dataclass(frozen=True)
class World:
    """An internet, a server in it, and the two clients that ask for URLs from outside."""

    net: Internet
    server: Loopback
    fetcher: Fetcher
    transport: Transport

    async def asked(self, client: str, path: str = "/") -> str:
        """What came of asking for a path, in a word."""
        url = f"https://{NAME}{path}"
        try:
            if client == "fetcher":
                return (await self.fetcher.fetch(url)).read().decode()
            call = HttpCall("GET", url, Trust.RESPONSE, wants_image=True)
            reply = await self.transport.send(call, Endpoint("vendor", "https://api.test", frozenset({NAME})), KEY)
            return reply.blob.read().decode() if reply.blob is not None else str(reply.status)
        except (Unfetchable, Unanswered) as failed:
            return "no connection" if "no connection" in failed.reason else failed.reason

    def forget(self) -> None:
        """What names led to a moment ago, as if that moment were long gone."""
        for session in (self.fetcher._session, self.transport._sessions.get("")):
            if session is not None:
                assert isinstance(session.connector, aiohttp.TCPConnector)
                session.connector.clear_dns_cache()


CLIENTS = pytest.mark.parametrize("client", ["fetcher", "transport"])


async def picture(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"picture", headers={"content-type": "image/png"})


async def picture_and_goodbye(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"picture", headers={"content-type": "image/png", "connection": "close"})
    peer.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    with internet() as net:
        async with loopback(picture, tls=net.serving(NAME)) as server:
            net.ports[HERE] = server.port
            fetcher, transport = Fetcher(tmp_path, limits=FetchLimits(seconds=20)), Transport()
            yield World(net, server, fetcher, transport)
            await fetcher.close()
            await transport.close()
            await server.all_closed()


@CLIENTS
@pytest.mark.parametrize("private", PRIVATE)
async def test_a_name_that_turns_private_is_not_followed_there(world: World, client: str, private: str) -> None:
    world.server.handler = picture_and_goodbye
    world.net.names[NAME] = [[HERE], [private]]
    assert await world.asked(client) == "picture"
    assert world.net.asked == [NAME], "looked up once, and connected to what came of that"
    world.forget()
    assert await world.asked(client) == "no connection"
    assert world.net.asked == [NAME, NAME]
    assert world.net.connected == [HERE]


@CLIENTS
async def test_a_name_is_not_looked_up_again_between_the_judgement_and_the_connection(
    world: World, client: str
) -> None:
    """A resolver that changes its mind with every question finds nobody to ask it twice."""
    world.net.names[NAME] = [[HERE], ["127.0.0.1"], [HERE], ["169.254.169.254"]]
    assert await world.asked(client) == "picture"
    assert (world.net.asked, world.net.connected) == ([NAME], [HERE])


@CLIENTS
@pytest.mark.parametrize("goodbye", [False, True])
async def test_a_redirect_to_the_same_name_leads_to_the_same_place(world: World, client: str, goodbye: bool) -> None:
    world.net.names[NAME] = [[HERE], ["127.0.0.1"]]

    async def redirecting(seen: Seen, peer: Peer) -> None:
        if seen.target == "/end":
            await picture(seen, peer)
            return
        closing = {"connection": "close"} if goodbye else {}
        await peer.answer(status=302, headers={"location": "/end", **closing})
        if goodbye:
            peer.close()

    world.server.handler = redirecting
    assert await world.asked(client, "/begin") == "picture"
    assert set(world.net.connected) == {HERE}


@CLIENTS
async def test_a_redirect_after_the_name_turned_private_is_refused(world: World, client: str) -> None:
    world.net.names[NAME] = [[HERE], ["10.0.0.7"]]

    async def redirecting(seen: Seen, peer: Peer) -> None:
        world.forget()
        await peer.answer(status=302, headers={"location": "/end", "connection": "close"})
        peer.close()

    world.server.handler = redirecting
    assert await world.asked(client) == "no connection"
    assert world.net.connected == [HERE]


@CLIENTS
async def test_a_kept_connection_leads_where_it_was_made_to(world: World, client: str) -> None:
    world.net.names[NAME] = [[HERE], ["127.0.0.1"]]
    for _ in range(3):
        assert await world.asked(client) == "picture"
        world.forget()
    assert {seen.connection for seen in world.server.requests} == {1}
    assert world.net.connected == [HERE]


@CLIENTS
@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize("first", [True, False])
async def test_of_a_mixed_answer_only_the_public_addresses_are_connected_to(
    world: World, client: str, private: str, first: bool
) -> None:
    world.net.names[NAME] = [[private, HERE] if first else [HERE, private]]
    assert await world.asked(client) == "picture"
    assert world.net.connected == [HERE]


@CLIENTS
async def test_when_the_public_addresses_of_a_mixed_answer_fail_the_others_are_still_not_tried(
    world: World, client: str
) -> None:
    world.net.ports.clear()
    world.net.names[NAME] = [["::1", ELSEWHERE, "10.0.0.7", HERE, "127.0.0.1", "2606:4700::1111"]]
    assert await world.asked(client) == "no connection"
    assert set(world.net.connected) == {ELSEWHERE, HERE, "2606:4700::1111"}


@CLIENTS
async def test_the_next_public_address_is_tried_when_the_first_does_not_answer(world: World, client: str) -> None:
    world.net.names[NAME] = [["2606:4700::1111", ELSEWHERE, "127.0.0.1", HERE]]
    assert await world.asked(client) == "picture"
    assert "127.0.0.1" not in world.net.connected


@CLIENTS
async def test_a_name_with_hundreds_of_addresses_is_tried_at_a_few(world: World, client: str) -> None:
    world.net.ports.clear()
    world.net.names[NAME] = [[f"8.8.{high}.{low}" for high in range(3) for low in range(100)]]
    assert await world.asked(client) == "no connection"
    assert len(set(world.net.connected)) == 8


@CLIENTS
async def test_a_name_that_leads_nowhere_is_no_connection(world: World, client: str) -> None:
    world.net.names[NAME] = [[]]
    assert await world.asked(client) == "no connection"
    assert world.net.connected == []


@CLIENTS
@pytest.mark.parametrize("private", PRIVATE)
async def test_an_address_nobody_judged_gets_no_socket(
    world: World, client: str, private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second check: whatever hands out the address, a bug of ours or of the library, it is not connected to."""

    async def careless(self: PublicOnlyResolver, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=private, port=port, family=family, proto=0, flags=0)]

    monkeypatch.setattr(PublicOnlyResolver, "resolve", careless)
    assert await world.asked(client) == "no connection"
    assert world.net.connected == []


async def test_the_resolver_hands_out_no_address_that_is_not_public(world: World) -> None:
    """The first check, alone."""
    resolver = PublicOnlyResolver()
    world.net.names[NAME] = [[*PRIVATE, HERE, *PRIVATE, "2606:4700::1111"], PRIVATE]
    assert [found["host"] for found in await resolver.resolve(NAME, 443)] == [HERE, "2606:4700::1111"]
    with pytest.raises(OSError, match="no public address"):
        await resolver.resolve(NAME, 443)
    await resolver.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.7"])
async def test_an_address_in_a_url_gets_no_socket_though_no_resolver_is_asked(world: World, host: str) -> None:
    async with aiohttp.ClientSession(connector=public_only(limit=1, keepalive_s=1)) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://{host}:{world.server.port}/")
    assert (world.net.asked, world.net.connected) == ([], [])


async def test_names_whose_servers_never_answer_do_not_keep_the_vendors_from_being_looked_up(world: World) -> None:
    go_on, waiting = threading.Event(), threading.Semaphore(0)

    def silence(name: str) -> None:
        if name != "api.test":
            waiting.release()
            go_on.wait(20)

    world.net.while_asked = silence
    world.net.names["api.test"] = [["127.0.0.1"]]
    dead = [asyncio.ensure_future(world.fetcher.fetch(f"https://dead{number}.test/")) for number in range(60)]
    try:
        for _ in range(16):
            assert await asyncio.to_thread(waiting.acquire, timeout=20)
        async with loopback() as vendor:
            reply = await world.transport.send(
                HttpCall("GET", "/"), Endpoint("vendor", f"http://api.test:{vendor.port}"), KEY
            )
            assert reply.status == 200
        assert not any(fetch.done() for fetch in dead)
    finally:
        go_on.set()
        assert all(isinstance(ended, Unfetchable) for ended in await asyncio.gather(*dead, return_exceptions=True))
