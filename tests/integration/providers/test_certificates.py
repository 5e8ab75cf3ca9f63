"""Certificates: who cannot show a good one is not spoken to, by any of the three clients, and nothing is sent to it."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from providers.credentials import StaticKey
from providers.fetching import Fetcher, Unfetchable
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Trust, Unanswered
from providers.transport import Transport
from tests.integration.providers.internet import HERE, Internet, internet
from tests.integration.providers.loopback import Loopback, Peer, Seen, loopback, texts_of

CANARY = "canary-77aa"
KEY = StaticKey("Authorization", CANARY, scheme="Key")
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
NAME = "vendor.test"


def of_a_stranger() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(NAME).configure_cert(context)
    return context


def shown(net: Internet, kind: str) -> ssl.SSLContext:
    match kind:
        case "good":
            return net.serving(NAME)
        case "expired":
            return net.serving(NAME, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
        case "not yet valid":
            return net.serving(NAME, not_before=NOW + DAY, not_after=NOW + 9 * DAY)
        case "of another host":
            return net.serving("other.test", "vendor.test.evil.test", "sub.vendor.test")
        case "of a wildcard":
            return net.serving("*.vendor.test")
        case _:
            return of_a_stranger()


async def picture(seen: Seen, peer: Peer) -> None:
    await peer.answer(b"picture", headers={"content-type": "image/png"})


@asynccontextmanager
async def vendor(kind: str) -> AsyncIterator[Loopback]:
    with internet() as net:
        async with loopback(picture, tls=shown(net, kind)) as server:
            net.ports[HERE] = server.port
            net.names["api.test"] = [["127.0.0.1"]]
            yield server


KINDS = pytest.mark.parametrize(
    "kind", ["expired", "not yet valid", "of another host", "of a wildcard", "of a stranger"]
)


@KINDS
async def test_a_vendor_without_a_good_certificate_gets_neither_key_nor_request(kind: str) -> None:
    async with vendor(kind) as server:
        transport = Transport()
        with pytest.raises(Unanswered) as raised:
            await transport.send(HttpCall("GET", "/"), Endpoint("vendor", f"https://{NAME}"), KEY)
        assert raised.value.sent is False, "so that the next provider is asked, and nothing counts as paid"
        assert "certificate" in raised.value.reason
        assert CANARY not in texts_of(raised.value)
        assert server.requests == []
        await transport.close()


@KINDS
async def test_nor_does_a_media_host(kind: str) -> None:
    async with vendor(kind) as server:
        transport = Transport()
        call = HttpCall("GET", f"https://{NAME}/a.png", Trust.RESPONSE, wants_image=True)
        with pytest.raises(Unanswered, match="certificate"):
            await transport.send(call, Endpoint("vendor", "https://api.test", frozenset({NAME})), KEY)
        assert server.requests == []
        await transport.close()


@KINDS
async def test_nor_does_whom_a_caller_points_to(kind: str, tmp_path: Path) -> None:
    async with vendor(kind) as server:
        fetcher = Fetcher(tmp_path)
        with pytest.raises(Unfetchable, match="no certificate that can be trusted"):
            await fetcher.fetch(f"https://{NAME}/a.png")
        assert server.requests == []
        await fetcher.close()


async def test_a_good_certificate_is_all_it_takes(tmp_path: Path) -> None:
    async with vendor("good") as server:
        transport, fetcher = Transport(), Fetcher(tmp_path)
        assert (await transport.send(HttpCall("GET", "/"), Endpoint("vendor", f"https://{NAME}"), KEY)).status == 200
        assert (await fetcher.fetch(f"https://{NAME}/a.png")).read() == b"picture"
        assert len(server.requests) == 2
        await transport.close()
        await fetcher.close()
