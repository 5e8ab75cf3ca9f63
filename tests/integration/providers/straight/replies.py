"""Large replies, and what became of the calls that asked for them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from providers import straight
from providers.credentials import StaticKey
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, Unanswered
from providers.transport import Transport
from tests.integration.providers.loopback import PATIENCE_S, Handler, Loopback, Peer, Seen

KEY = StaticKey("Authorization", "canary", scheme="Key")
MIB = 1024 * 1024
NOISE = random.Random(7).randbytes(6 * MIB)
LARGE = NOISE[: 5 * MIB + 77]
IMAGE = HttpCall("GET", "/a.png", wants_image=True)
POST = HttpCall("POST", "/v1/make", body=(b'{"prompt":"a fox"}',), commits=True)
BEYOND = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nanother"


async def image(transport: Transport, server: Loopback) -> bytes:
    reply = await transport.send(IMAGE, Endpoint("vendor", server.base_url), KEY)
    assert reply.blob is not None
    return reply.blob.read()


async def failure(transport: Transport, server: Loopback) -> str:
    with pytest.raises(Unanswered) as raised:
        await transport.send(IMAGE, Endpoint("vendor", server.base_url), KEY)
    assert raised.value.sent is True
    return raised.value.reason


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


async def being_read(call: Coroutine[Any, Any, object], readings: list[straight._Reading]) -> asyncio.Task[object]:
    """The call, once a reading past the library has begun."""
    task = asyncio.create_task(call)
    await until(lambda: bool(readings))
    return task


def whole(body: bytes = LARGE, status: int = 200, **headers: str) -> Handler:
    async def answer(seen: Seen, peer: Peer) -> None:
        await peer.answer(body, status, {name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def half(_seen: Seen, peer: Peer) -> None:
    await peer.answer(LARGE[: 3 * MIB], length=len(LARGE))
