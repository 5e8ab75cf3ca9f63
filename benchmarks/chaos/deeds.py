"""Deeds: what is done to a gateway's world, and undone."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import httpx

from benchmarks.rig.go_between import GoBetween
from benchmarks.rig.processes import GatewayProcess
from benchmarks.rig.redis_server import RedisServer
from benchmarks.rig.warped import Warp

SPOOL_LIMIT: Final = 1024 * 1024
"""Bytes beyond which no file of the gateway grows: just what a spooled body begins with, so that a full disk is met by
every one of them and by nothing else."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The world of one case."""

    vendors_url: str
    gateway: GatewayProcess
    redis: RedisServer
    images: Path
    """The image store's folder."""
    warp: Warp | None = None
    between: GoBetween | None = None

    async def order(self, method: str, path: str, **what: Any) -> None:
        """Tell the simulator something."""
        async with httpx.AsyncClient(timeout=30.0) as client:
            (await client.request(method, f"{self.vendors_url}/_control/{path}", **what)).raise_for_status()


class Deed(Protocol):
    """Something that goes wrong for a while."""

    async def begin(self, stage: Stage) -> None:
        """Do it."""

    async def end(self, stage: Stage) -> None:
        """Undo it, as far as that can be."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The callers alone are the trouble."""

    async def begin(self, stage: Stage) -> None:
        """Nothing happens."""

    async def end(self, stage: Stage) -> None:
        """Nothing is undone."""


@dataclass(frozen=True, slots=True)
class VendorFails:
    """A vendor, or ``*`` for all, shows a fault of the simulator's."""

    provider: str
    kind: str

    async def begin(self, stage: Stage) -> None:
        """From the next request on."""
        body = {"provider": self.provider, "kind": self.kind}
        await stage.order("POST", "faults", json=body)

    async def end(self, stage: Stage) -> None:
        """The vendor is well again."""
        await stage.order("DELETE", "faults")


@dataclass(frozen=True, slots=True)
class VendorSlow:
    """A vendor takes longer than anybody waits here: what is begun there ends by being cancelled, or not at all."""

    provider: str
    latency_s: float = 300.0
    """Vendor seconds of every image."""

    async def begin(self, stage: Stage) -> None:
        """From the next request on."""
        await stage.order("POST", "settings", json={"provider": self.provider, "latency_s": self.latency_s})

    async def end(self, stage: Stage) -> None:
        """As fast as ever."""
        await stage.order("POST", "settings", json={"provider": self.provider, "latency_s": None})


@dataclass(frozen=True, slots=True)
class RedisGone:
    """Redis is killed, and started again at the end or, ``at_once``, right away."""

    at_once: bool = False

    async def begin(self, stage: Stage) -> None:
        """All it held is gone."""
        await asyncio.to_thread(stage.redis.kill)
        if self.at_once:
            await asyncio.to_thread(stage.redis.start)

    async def end(self, stage: Stage) -> None:
        """It is there again, empty."""
        if not self.at_once:
            await asyncio.to_thread(stage.redis.start)


@dataclass(frozen=True, slots=True)
class RedisStalls:
    """Redis accepts connections and answers nothing."""

    async def begin(self, stage: Stage) -> None:
        """It stops in mid-sentence."""
        stage.redis.stall()

    async def end(self, stage: Stage) -> None:
        """It goes on."""
        stage.redis.go_on()


@dataclass(frozen=True, slots=True)
class RedisFull:
    """Redis refuses every write, as it does when its memory is used up and it may evict nothing."""

    async def begin(self, stage: Stage) -> None:
        """From the next write on."""
        await asyncio.to_thread(stage.redis.configure, "maxmemory", "1")

    async def end(self, stage: Stage) -> None:
        """There is room again."""
        await asyncio.to_thread(stage.redis.configure, "maxmemory", "0")


@dataclass(frozen=True, slots=True)
class StoreUnwritable:
    """A file stands where the image store's folder was: nothing can be written there, by whatever user."""

    async def begin(self, stage: Stage) -> None:
        """The folder is moved away."""
        if stage.images.exists():
            stage.images.rename(stage.images.with_suffix(".away"))
        stage.images.touch()

    async def end(self, stage: Stage) -> None:
        """It is back."""
        stage.images.unlink()
        if (away := stage.images.with_suffix(".away")).exists():
            away.rename(stage.images)


@dataclass(frozen=True, slots=True)
class DiskFull:
    """No file of the gateway may grow beyond ``SPOOL_LIMIT``: writing on fails as on a full disk."""

    async def begin(self, stage: Stage) -> None:
        """From the next write on, that of files already open too."""
        _, hard = resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE, (SPOOL_LIMIT, hard))

    async def end(self, stage: Stage) -> None:
        """There is room again."""
        _, hard = resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(stage.gateway.pid, resource.RLIMIT_FSIZE, (hard, hard))


@dataclass(frozen=True, slots=True)
class NamesGone:
    """No name has an address. The case must be warped."""

    async def begin(self, stage: Stage) -> None:
        """From the next look-up on; connections that are open stay."""
        _warp(stage).set(nameless=True)

    async def end(self, stage: Stage) -> None:
        """Names are found again."""
        _warp(stage).set()


@dataclass(frozen=True, slots=True)
class ClockJumps:
    """The machine's wall clock is set. The case must be warped."""

    seconds: int

    async def begin(self, stage: Stage) -> None:
        """All at once."""
        _warp(stage).set(seconds=self.seconds)

    async def end(self, stage: Stage) -> None:
        """And back."""
        _warp(stage).set()


@dataclass(frozen=True, slots=True)
class ConnectionsReset:
    """Every connection to the vendor is reset, at whatever moment. The case must go through a go-between."""

    async def begin(self, stage: Stage) -> None:
        """Open ones too."""
        _between(stage).reset(True)

    async def end(self, stage: Stage) -> None:
        """They hold again."""
        _between(stage).reset(False)


@dataclass(frozen=True, slots=True)
class CertificateExpired:
    """The vendor shows a certificate that is over. The case must go through a go-between with TLS."""

    async def begin(self, stage: Stage) -> None:
        """From the next connection on; open ones are dropped."""
        _between(stage).show_certificate(expired=True)

    async def end(self, stage: Stage) -> None:
        """It has got a new one."""
        _between(stage).show_certificate(expired=False)


@dataclass(frozen=True, slots=True)
class Killed:
    """The gateway is killed, whatever it is at, and started again at once."""

    async def begin(self, stage: Stage) -> None:
        """Nothing is said to anybody."""
        await asyncio.to_thread(stage.gateway.kill)
        await asyncio.to_thread(stage.gateway.start)

    async def end(self, stage: Stage) -> None:
        """It runs already."""


@dataclass(frozen=True, slots=True)
class WorkerKilled:
    """One of several workers is killed, whatever it is at; its supervisor is to start another."""

    async def begin(self, stage: Stage) -> None:
        """Nothing is said to anybody."""
        worker = await asyncio.to_thread(stage.gateway.worker)
        os.kill(worker, signal.SIGKILL)

    async def end(self, stage: Stage) -> None:
        """The other one runs by now."""


def _warp(stage: Stage) -> Warp:
    if stage.warp is None:
        raise RuntimeError("this case is not warped")
    return stage.warp


def _between(stage: Stage) -> GoBetween:
    if stage.between is None:
        raise RuntimeError("this case has no go-between")
    return stage.between
