"""Scenarios: which measurements there are, who takes part in each, and how much load is enough to see a difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from benchmarks.image_path import measure
from benchmarks.image_path.asking import Dialect, generation
from benchmarks.image_path.contestants import Server
from benchmarks.image_path.measure import Bench, Figures
from benchmarks.image_path.usage import memory

ALL: Final = ("ours", "ours-fal", "ours-replicate", "litellm", "portkey", "nginx")
_MAIN: Final = ("ours", "litellm", "portkey", "nginx")
_NONE: Final[Mapping[str, int]] = MappingProxyType({})
_QUICK: Final = 4
"""By how much less a quick run sends."""
LATENCY_S: Final = 6
"""Seconds of 50 requests each; the 99th percentile is then the third slowest of 300."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measurement. ``counts``: requests for those that are much slower or faster than the others."""

    name: str
    told: str
    who: tuple[str, ...]
    measured: Callable[[Bench, Server, int], Figures]
    checked: str = "small"
    """The picture looked at once beforehand; ``edit`` for an edit."""
    count: int = 1
    counts: Mapping[str, int] = field(default_factory=lambda: _NONE)
    fresh: bool = False
    """Whether each measurement has a process of its own, started for it. Else one serves all rounds."""
    once: bool = False
    """Measured in the first round only, because it takes long."""
    long: bool = False
    """Whether peers take minutes; a quick run then measures our gateway alone."""
    files: int = 0
    """Open files the server needs."""

    def taking_part(self, *, quick: bool) -> tuple[str, ...]:
        """Who is measured."""
        return ("ours",) if quick and self.long else self.who

    def count_for(self, name: str, *, quick: bool) -> int:
        """Requests in one round."""
        count = self.counts.get(name, self.count)
        return max(count // _QUICK, 8) if quick and count > 16 and not self.once and not self.fresh else count


def _cpu(size: str, at_once: int) -> Callable[[Bench, Server, int], Figures]:
    def measured(bench: Bench, server: Server, count: int) -> Figures:
        request, least = bench.asked(server, size)
        bench.load(server, request, min(at_once * 2, count), least, open=at_once)  # connections made, caches warm
        return measure.cpu(bench, server, request, least, count=count, at_once=at_once)

    return measured


def _edit_cpu(bench: Bench, server: Server, count: int) -> Figures:
    request, least = measure.edited(server), bench.asked(server, "small")[1]
    bench.load(server, request, 4, least, open=4)
    return measure.cpu(bench, server, request, least, count=count, at_once=4)


def _latency(bench: Bench, server: Server, count: int) -> Figures:
    request, least = bench.asked(server, "small")
    bench.load(server, request, 32, least, open=8)
    direct = generation(Dialect("direct"), "small")
    return measure.latency(bench, server, request, least, count=count, direct=direct)


def _held(size: str, at_once: int, waves: int, *, slow: bool = False) -> Callable[[Bench, Server, int], Figures]:
    def measured(bench: Bench, server: Server, _: int) -> Figures:
        request, least = bench.asked(server, size)
        return measure.held(bench, server, request, least, at_once=at_once, waves=waves, slow=slow)

    return measured


def _edit_held(bench: Bench, server: Server, _: int) -> Figures:
    request, least = measure.edited(server), bench.asked(server, "small")[1]
    return measure.held(bench, server, request, least, at_once=16, waves=3, slow=False)


def _flight(over_s: float) -> Callable[[Bench, Server, int], Figures]:
    return lambda bench, server, count: measure.in_flight(bench, server, count, over_s=over_s)


def _lag(bench: Bench, server: Server, _: int) -> Figures:
    return measure.lag(bench, server, at_once=16, waves=6)


def _start(_: Bench, server: Server, __: int) -> Figures:
    return {"start_s": server.start_s, "idle_mb": memory(server.pid).now}


def _by(**counts: int) -> Mapping[str, int]:
    return MappingProxyType({name.replace("_", "-"): count for name, count in counts.items()})


SCENARIOS: Final = (
    Scenario("start", "start to the first good answer, and memory held then", _MAIN, _start, fresh=True),
    Scenario(
        "small", "smallest images, 64 at once", ALL, _cpu("small", 64), count=2000,
        counts=_by(ours_fal=384, litellm=256, portkey=1500, nginx=6000),
    ),
    Scenario("latency", "smallest images, 50 a second", _MAIN, _latency, count=50 * LATENCY_S),
    Scenario(
        "1k", "1K images, 8 at once", ALL, _cpu("1k", 8), "1k", count=200,
        counts=_by(litellm=64, portkey=64, nginx=400),
    ),
    Scenario(
        "4k", "4K images, 4 at once", ALL, _cpu("4k", 4), "4k", count=128,
        counts=_by(ours_fal=32, litellm=16, portkey=16, nginx=192),
    ),
    Scenario("edit", "edits of an 11 MB upload, 4 at once", _MAIN, _edit_cpu, "edit", count=32, counts=_by(litellm=16)),
    Scenario("held16", "4K images, 16 at once", _MAIN, _held("4k", 16, 3), "4k", fresh=True),
    Scenario("held64", "4K images, 64 at once", _MAIN, _held("4k", 64, 2), "4k", fresh=True, long=True),
    Scenario(
        "slow16", "4K images, 16 clients reading 1 MB/s", _MAIN, _held("4k", 16, 1, slow=True), "4k", fresh=True,
        once=True, long=True,
    ),
    Scenario("edit16", "edits of an 11 MB upload, 16 at once", _MAIN, _edit_held, "edit", fresh=True, long=True),
    Scenario("lag", "4K images, 16 at once, and a probe every 5 ms", ("ours",), _lag, "4k", fresh=True),
    Scenario(
        "flight2000", "2,000 requests over 2 s, upstream takes 10 s", _MAIN, _flight(2.0), count=2000, fresh=True,
        once=True, long=True, files=4600,
    ),
    Scenario(
        "flight5000", "5,000 requests over 5 s, upstream takes 10 s", ("ours", "nginx"), _flight(5.0), count=5000,
        fresh=True, once=True, long=True, files=10600,
    ),
)  # fmt: skip
"""In the order they are run in."""
