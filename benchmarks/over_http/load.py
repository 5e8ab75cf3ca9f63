"""Load: requests that arrive by chance, whether or not earlier ones were answered, and what their callers see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx

from benchmarks.over_http.scripts import Order

CLIENT_PATIENCE_S: Final = 120.0
"""Real seconds after which a caller counts as unanswered: longer than any deadline of an accelerated gateway."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one caller saw. Vendor seconds since the load began."""

    arrived: float
    seconds: float
    """From when the request was due until its answer was there."""
    late: float
    """By how much it was sent after it was due: what a busy machine adds."""
    status: int
    """0: no answer at all."""
    cost_usd: float
    attempts: tuple[Mapping[str, Any], ...]
    """As in the answer's metadata."""
    error: str = ""
    """What a caller without an image was told."""

    @property
    def failed(self) -> bool:
        """Whether the caller has no image."""
        return self.status != httpx.codes.OK


async def run_load(
    gateways: Sequence[str],
    vendors_url: str,
    *,
    rate: float,
    duration: float,
    time_scale: float,
    orders: Sequence[Order] = (),
    body: Mapping[str, Any],
    seed: int = 1,
) -> list[Answer]:
    """Send ``rate`` requests per vendor second for ``duration`` vendor seconds, to the gateways by turns.

    ``orders`` are carried out at the simulator in between. Returns when all are answered, in order of arrival.
    """
    begun = time.monotonic()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=CLIENT_PATIENCE_S, limits=limits) as client:

        async def until(at: float) -> None:
            await asyncio.sleep(max(begun + at / time_scale - time.monotonic(), 0.0))

        async def carry_out(order: Order) -> None:
            await until(order.at)
            reply = await client.request(order.method, vendors_url + order.path, json=order.body)
            reply.raise_for_status()

        async def ask(number: int, at: float) -> Answer:
            await until(at)
            sent = time.monotonic()
            status, metadata, error = await _asked(client, gateways[number % len(gateways)], body)
            return Answer(
                arrived=at,
                seconds=(time.monotonic() - begun) * time_scale - at,
                late=(sent - begun) * time_scale - at,
                status=status,
                cost_usd=float(metadata.get("cost_usd", 0)),
                attempts=tuple(metadata.get("attempts", ())),
                error=error,
            )

        scripted = [asyncio.create_task(carry_out(order)) for order in orders]
        asking = [
            asyncio.create_task(ask(number, at)) for number, at in enumerate(_arrivals(rate, duration, Random(seed)))
        ]
        await asyncio.gather(*scripted)
        return list(await asyncio.gather(*asking))


async def _asked(
    client: httpx.AsyncClient, gateway: str, body: Mapping[str, Any]
) -> tuple[int, Mapping[str, Any], str]:
    """Status, metadata, and the sentence of an error."""
    try:
        reply = await client.post(f"{gateway}/v1/images/generations", json=body)
    except httpx.TransportError as lost:
        return 0, {}, type(lost).__name__
    document = reply.json()
    return reply.status_code, document.get("metadata") or {}, (document.get("error") or {}).get("message", "")


def _arrivals(rate: float, duration: float, dice: Random) -> Iterator[float]:
    at = dice.expovariate(rate)
    while at < duration:
        yield at
        at += dice.expovariate(rate)
