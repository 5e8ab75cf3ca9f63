"""Sampling: a look at the gateway each second, summed up in windows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.image_path.usage import cpu_s
from benchmarks.rig.processes import Metrics
from benchmarks.rig.vitals import Vitals, vitals

LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """What a window of the soak showed. MB are 10^6 bytes; floors are the least that was seen, peaks the most."""

    at_s: float
    """Its end, since the load began."""
    rss_floor_mb: float
    rss_peak_mb: float
    anonymous_floor_mb: float
    anonymous_peak_mb: float
    descriptors: int
    sockets: int
    spooled: int
    """Most spool files at once, open or mapped."""
    threads: int
    tasks: int
    in_flight: int
    """Both as of its end."""
    lag_p50_ms: float
    lag_worst_ms: float
    """What ``/healthz`` took, seen from outside: the event loop's lag, the way there and back, and what a busy machine
    adds."""
    cores: float
    """Cores the gateway kept busy."""
    answered: int
    """Requests so far."""

    def row(self) -> dict[str, float]:
        """For the report."""
        return asdict(self)


class Sampler:
    """Looks at one gateway."""

    def __init__(self, url: str, pid: int, spool: Path) -> None:
        self._url = url
        self._pid = pid
        self._spool = spool
        self._client = httpx.AsyncClient(timeout=60.0)
        self._looks: list[Vitals] = []
        self._lags: list[float] = []
        self._cpu, self._cpu_at = cpu_s(pid), time.monotonic()

    async def look(self) -> None:
        """One look. Raises OSError or httpx.HTTPError when the gateway is not there."""
        begun = time.monotonic()
        (await self._client.get(f"{self._url}/healthz")).raise_for_status()
        self._lags.append(time.monotonic() - begun)
        self._looks.append(await asyncio.to_thread(vitals, self._pid, self._spool))

    async def metrics(self) -> Metrics:
        """The gateway's page as of now."""
        return Metrics((await self._client.get(f"{self._url}/metrics")).raise_for_status().text)

    async def window(self, at_s: float, answered: int) -> Window:
        """What was seen since the last one."""
        await self.look()
        page, looks, lags = await self.metrics(), self._looks, sorted(self._lags)
        cpu, now = cpu_s(self._pid), time.monotonic()
        cores = (cpu - self._cpu) / (now - self._cpu_at)
        self._cpu, self._cpu_at, self._looks, self._lags = cpu, now, [], []
        return Window(
            at_s=round(at_s, 1),
            rss_floor_mb=round(min(each.rss_mb for each in looks), 1),
            rss_peak_mb=round(max(each.rss_mb for each in looks), 1),
            anonymous_floor_mb=round(min(each.anonymous_mb for each in looks), 1),
            anonymous_peak_mb=round(max(each.anonymous_mb for each in looks), 1),
            descriptors=max(each.descriptors for each in looks),
            sockets=max(each.sockets for each in looks),
            spooled=max(each.spooled for each in looks),
            threads=max(each.threads for each in looks),
            tasks=int(page.total("gateway_tasks")),
            in_flight=int(page.total("gateway_in_flight")),
            lag_p50_ms=round(1000 * lags[len(lags) // 2], 1),
            lag_worst_ms=round(1000 * lags[-1], 1),
            cores=round(cores, 3),
            answered=answered,
        )

    def forget(self) -> None:
        """Begin the next window now."""
        self._looks, self._lags = [], []

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()
