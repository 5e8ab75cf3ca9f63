"""A running simulator for the session, and gateways started in front of it as each test wants them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.catalog.catalog import Catalog
from app.demo import simulated_settings
from app.main import create_app, load
from app.serving.wire import BoundedProtocol
from app.settings import Settings
from providers.registry import PROVIDERS
from routing.prices import PriceTable
from simulator.server import create_app as create_simulator
from simulator.settings import SimulatorSettings
from tests.servers import running

NANO_BANANA_2 = "gemini-3.1-flash-image-preview"
TIME_SCALE = 150.0

StartGateway = Callable[..., str]


class Vendors:
    """The simulator as a test controls it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30)

    def reset(self) -> None:
        self._client.post("/_control/reset", json={"seed": 1}).raise_for_status()
        self.settle(provider="*", time_scale=TIME_SCALE)

    def fail(self, provider: str, kind: str, **more: Any) -> None:
        body = {"provider": provider, "model": "*", "kind": kind, **more}
        self._client.post("/_control/faults", json=body).raise_for_status()

    def recover(self) -> None:
        self._client.delete("/_control/faults").raise_for_status()

    def settle(self, **settings: Any) -> None:
        self._client.post("/_control/settings", json=settings).raise_for_status()

    def books(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._client.get("/_control/books").json()
        return rows

    def sums(self, provider: str) -> dict[str, Any]:
        mine = [row for row in self.books() if row["provider"] == provider]
        return {
            "requests": sum(row["requests"] for row in mine),
            "images": sum(row["images"] for row in mine),
            "billed": sum((Decimal(row["billed_usd"]) for row in mine), Decimal(0)),
            "cancelled": sum(row["cancelled"] for row in mine),
        }

    def requests(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._client.get("/_control/requests").json()
        return rows

    def inputs(self, provider: str) -> list[dict[str, Any]]:
        """The input images one vendor received, in order."""
        rows: list[dict[str, Any]] = self._client.get("/_control/inputs").json()
        return [row for row in rows if row["provider"] == provider]

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="session")
def simulator() -> Iterator[Vendors]:
    with running(create_simulator(SimulatorSettings(seed=1, time_scale=TIME_SCALE))) as url:
        vendors = Vendors(url)
        yield vendors
        vendors.close()


@pytest.fixture
def vendors(simulator: Vendors) -> Vendors:
    simulator.reset()
    return simulator


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    return load(Settings(_env_file=None))


def adjusted(
    catalog: Catalog, *, policy: Mapping[str, Any], cheapest: str | None = None, attempt_limit_s: float | None = None
) -> Catalog:
    """The shipped facts with other knobs; ``cheapest`` halves one provider's prices until nobody is cheaper."""
    knobs = dict(policy)
    if attempt_limit_s is not None:
        knobs["attempt_limit_s"] = MappingProxyType(dict.fromkeys(catalog.policy.attempt_limit_s, attempt_limit_s))
    lines = tuple(
        replace(line, images=MappingProxyType({tier: price / 100 for tier, price in line.images.items()}))
        if line.provider == cheapest
        else line
        for line in catalog.prices.lines
    )
    return replace(catalog, policy=replace(catalog.policy, **knobs), prices=PriceTable(lines))


@pytest.fixture
def start(vendors: Vendors, shipped: Catalog, tmp_path: Path) -> Iterator[StartGateway]:
    """Start a gateway; everything is stopped at the end of the test."""
    with contextlib.ExitStack() as stack:

        def started(
            *,
            providers: tuple[str, ...] = PROVIDERS,
            policy: Mapping[str, Any] = MappingProxyType({}),
            cheapest: str | None = None,
            attempt_limit_s: float | None = None,
            vendor_keys: Mapping[str, SecretStr] = MappingProxyType({}),
            **settings: Any,
        ) -> str:
            base = Settings(
                _env_file=None, **{"gateway_spool_dir": tmp_path, "gateway_data_dir": tmp_path / "data", **settings}
            )
            own = simulated_settings(base, providers, vendors.url).model_copy(update=dict(vendor_keys))
            catalog = adjusted(shipped, policy=policy, cheapest=cheapest, attempt_limit_s=attempt_limit_s)
            return stack.enter_context(running(create_app(own, catalog=catalog), http=BoundedProtocol))

        yield started


@pytest.fixture(scope="session")
def _plain(simulator: Vendors, shipped: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("plain")
    base = Settings(_env_file=None, gateway_spool_dir=folder, gateway_data_dir=folder / "data")
    app = create_app(simulated_settings(base, PROVIDERS, simulator.url), catalog=shipped)
    with running(app, http=BoundedProtocol) as url:
        yield url


@pytest.fixture
def plain(vendors: Vendors, _plain: str) -> str:
    """A gateway with nothing set, for tests in which no vendor fails: it serves many, and remembers how offers did."""
    return _plain
