"""Run: the whole soak, each program a process of its own."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx

from benchmarks.over_http.scaled_config import write_scaled_config
from benchmarks.over_http.scripts import SUCCESS
from benchmarks.rig.answers import Seen, seen
from benchmarks.rig.books import accounts
from benchmarks.rig.caller import Call, call
from benchmarks.rig.orders import KINDS, Order, Orders, drawn
from benchmarks.rig.processes import GatewayProcess, SimulatorProcess
from benchmarks.rig.redis_server import RedisServer, own_redis
from benchmarks.soak.judge import Soaked
from benchmarks.soak.sampling import LOOK_S, Sampler, Window
from benchmarks.soak.trouble import Trouble, troubles

TIME_SCALE: Final = 10.0
"""Vendor seconds per real second: images take one to five seconds."""
TIMEOUT_S: Final = 100.0
"""The deadline callers name."""
PATIENCE_S: Final = 160.0
"""A caller who was not answered by then counts as forgotten."""
MOST_AT_ONCE: Final = 24
"""Beyond it a request that is due is left out: on a busy machine the load must not pile up."""
REST_S: Final = 35.0
"""Longer than idle connections to vendors are kept: 15 s, and they are looked for as often."""
KEY: Final = "soak-key-of-no-value"
_CHANGED: Final[Mapping[str, str]] = {"out_probe_s": "20.0", "out_long_s": "40.0"}
"""So that a vendor whose key was refused for a while is back within the soak."""


@dataclass(slots=True)
class _Load:
    """What the load has brought so far."""

    answers: list[Seen] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    left_out: int = 0
    troubles: list[Trouble] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """A soak that has been run."""

    soaked: Soaked
    seconds: float
    rate: float
    left_out: int
    """Requests that were due and not sent, because too many were under way."""
    troubles: list[Trouble]


async def run(seconds: float, rate: float, window_s: float, *, seed: int, work: Path | None = None) -> Result:
    """Soak for so many seconds at so many requests a second. ``work`` is the folder for what the programs write."""
    with tempfile.TemporaryDirectory(prefix="soak-", dir=work) as name, own_redis() as redis:
        folder = Path(name)
        spool = folder / "spool"
        spool.mkdir()
        config = write_scaled_config(folder / "config", 1.0, changed=_CHANGED)
        environment = {
            "REDIS_URL": redis.url,
            "GATEWAY_API_KEYS": KEY,
            "GATEWAY_SPOOL_DIR": str(spool),
            "GATEWAY_DATA_DIR": str(folder / "data"),
            "GATEWAY_IMAGE_TTL_S": "60",
        }
        with (
            SimulatorProcess(folder, time_scale=TIME_SCALE, options=("--bytes-per-pixel", "1")) as vendors,
            GatewayProcess(vendors.url, config, folder, environment=environment) as gateway,
        ):
            _make_well(vendors.url)
            soak = _Soak(gateway.url, vendors.url, redis, Random(seed))
            sampler = Sampler(gateway.url, gateway.pid, spool)
            try:
                return await soak.run(seconds, rate, window_s, sampler)
            finally:
                await sampler.close()


class _Soak:
    def __init__(self, url: str, vendors_url: str, redis: RedisServer, dice: Random) -> None:
        self._url = url
        self._vendors_url = vendors_url
        self._redis = redis
        self._dice = dice
        self._orders = Orders(KEY, timeout_s=TIMEOUT_S)
        self._load = _Load()
        self._begun = time.monotonic()

    async def run(self, seconds: float, rate: float, window_s: float, sampler: Sampler) -> Result:
        before = await self._warm(sampler)
        self._begun = time.monotonic()
        side = [asyncio.create_task(self._trouble(each)) for each in troubles(seconds, self._dice)]
        windows: list[Window] = []
        watching = asyncio.create_task(self._watch(sampler, window_s, windows))
        try:
            await self._arrivals(seconds, rate)
            await asyncio.gather(*side)
            unanswered = await self._awaited()
        finally:
            for task in (*side, watching, *self._load.running):
                task.cancel()
            await asyncio.gather(watching, *side, *self._load.running, return_exceptions=True)
        after = await self._rested(sampler)
        async with httpx.AsyncClient(timeout=60.0) as client:
            books = (await client.get(f"{self._vendors_url}/_control/books")).raise_for_status().json()
        return Result(
            Soaked(
                windows,
                before,
                after,
                self._load.answers,
                accounts(books, [await sampler.metrics()]),
                unanswered,
            ),
            seconds,
            rate,
            self._load.left_out,
            self._load.troubles,
        )

    async def _warm(self, sampler: Sampler) -> Window:
        """One request of every kind, and a rest: what is made once is made."""
        await asyncio.gather(*(self._ask(name, kind.draw(self._orders, self._dice)) for name, kind in KINDS.items()))
        return await self._rested(sampler)

    async def _awaited(self) -> int:
        """How many requests are not over although their callers have lost their patience."""
        if not self._load.running:
            return 0
        _, unanswered = await asyncio.wait(self._load.running, timeout=PATIENCE_S)
        return len(unanswered)

    async def _rested(self, sampler: Sampler) -> Window:
        await asyncio.sleep(REST_S)
        sampler.forget()
        return await sampler.window(time.monotonic() - self._begun, len(self._load.answers))

    async def _arrivals(self, seconds: float, rate: float) -> None:
        at = self._dice.expovariate(rate)
        while at < seconds:
            await asyncio.sleep(max(self._begun + at - time.monotonic(), 0.0))
            if len(self._load.running) < MOST_AT_ONCE:
                task = asyncio.create_task(self._ask(*drawn(self._orders, self._dice)))
                self._load.running.add(task)
                task.add_done_callback(self._load.running.discard)
            else:
                self._load.left_out += 1
            at += self._dice.expovariate(rate)

    async def _ask(self, kind: str, order: Order) -> None:
        heard = await call(self._url, order.call, order.manner, patience_s=PATIENCE_S)
        answer = await asyncio.to_thread(seen, kind, heard, wanted=order.wanted, refused=order.refused)
        self._load.answers.append(answer)
        for url in answer.urls:
            path = url.removeprefix(self._url)
            fetched = await call(self._url, Call(path, method="GET"), patience_s=PATIENCE_S)
            good = fetched.status == httpx.codes.OK and fetched.headers["content-type"].startswith("image/")
            wrong = "" if good and fetched.whole else "an image that cannot be fetched"
            self._load.answers.append(Seen("fetch", str(fetched.status), fetched.seconds, wrong=wrong))

    async def _watch(self, sampler: Sampler, window_s: float, windows: list[Window]) -> None:
        due = self._begun + window_s
        while True:
            await asyncio.sleep(LOOK_S)
            if time.monotonic() < due:
                await sampler.look()
                continue
            due += window_s
            windows.append(await sampler.window(time.monotonic() - self._begun, len(self._load.answers)))

    async def _trouble(self, trouble: Trouble) -> None:
        await asyncio.sleep(max(self._begun + trouble.at - time.monotonic(), 0.0))
        self._load.troubles.append(trouble)
        if trouble.what == "fault":
            async with httpx.AsyncClient(timeout=60.0) as client:
                (await client.post(f"{self._vendors_url}/_control/faults", json=trouble.fault)).raise_for_status()
        elif trouble.what == "killed":
            await asyncio.to_thread(self._redis.kill)
            await asyncio.sleep(trouble.lasts)
            await asyncio.to_thread(self._redis.start)
        else:
            with self._redis.stalled():
                await asyncio.sleep(trouble.lasts)


def _make_well(vendors_url: str) -> None:
    """As reliable as the catalog expects them."""
    for provider, success in SUCCESS.items():
        body = {"provider": provider, "success_rate": success}
        httpx.post(f"{vendors_url}/_control/settings", json=body, timeout=30).raise_for_status()
