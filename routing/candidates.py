"""Candidates: ranked offers as a plan or a later try has them, each with the reason for where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from providers.spec.errors import Fault
from providers.spec.request import Resolution
from routing.attempt import Attempt
from routing.health import HealthState
from routing.knobs import Objective
from routing.objective import index_of
from routing.ranking import Entry, Ranked, why_before
from routing.reasons import (
    about,
    back_reason,
    beside,
    blocked_reason,
    exploring_reason,
    figures_told,
    first_reason,
    following,
    full_reason,
    index_reason,
    last_resort_reason,
    later_reason,
    objective_told,
    only_reason,
    open_reason,
    out_probe_reason,
    out_reason,
    since,
    trial_reason,
)
from routing.route_plan import Candidate, Rejection, RoutePlan
from routing.wishes import RouteWishes

USABLE = frozenset({HealthState.SERVING, HealthState.PROBE_DUE, HealthState.HALF_OPEN})
"""States in which an offer may be tried at once."""
_LOOKED_AT = frozenset({HealthState.PROBE_DUE, HealthState.HALF_OPEN})
"""States in which a try looks whether the offer is back."""


def in_order(
    placed: Sequence[Ranked],
    resolution: Resolution | None,
    wishes: RouteWishes,
    *,
    objective_name: str,
    remaining_s: float,
    explored: Ranked | None,
    others_rest: bool,
) -> tuple[Candidate, ...]:
    """The candidates of a plan, in order, from the entries as ``ranked`` gave them.

    ``explored``: the one of them that goes first because it may have become the best; the others say where they stand
    as if it did not. ``others_rest``: there are offers that could serve and cannot be asked just now.
    """
    candidates: list[Candidate] = []
    for rank, each in enumerate(placed):
        entry = each.entry
        figures = _figures(entry, resolution)
        if each is explored:
            candidates.insert(0, _candidate(each, exploring_reason(figures), probe=True))
            continue
        reason = _probe_reason(entry, figures)
        probe = reason is not None
        if reason is None and rank == 0:
            reason = _first_reason(placed, figures, objective_name, wishes, remaining_s, others_rest=others_rest)
        elif reason is None:
            reason = _later_reason(placed, rank, figures, wishes, remaining_s)
        candidates.append(_candidate(each, reason, probe=probe))
    return tuple(candidates)


def last_resort(entry: Entry, objective: Objective, *, now: float) -> Candidate:
    """A candidate that may not be tried just now, in a plan that has no others."""
    back = kept_back(entry, now=now)
    return _candidate(Ranked(entry, index_of(entry.option, objective)), _resort_reason(back), probe=False, kept=back)


def candidate_now(
    plan: RoutePlan,
    chosen: Ranked,
    attempts: Sequence[Attempt],
    *,
    now: float,
    placed: Sequence[Ranked] = (),
    running: str | None = None,
) -> Candidate:
    """The candidate as it is tried by now, which may be one that was kept back when the plan was made.

    ``placed``: whom it was chosen from, itself first; needed before the first attempt, when nothing else says why.
    ``running``: the provider that is still at work, for a hedge.
    """
    entry = chosen.entry
    offer = entry.offer
    figures = _figures(entry, plan.resolution)
    again = any(attempt.offer.key == offer.key for attempt in attempts)
    reason = probing = _probe_reason(entry, figures)
    if entry.state not in USABLE:
        reason = _resort_reason(kept_back(entry, now=now))
    elif reason is None and not again and _was_kept_back(plan, offer.key):
        reason = back_reason(figures)
    elif reason is None and running is None and not attempts:
        rest = len(plan.candidates) > 1 or any(each.fault is not None for each in plan.rejections)
        remaining = plan.deadline_at - now
        reason = _first_reason(placed, figures, plan.objective_name, plan.wishes, remaining, others_rest=rest)
    elif reason is None:
        reason = index_reason(chosen.index, figures)
    if running is not None:
        reason = following(beside(running), reason)
    elif attempts:
        reason = following(since(attempts[-1], again=again), reason)
    return _candidate(chosen, reason, probe=probing is not None)


def kept_back(entry: Entry, *, now: float) -> Rejection:
    """The rejection of a capable offer that may not be tried just now."""
    health, ends = entry.health, until(entry, now=now)
    if entry.state is HealthState.BLOCKED:
        reason, fault = blocked_reason(ends - now), Fault.RATE_LIMITED
    elif entry.state is HealthState.OUT and health.out_fault is not None:
        reason, fault = out_reason(health.out_fault, ends - now), health.out_fault
    elif entry.state is HealthState.OPEN:
        reason, fault = open_reason(ends - now), Fault.OVERLOADED
    else:
        reason, fault = full_reason(), Fault.RATE_LIMITED
    return Rejection(entry.offer, reason, fault=fault, blocked_until=ends, quote=entry.quote)


def until(entry: Entry, *, now: float) -> float:
    """Unix seconds from which on a kept-back offer may be tried again, as far as is known."""
    health = entry.health
    if entry.state is HealthState.BLOCKED:
        return health.blocked_until
    if entry.state is HealthState.OUT:
        return health.next_probe_at
    if entry.state is HealthState.OPEN:
        return max(health.breaker.open_until, now)
    return now


def _was_kept_back(plan: RoutePlan, key: str) -> bool:
    return all(each.offer.key != key or each.kept_back is not None for each in plan.candidates)


def _figures(entry: Entry, resolution: Resolution | None) -> str:
    return figures_told(entry.quote.told, resolution, entry.option.mean_s, entry.option.success)


def _probe_reason(entry: Entry, figures: str) -> str | None:
    """What the entry is a probe for; None: it is none."""
    if entry.state not in _LOOKED_AT:
        return None
    if entry.state is HealthState.HALF_OPEN:
        return trial_reason(figures)
    if entry.health.out_fault is not None:
        return out_probe_reason(entry.health.out_fault, figures)
    return None


def _first_reason(
    placed: Sequence[Ranked],
    figures: str,
    objective_name: str,
    wishes: RouteWishes,
    remaining_s: float,
    *,
    others_rest: bool,
) -> str:
    if len(placed) < 2:
        return only_reason(figures, others_rest=others_rest)
    own, second = placed[0], placed[1]
    rival = min(placed[1:], key=lambda each: each.index)
    return first_reason(
        why_before(own, rival, wishes, remaining_s=remaining_s),
        own.index,
        rival.entry.offer.provider,
        rival.index,
        f"{second.entry.offer.provider} at {second.index:.4f}",
        objective=objective_told(objective_name, wishes.value_of_time_usd_per_s),
        figures=figures,
    )


def _later_reason(placed: Sequence[Ranked], rank: int, figures: str, wishes: RouteWishes, remaining_s: float) -> str:
    own, previous, first = placed[rank], placed[rank - 1], placed[0]
    # Of neighbours that are equally good the one before says more than the first does.
    other = previous if previous.index == own.index else first
    cause = why_before(other, own, wishes, remaining_s=remaining_s)
    return later_reason(cause, own.index, other.entry.offer.provider, other.index, figures)


def _resort_reason(back: Rejection) -> str:
    return last_resort_reason(about(back.offer.provider, back.reason))


def _candidate(each: Ranked, reason: str, *, probe: bool, kept: Rejection | None = None) -> Candidate:
    entry = each.entry
    return Candidate(
        offer=entry.offer,
        quote=entry.quote,
        index=each.index,
        reason=reason,
        probe=probe,
        expected_seconds=entry.option.mean_s,
        success=entry.option.success,
        success_low=entry.estimate.success_low,
        success_high=entry.estimate.success_high,
        samples=entry.estimate.samples,
        state=entry.state,
        kept_back=kept,
    )
