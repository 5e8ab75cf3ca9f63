"""Summary: the runs of one router over the seeds of a world, as one line of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import Final

from benchmarks.routing.intervals import Interval, bootstrap
from benchmarks.routing.measure import Run, quantile
from benchmarks.routing.worlds import RANDOM

ORACLE: Final = "oracle"
"""The router whom all are measured against."""


@dataclass(frozen=True, slots=True)
class Line:
    """One router in one world, all seeds together. Seconds, USD, shares from 0 to 1."""

    world: str
    router: str
    seeds: int
    cost: float
    """J of one request."""
    ratio: Interval
    """J over the oracle's."""
    worst: float
    """The largest ratio of a seed."""
    success: float
    failed: int
    hurt: float
    """Share of users hurt."""
    p50_s: float
    p95_s: float
    p99_s: float
    dollars: float
    """Per delivered image."""
    tries: float
    """Per request."""
    fallbacks: float
    """Share of requests that needed a second try."""
    hedges: float
    """Share of requests that were hedged."""
    leave_s: float | None
    """Median over the sicknesses that the oracle left; infinite: not before the recovery; None: nothing to measure."""
    return_s: float | None
    """The same for returning."""


def groups(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """The runs by (world, router), in the order in which they come."""
    grouped: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.world, run.router), []).append(run)
    return grouped


def lines(runs: Sequence[Run]) -> list[Line]:
    """A line for every world and router."""
    oracle = {(run.world, run.seed): run for run in runs if run.router == ORACLE}
    return [_line(world, router, group, oracle) for (world, router), group in groups(runs).items()]


def overall(runs: Sequence[Run], router: str, *, random: bool) -> Interval | None:
    """Mean ratio over the named worlds, or over the random ones; None when there are none."""
    ratios: dict[str, list[float]] = {}
    for run in runs:
        if run.router == router and (run.world == RANDOM) is random:
            ratios.setdefault(run.world, []).append(run.ratio)
    return bootstrap(list(ratios.values())) if ratios else None


def _line(world: str, router: str, runs: Sequence[Run], oracle: Mapping[tuple[str, int], Run]) -> Line:
    requests = sum(run.requests for run in runs)
    wanted = max(1, sum(run.wanted for run in runs))
    failed = sum(run.failed for run in runs)
    return Line(
        world=world,
        router=router,
        seeds=len(runs),
        cost=sum(run.cost for run in runs) / requests,
        ratio=bootstrap([[run.ratio for run in runs]]),
        worst=max(run.ratio for run in runs),
        success=1.0 - failed / wanted,
        failed=failed,
        hurt=sum(run.hurt for run in runs) / wanted,
        p50_s=fmean(run.p50_s for run in runs),
        p95_s=fmean(run.p95_s for run in runs),
        p99_s=fmean(run.p99_s for run in runs),
        dollars=sum(run.money for run in runs) / max(1, sum(run.delivered for run in runs)),
        tries=sum(run.tries for run in runs) / requests,
        fallbacks=sum(run.first_elsewhere for run in runs) / requests,
        hedges=sum(run.hedges for run in runs) / requests,
        leave_s=_median([(run.leave_s, oracle[run.world, run.seed].leave_s) for run in runs]),
        return_s=_median([(run.return_s, oracle[run.world, run.seed].return_s) for run in runs]),
    )


def _median(pairs: Sequence[tuple[Mapping[int, float | None], Mapping[int, float | None]]]) -> float | None:
    found: list[float] = []
    for mine, oracles in pairs:
        for number, seconds in mine.items():
            if oracles.get(number) is not None:
                found.append(inf if seconds is None else seconds)
    return quantile(sorted(found), 0.5) if found else None
