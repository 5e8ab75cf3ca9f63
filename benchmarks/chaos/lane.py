"""Lane: carries out cases one after the other, each before a fresh gateway, with a simulator and a Redis of its own."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx

from benchmarks.chaos.case import Case
from benchmarks.chaos.deeds import Stage
from benchmarks.chaos.row import SPARE_TASKS, Asked, Phase, Row
from benchmarks.chaos.signs import Watching
from benchmarks.over_http.scaled_config import write_scaled_config
from benchmarks.rig.answers import seen
from benchmarks.rig.books import accounts
from benchmarks.rig.caller import call
from benchmarks.rig.go_between import GoBetween
from benchmarks.rig.orders import Order, Orders
from benchmarks.rig.ports import held_port
from benchmarks.rig.processes import GatewayProcess, Metrics, SimulatorProcess
from benchmarks.rig.redis_server import RedisServer, own_redis
from benchmarks.rig.vitals import connected_to, vitals
from benchmarks.rig.warped import Warp

CALM_SCALE: Final = 2.0
"""How many times faster than shipped the gateway's policy runs: tries are given up after 37 s and more."""
HURRIED_SCALE: Final = 10.0
"""The same where a silent vendor is to be noticed: after 7 to 9 s."""
_HURRIED: Final[Mapping[str, str]] = {"min_attempt_limit_s": "6.0"}
"""A busy machine must not look like a vendor that hangs; a tenth of what is shipped would be 1.5."""
TIMEOUT_S: Final = 60.0
"""The deadline callers name; those of a hurried gateway half of it."""
PATIENCE_S: Final = 75.0
MOST_AT_ONCE: Final = 400
REDIS_LINKS: Final = 4
"""Connections to Redis a gateway of up to two workers may hold: one for each exchange, and there whenever it likes."""
KEY: Final = "chaos-key-of-no-value"
_WATCH_S: Final = 0.1
_WORKERS_S: Final = 6.0
"""A gateway serves as soon as its first worker does; the others come a little later."""
_CLOSE: Final = {"connection": "close"}
"""Looking must leave no connection behind."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How thorough a run is. Seconds of real time."""

    calm_s: float = 2.0
    lasts: float = 1.0
    """Share of what the catalogue says."""
    after_s: float = 4.0
    rate: float = 2.0
    """Requests per second."""
    time_scale: float = 10.0
    """Vendor seconds per second."""
    rest_s: float = 40.0
    """Longest the gateway may take until it holds no more than before. Idle connections to vendors go within 30 s; in
    less than that they are not waited for."""


FULL: Final = Pace()
SHORT: Final = Pace(calm_s=0.4, lasts=0.25, after_s=0.6, rate=6.0, time_scale=60.0, rest_s=8.0)


class Lane:
    """A simulator and a Redis, for as long as the context lasts, and the cases carried out with them."""

    def __init__(self, pace: Pace, *, seed: int) -> None:
        self._pace = pace
        self._seed = seed
        self._stack = contextlib.ExitStack()
        self._folder = Path()
        self._vendors_url = ""
        self._redis: RedisServer | None = None
        self._number = 0

    def __enter__(self) -> Self:
        """Start them."""
        with contextlib.ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
            options = ("--bytes-per-pixel", "1")
            simulator = SimulatorProcess(self._folder, time_scale=self._pace.time_scale, options=options)
            self._vendors_url = stack.enter_context(simulator).url
            self._redis = stack.enter_context(own_redis("--maxmemory-policy", "noeviction"))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them."""
        self._stack.close()

    async def carry_out(self, case: Case) -> Row:
        """One case from a fresh start to rest. Raises NoCompilerError where it needs one and there is none."""
        self._number += 1
        async with self._staged(case) as stage, httpx.AsyncClient(timeout=30.0, headers=_CLOSE) as client:
            run = _Run(case, self._pace, stage, client, Random(f"{self._seed}/{case.name}"))
            return await run.through()

    @contextlib.asynccontextmanager
    async def _staged(self, case: Case) -> AsyncIterator[Stage]:
        if self._redis is None:
            raise RuntimeError("the lane was not begun")
        async with httpx.AsyncClient(timeout=30.0) as client:
            (await client.post(f"{self._vendors_url}/_control/reset", json={"seed": self._seed})).raise_for_status()
        folder = self._folder / str(self._number)
        spool, data = folder / "spool", folder / "data"
        spool.mkdir(parents=True)
        environment = {
            "REDIS_URL": self._redis.url,
            "REDIS_PREFIX": f"case-{self._number}",
            "GATEWAY_API_KEYS": KEY,
            "GATEWAY_SPOOL_DIR": str(spool),
            "GATEWAY_DATA_DIR": str(data),
            **case.settings,
        }
        async with contextlib.AsyncExitStack() as stack:
            if case.fixed_port:
                environment["GATEWAY_PORT"] = str(stack.enter_context(held_port()))
            warp = Warp(folder) if case.warped else None
            environment |= warp.environment if warp is not None else {}
            between = None
            if case.through:
                port = urlsplit(self._vendors_url).port or 0
                between = await stack.enter_async_context(GoBetween(port, tls=case.tls))
                environment |= _via(between, case, folder)
            config = _config(folder / "config", case)
            gateway = GatewayProcess(self._vendors_url, config, folder, environment=environment)
            await asyncio.to_thread(gateway.start)
            stack.push_async_callback(asyncio.to_thread, gateway.__exit__, None, None, None)
            yield Stage(self._vendors_url, gateway, self._redis, data / "images", warp, between)


class _Run:
    """One case under way."""

    def __init__(self, case: Case, pace: Pace, stage: Stage, client: httpx.AsyncClient, dice: Random) -> None:
        self._case = case
        self._pace = pace
        self._stage = stage
        self._client = client
        self._dice = dice
        self._orders = Orders(KEY, timeout_s=TIMEOUT_S / (2 if case.hurried else 1))
        self._asked: list[Asked] = []
        self._running: set[asyncio.Task[None]] = set()
        self._over_and_done = asyncio.Event()
        self._kinds = list(case.load)
        self._weights = [kind.weight for kind in case.load.values()]

    async def through(self) -> Row:
        pace, case = self._pace, self._case
        await asyncio.gather(
            *(self._ask(Phase.BEFORE, name, kind.draw(self._orders, self._dice)) for name, kind in case.load.items())
        )  # what is made once is made
        await asyncio.sleep(_WORKERS_S if "GATEWAY_WORKERS" in case.settings else 0.0)
        before = await self._held()
        await self._arrivals(Phase.BEFORE, pace.calm_s, pace.rate)
        watching = Watching(case.signs)
        watching.begin(await self._metrics())
        watcher = asyncio.create_task(self._watch(watching, time.monotonic()))
        await case.deed.begin(self._stage)
        try:
            await self._arrivals(Phase.DURING, case.lasts_s * pace.lasts, pace.rate * case.faster)
        finally:
            await case.deed.end(self._stage)
        await self._arrivals(Phase.AFTER, pace.after_s, pace.rate)
        stuck = await self._over()
        self._over_and_done.set()
        await watcher  # not cancelled: a connection that was just being opened would stay
        recovered = await self._served()
        left = await self._left(before)
        async with httpx.AsyncClient(timeout=30.0) as client:
            books = (await client.get(f"{self._stage.vendors_url}/_control/books")).raise_for_status().json()
        page = await self._metrics()
        return Row(
            case,
            self._asked,
            watching.seen,
            accounts(books, [page]),
            sum(int(row["cancelled"]) for row in books),
            stuck,
            left,
            recovered,
        )

    def _drawn(self) -> tuple[str, Order]:
        name = self._dice.choices(self._kinds, self._weights)[0]
        return name, self._case.load[name].draw(self._orders, self._dice)

    async def _arrivals(self, phase: Phase, seconds: float, rate: float) -> None:
        begun, at = time.monotonic(), 0.0
        while (at := at + self._dice.expovariate(rate)) < seconds:
            await asyncio.sleep(max(begun + at - time.monotonic(), 0.0))
            if len(self._running) < MOST_AT_ONCE:
                task = asyncio.create_task(self._ask(phase, *self._drawn()))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        await asyncio.sleep(max(begun + seconds - time.monotonic(), 0.0))

    async def _ask(self, phase: Phase, kind: str, order: Order) -> None:
        heard = await call(self._stage.gateway.url, order.call, order.manner, patience_s=PATIENCE_S)
        answer = await asyncio.to_thread(seen, kind, heard, wanted=order.wanted, refused=order.refused)
        self._asked.append(Asked(phase, answer))

    async def _over(self) -> int:
        if self._running:
            await asyncio.wait(self._running, timeout=PATIENCE_S + 5.0)
        for task in list(self._running):
            task.cancel()
        return len(self._running) + sum(each.seen.told.endswith("unanswered") for each in self._asked)

    async def _served(self) -> bool:
        """Whether a plain request is served now or, where a wait was stated everywhere, soon."""
        give_up = time.monotonic() + TIMEOUT_S
        while True:
            order = self._orders.generation(resolution="1K")
            heard = await call(self._stage.gateway.url, order.call, patience_s=PATIENCE_S)
            answer = seen("afterwards", heard, wanted=1)
            self._asked.append(Asked(Phase.AFTER, answer))
            if answer.told == "200" or time.monotonic() > give_up:
                return answer.told == "200"
            await asyncio.sleep(0.5)

    async def _metrics(self) -> Metrics:
        return Metrics((await self._client.get(f"{self._stage.gateway.url}/metrics")).raise_for_status().text)

    async def _watch(self, watching: Watching, begun: float) -> None:
        while not self._over_and_done.is_set():
            with contextlib.suppress(httpx.HTTPError):  # it may be what is gone
                watching.look(await self._metrics(), time.monotonic() - begun)
            await asyncio.sleep(_WATCH_S)

    async def _held(self) -> dict[str, int]:
        page, gateway = await self._metrics(), self._stage.gateway
        found = await asyncio.to_thread(vitals, gateway.pid, Path(gateway.environment["GATEWAY_SPOOL_DIR"]))
        kept = await asyncio.to_thread(connected_to, gateway.pid, frozenset(self._vendor_ports()))
        redis = await asyncio.to_thread(connected_to, gateway.pid, frozenset({self._stage.redis.port}))
        return {
            "requests in flight": int(page.total("gateway_in_flight")),
            "spool files": found.spooled,
            "tasks": int(page.total("gateway_tasks")),
            "connections of callers and others": found.sockets - kept - redis,
            "connections to vendors": kept,
            "connections to Redis too many": max(redis - REDIS_LINKS, 0),
            "files": found.descriptors - found.sockets,
        }

    def _vendor_ports(self) -> Iterator[int]:
        yield urlsplit(self._stage.vendors_url).port or 0
        if self._stage.between is not None:
            yield self._stage.between.port

    async def _left(self, before: Mapping[str, int]) -> dict[str, int]:
        """What is held more than before, when it does not go within the time to rest."""
        give_up = time.monotonic() + self._pace.rest_s
        patient = self._case.to_the_last and self._pace.rest_s >= FULL.rest_s
        while True:
            now = await self._held()
            more = {what: now[what] - before[what] for what in now if now[what] > before[what]}
            if more.get("tasks", 0) <= SPARE_TASKS:
                more.pop("tasks", None)
            if not patient:
                more.pop("connections to vendors", None)
            if not more or time.monotonic() > give_up:
                return more
            await asyncio.sleep(0.5)


def _config(folder: Path, case: Case) -> Path:
    scale, changed = (HURRIED_SCALE, _HURRIED) if case.hurried else (CALM_SCALE, {})
    return write_scaled_config(folder, scale, changed=changed)


def _via(between: GoBetween, case: Case, folder: Path) -> dict[str, str]:
    """What leads a gateway to a vendor through the go-between, by a name."""
    scheme = "https" if case.tls else "http"
    environment = {f"{case.through.upper()}_BASE_URL": f"{scheme}://localhost:{between.port}/{case.through}"}
    if case.tls:
        authority = folder / "authority.pem"
        between.write_authority(authority)
        environment["SSL_CERT_FILE"] = str(authority)
    return environment
