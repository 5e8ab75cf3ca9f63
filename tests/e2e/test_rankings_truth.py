"""The rankings against the truth of the simulator, after thousands of requests in accelerated time."""

from __future__ import annotations

import asyncio
from math import sqrt
from statistics import NormalDist

import httpx
import pytest

from app.demo import Simulation, simulated_settings
from app.main import create_app
from app.settings import Settings
from providers.registry import PROVIDERS
from simulator.vendors import PACES, TIER_FACTORS, Tier, Vendor
from tests.e2e.conftest import NANO_BANANA_2, Vendors
from tests.scaled import scaled_catalog
from tests.servers import running

TIME_SCALE = 3.0
"""Slow enough that a millisecond of the gateway's own work is nothing beside the vendors' seconds."""
SAMPLES = 2500
REQUESTS = 2600
AT_ONCE = {"gemini": 45, "vertex": 100}
RAMP_S = 0.1
"""Between one caller's beginning and the next one's. All at once, the failures of the first round would arrive together
and before the first success, and look like an outage."""
SUCCESS = {"gemini": 0.92, "vertex": 0.85}


def interval(rate: float, count: int, confidence: float) -> tuple[float, float]:
    """Of a probability seen as ``rate`` in ``count`` tries, after Wilson."""
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    middle = (rate + z * z / (2 * count)) / (1.0 + z * z / count)
    spread = z * sqrt(rate * (1.0 - rate) / count + z * z / (4 * count * count)) / (1.0 + z * z / count)
    return middle - spread, middle + spread


async def draw(url: str, provider: str) -> None:
    """So many images of the smallest kind, some at a time."""
    body = {"model": f"{provider}/nano-banana-2", "prompt": "a fox", "size": "512x512"}
    left = iter(range(REQUESTS))
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=None)) as client:

        async def caller(place: int) -> None:
            await asyncio.sleep(place * RAMP_S)
            for _ in left:
                await client.post("/v1/images/generations", json=body)

        await asyncio.gather(*(caller(place) for place in range(AT_ONCE[provider])))


async def draw_from_all(url: str) -> None:
    await asyncio.gather(*(draw(url, provider) for provider in AT_ONCE))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_figures_agree_with_the_truth_of_the_vendors() -> None:
    with Simulation(time_scale=TIME_SCALE) as simulation:
        vendors = Vendors(simulation.base_url)
        for provider, success in SUCCESS.items():
            vendors.fail(provider, "503", rate=1.0 - success)
        settings = simulated_settings(Settings(_env_file=None), PROVIDERS, simulation.base_url)
        with running(create_app(settings, catalog=scaled_catalog(TIME_SCALE))) as url:
            asyncio.run(draw_from_all(url))
            rows = httpx.get(f"{url}/v1/models/{NANO_BANANA_2}/providers", timeout=30).json()["data"]
        vendors.close()
    compared = []
    for row in rows:
        window = row["windows"]["1h"]
        if window["samples"] < SAMPLES:
            continue
        tier = Tier(row["resolution"])
        truth_s = PACES[Vendor(row["provider"])].median * TIER_FACTORS[tier] / TIME_SCALE
        assert window["p50_s"] == pytest.approx(truth_s, rel=0.03), row["provider"]
        shown = (window["success_low"], window["success_high"])
        assert shown == pytest.approx(interval(window["success"], window["samples"], 0.95), abs=2e-4), row["provider"]
        assert shown[0] <= window["success"] <= shown[1], row["provider"]
        # Of 95 % intervals one in twenty misses the truth, and callers at once make every run another one.
        low, high = interval(window["success"], window["samples"], 0.9999)
        assert low <= SUCCESS[row["provider"]] <= high, row["provider"]
        compared.append((row["provider"], row["resolution"], row["operation"]))
    assert compared == [(provider, "512", "generate") for provider in AT_ONCE]
