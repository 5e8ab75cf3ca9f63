"""Three gateway processes on one Redis, before a simulator that runs fast."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.over_http.scaled_config import write_scaled_config
from benchmarks.rig.processes import GatewayProcess, SimulatorProcess
from tests.e2e.conftest import NANO_BANANA_2, Vendors
from tests.redis_server import RedisServer, own_redis

TIME_SCALE = 100.0
"""Of the simulator alone: the gateways keep the shipped policy, so that what is said in seconds holds in seconds."""
REPLICAS = 3


def until(holds: Callable[[], Any], seconds: float, *, pause_s: float = 0.02) -> float:
    """Seconds until it held; AssertionError when it does not hold in time."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds
        time.sleep(pause_s)
    return time.monotonic() - begun


class Fleet:
    """The gateways, and how to ask them."""

    def __init__(self, gateways: list[GatewayProcess]) -> None:
        self.gateways = gateways

    def ask(self, number: int, **fields: Any) -> httpx.Response:
        """One request to one gateway, at 512 unless told otherwise."""
        body = {"model": NANO_BANANA_2, "prompt": "a fox", "resolution": "512", **fields}
        return httpx.post(f"{self.gateways[number].url}/v1/images/generations", json=body, timeout=60)

    def ask_all(self, requests: int, *, at_once: int = 12, **fields: Any) -> list[httpx.Response]:
        """So many requests, to the gateways by turns."""
        with ThreadPoolExecutor(at_once) as callers:
            return list(callers.map(lambda number: self.ask(number % len(self.gateways), **fields), range(requests)))

    def plan(self, number: int) -> dict[str, Any]:
        """What one gateway would do with such a request."""
        body = {"model": NANO_BANANA_2, "prompt": "a fox", "resolution": "512"}
        reply = httpx.post(f"{self.gateways[number].url}/v1/route", json=body, timeout=30).raise_for_status()
        plan: dict[str, Any] = reply.json()
        return plan

    def windows(self, number: int) -> dict[tuple[str, ...], dict[str, Any]]:
        """What one gateway knows, by provider, model, operation and resolution, where there was traffic."""
        rows = httpx.get(f"{self.gateways[number].url}/v1/stats", timeout=30).raise_for_status().json()["data"]
        return {
            (row["provider"], row["model"], row["operation"], row["resolution"]): row["windows"]
            for row in rows
            if row["windows"]["30d"]["samples"]
        }

    def samples(self, number: int) -> dict[str, int]:
        """Tries one gateway knows of, by provider."""
        counted: dict[str, int] = {}
        for (provider, *_), windows in self.windows(number).items():
            counted[provider] = counted.get(provider, 0) + windows["1h"]["samples"]
        return counted

    def store_up(self) -> list[float]:
        """``gateway_stats_store_up`` of every gateway."""
        return [gateway.metrics().total("gateway_stats_store_up") for gateway in self.gateways]

    def everybody_counted(self) -> bool:
        """Whether every gateway has seen the others."""
        return all(gateway.metrics().total("gateway_replicas") == len(self.gateways) for gateway in self.gateways)


def tries(answers: list[httpx.Response]) -> list[dict[str, Any]]:
    """All attempts that the answers tell of."""
    return [attempt for answer in answers for attempt in answer.json()["metadata"]["attempts"]]


@pytest.fixture(scope="session")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    folder = tmp_path_factory.mktemp("simulator")
    with SimulatorProcess(folder, time_scale=TIME_SCALE) as simulator:
        vendors = Vendors(simulator.url)
        yield vendors
        vendors.close()


@pytest.fixture
def vendors(simulation: Vendors) -> Vendors:
    simulation.reset()
    simulation.settle(provider="*", time_scale=TIME_SCALE)
    return simulation


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


@pytest.fixture
def fleet(vendors: Vendors, redis_server: RedisServer, tmp_path: Path) -> Iterator[Fleet]:
    config = write_scaled_config(tmp_path / "config", 1.0)
    with contextlib.ExitStack() as stack:
        gateways = [
            GatewayProcess(
                vendors.url,
                config,
                tmp_path,
                name=f"gateway-{number}",
                environment={"REDIS_URL": redis_server.url},
            )
            for number in range(REPLICAS)
        ]
        # Begun together: each takes a second or two, most of it imports.
        with ThreadPoolExecutor(REPLICAS) as starters:
            list(starters.map(stack.enter_context, gateways))
        fleet = Fleet(gateways)
        until(fleet.everybody_counted, 30.0)
        yield fleet
