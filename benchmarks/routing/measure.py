"""Measure: what a run's records come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any, Final

from benchmarks.routing.engine import Record
from benchmarks.routing.router import Objective
from benchmarks.routing.world import Sickness, World
from providers.spec.request import Resolution
from routing.steps import Ending

HURT_FACTOR: Final = 3.0
"""A user is hurt by a failure, or by waiting for more than so many times the oracle's median at that tier."""
LEFT_SHARE: Final = 0.10
"""A provider was left when fewer than this share of the next requests begin there."""
BACK_SHARE: Final = 0.5
"""A router is back when so much of the provider's normal share begins there again."""
NEXT_REQUESTS: Final = 20
"""Over how many requests such a share is taken."""
NORMAL_S: Final = 900.0
"""The normal share is that of the quarter of an hour before the onset."""
LEAST_NORMAL_SHARE: Final = 0.2
"""Who sent less there beforehand has nothing to leave."""
BIN_S: Final = 60.0
"""Width of the bins in which traffic is drawn."""


@dataclass(frozen=True, slots=True)
class Run:
    """One router in one world. Seconds, USD, shares from 0 to 1."""

    world: str
    seed: int
    router: str
    objective: str
    requests: int
    cost: float
    """J in all."""
    wanted: int
    """Requests that were not refused."""
    failed: int
    hurt: int
    p50_s: float
    p95_s: float
    p99_s: float
    """Of answered requests, refusals left out."""
    money: float
    delivered: int
    tries: int
    hedges: int
    first_elsewhere: int
    """Requests that needed a second try."""
    leave_s: dict[int, float | None] = field(default_factory=dict)
    """By sickness: from its onset until the router had left; None: not before the recovery. Where there was nothing to
    leave there is no entry."""
    return_s: dict[int, float | None] = field(default_factory=dict)
    """By sickness: from the recovery until the router was back; None: not before the next one. Where it never left
    there is no entry."""
    traffic: dict[str, list[int]] = field(default_factory=dict)
    """Requests that began at each provider, by bins."""
    ratio: float = 0.0
    """J over the oracle's in the same world."""
    payment_bound: int = 0
    """Of the failed: those ended because no further try may be billed (``max_possible_payments`` of the policy)."""

    def as_json(self) -> dict[str, Any]:
        """For the results file."""
        return asdict(self)


def cost(record: Record, objective: Objective) -> float:
    """J of one request."""
    penalty = objective.failure_usd if record.failed else 0.0
    return record.money + objective.value_of_time * record.seconds + penalty


def normal_seconds(records: Sequence[Record]) -> dict[Resolution, float]:
    """The median of delivered requests by tier; of the oracle's run, it is what is normal in a world."""
    by_tier: dict[Resolution, list[float]] = {}
    for record in records:
        if record.fault is None:
            by_tier.setdefault(record.request.resolution, []).append(record.seconds)
    return {tier: quantile(sorted(seconds), 0.5) for tier, seconds in by_tier.items()}


def measured(
    world: World,
    router: str,
    objective: Objective,
    records: Sequence[Record],
    normal: Mapping[Resolution, float],
    oracle_cost: float | None = None,
) -> Run:
    """What these records come to. ``oracle_cost`` None: this run is the oracle's."""
    total = sum(cost(record, objective) for record in records)
    wanted = [record for record in records if record.failed or record.fault is None]
    seconds = sorted(record.seconds for record in wanted if not record.failed)
    leave_s, return_s = _moves(world, records)
    return Run(
        world=world.name,
        seed=world.seed,
        router=router,
        objective=objective.name,
        requests=len(records),
        cost=total,
        wanted=len(wanted),
        failed=sum(record.failed for record in wanted),
        hurt=sum(_hurt(record, normal) for record in wanted),
        p50_s=quantile(seconds, 0.5),
        p95_s=quantile(seconds, 0.95),
        p99_s=quantile(seconds, 0.99),
        money=sum(record.money for record in records),
        delivered=len(seconds),
        tries=sum(len(record.tries) for record in records),
        hedges=sum(record.hedges for record in records),
        first_elsewhere=sum(len(record.tries) - record.hedges > 1 for record in records),
        leave_s=leave_s,
        return_s=return_s,
        traffic=_traffic(world, records),
        ratio=1.0 if oracle_cost is None else total / oracle_cost,
        payment_bound=sum(record.failed and record.because == Ending.PAYMENTS for record in wanted),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; 0 when there are none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _hurt(record: Record, normal: Mapping[Resolution, float]) -> bool:
    usual = normal.get(record.request.resolution)
    return record.failed or (usual is not None and record.seconds > HURT_FACTOR * usual)


def _traffic(world: World, records: Sequence[Record]) -> dict[str, list[int]]:
    bins = ceil(world.duration_s / BIN_S)
    traffic = {provider: [0] * bins for provider in world.providers}
    for record in records:
        if record.tries:
            start, provider = record.tries[0]
            traffic[provider][min(bins - 1, int(start // BIN_S))] += 1
    return traffic


def _moves(world: World, records: Sequence[Record]) -> tuple[dict[int, float | None], dict[int, float | None]]:
    """Seconds to leave and to return, for each sickness of a provider that had traffic before it."""
    begun = sorted(record.tries[0] for record in records if record.tries)
    leave: dict[int, float | None] = {}
    back: dict[int, float | None] = {}
    for number, sickness in enumerate(world.sicknesses):
        before = [provider for start, provider in begun if sickness.start - NORMAL_S <= start < sickness.start]
        normal = before.count(sickness.provider) / len(before) if before else 0.0
        if normal < LEAST_NORMAL_SHARE:
            continue
        left = _first(begun, sickness, sickness.start, sickness.end, at_least=None, below=LEFT_SHARE)
        leave[number] = left
        relapse = min((each.start for each in world.sicknesses if _relapse(each, sickness)), default=world.duration_s)
        if left is not None and sickness.end + NORMAL_S <= min(relapse, world.duration_s):
            back[number] = _first(begun, sickness, sickness.end, relapse, at_least=BACK_SHARE * normal, below=None)
    return leave, back


def _relapse(other: Sickness, sickness: Sickness) -> bool:
    return other.provider == sickness.provider and other.end > sickness.end


def _first(
    begun: Sequence[tuple[float, str]],
    sickness: Sickness,
    since: float,
    until: float,
    *,
    at_least: float | None,
    below: float | None,
) -> float | None:
    """Seconds from ``since`` to the first request with which the share over the next requests is as asked."""
    times = [start for start, _ in begun]
    there = [provider == sickness.provider for _, provider in begun]
    for place in range(len(begun) - NEXT_REQUESTS + 1):
        if times[place] < since:
            continue
        if times[place] >= until:
            return None
        share = sum(there[place : place + NEXT_REQUESTS]) / NEXT_REQUESTS
        if (at_least is not None and share >= at_least) or (below is not None and share < below):
            return times[place] - since
    return None
