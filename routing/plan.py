"""The plan: which offers to try for a request and in which order, which not, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from providers.spec.errors import Fault
from providers.spec.request import ImageRequest, Resolution
from routing.health import UNTRIED, Health, HealthState
from routing.knobs import Objective
from routing.objective import index_of
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import PriceTable, Quote
from routing.ranking import Entry, Ranked, entry_of, ranked, worth_exploring
from routing.reasons import (
    Standing,
    about,
    blocked_reason,
    full_reason,
    last_resort_reason,
    no_fallback_reason,
    open_reason,
    out_reason,
    rank_reason,
    unpriced_reason,
    unsupported_reason,
)
from routing.route_plan import Candidate, Rejection, RoutePlan
from routing.wishes import NO_WISHES, RouteWishes, objective_of, unwanted

__all__ = ["Candidate", "Rejection", "RoutePlan", "plan"]

USABLE = frozenset({HealthState.SERVING, HealthState.PROBE_DUE, HealthState.HALF_OPEN})
"""States in which an offer may be tried at once."""
_LAST = {HealthState.FULL: 0, HealthState.OPEN: 1, HealthState.BLOCKED: 2, HealthState.OUT: 3}
"""Among offers none of which may be tried at once, the order in which it does the least harm to try them."""
_NO_KIN: Mapping[tuple[str, str], float] = MappingProxyType({})


def plan(
    request: ImageRequest,
    offers: Sequence[Offer],
    prices: PriceTable,
    healths: Mapping[str, Health],
    policy: Policy,
    *,
    now: float,
    draw: float,  # noqa: ARG001 - every choice is settled by figures; callers hand it in to both judgements alike
    wishes: RouteWishes = NO_WISHES,
    kin: Mapping[tuple[str, str], float] = _NO_KIN,
) -> RoutePlan:
    """Rank the offers for this request by the objective: price, expected time and failures at its resolution.

    ``healths`` is keyed by ``Offer.key``; an offer without an entry was never tried. ``now`` is unix seconds, and the
    prices are those of its UTC day. ``draw`` is a random number in [0, 1). Two offers of one index keep the order of
    the configuration. An offer that is due for a probe stands where its figures put it: standing last, it would be
    asked only when all others fail, and nobody would see it recover. Offers that may not be tried just now are
    rejected, unless there are no others: then they are the candidates, the least bad first. A deadline of the caller's
    own is handed in as the policy's ``request_deadline_s``. ``kin`` is the factor on a provider's success when another
    has just failed. Raises nothing.
    """
    today = datetime.fromtimestamp(now, tz=UTC).date()
    objective_name, objective = objective_of(wishes, policy)
    usable: list[Entry] = []
    resting: list[Entry] = []
    rejections: list[Rejection] = []
    for offer in offers:
        health = healths.get(offer.key, UNTRIED)
        quote = prices.quote(offer, request, on=today)
        rejection = _refused(offer, request, quote, health, wishes, policy, now)
        if rejection is not None:
            rejections.append(rejection)
        elif quote is not None:
            entry = entry_of(offer, quote, health, request.resolution, policy, now=now)
            (usable if entry.state in USABLE else resting).append(entry)
    if usable:
        rejections += [kept_back(entry, now=now) for entry in resting]
        chosen, explored = _ordered(usable, request.resolution, objective, wishes, policy)
        candidates = _candidates(chosen, request.resolution, objective_name, explored)
    else:
        resting.sort(key=lambda entry: (_LAST[entry.state], until(entry, now=now), entry.offer.position))
        candidates = tuple(_last_resort(entry, objective, now=now) for entry in resting)
    if not wishes.allow_fallbacks and not wishes.order and len(candidates) > 1:
        first, *others = candidates
        why = no_fallback_reason(first.offer.provider)
        rejections += [Rejection(each.offer, why, parameter="provider.allow_fallbacks") for each in others]
        candidates = (first,)
    return RoutePlan(
        model=request.model,
        operation=request.operation,
        resolution=request.resolution,
        candidates=candidates,
        rejections=tuple(rejections),
        policy=policy,
        started_at=now,
        deadline_at=now + policy.request_deadline_s,
        objective_name=objective_name,
        objective=objective,
        wishes=wishes,
        healths=healths,
        kin=kin,
    )


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


def _refused(
    offer: Offer,
    request: ImageRequest,
    quote: Quote | None,
    health: Health,
    wishes: RouteWishes,
    policy: Policy,
    now: float,
) -> Rejection | None:
    """The rejection of an offer the request itself rules out."""
    objection = offer.capability.objection(request)
    if objection is not None:
        return Rejection(offer, objection.reason, parameter=objection.parameter)
    if quote is None:
        return Rejection(offer, unpriced_reason(request.operation, request.resolution), parameter="resolution")
    if now < health.unsupported_until:
        return Rejection(offer, unsupported_reason(request.operation, request.resolution), parameter="resolution")
    objection = unwanted(offer, quote, request, wishes, policy)
    if objection is not None:
        return Rejection(offer, objection.reason, parameter=objection.parameter, quote=quote)
    return None


def _ordered(
    usable: Sequence[Entry], resolution: Resolution | None, objective: Objective, wishes: RouteWishes, policy: Policy
) -> tuple[list[Ranked], Entry | None]:
    """The usable offers in order, and the one among them that is explored, which is then the first."""
    remaining = policy.request_deadline_s
    placed = ranked(usable, objective, wishes, tries=policy.max_attempts, remaining_s=remaining)
    explored = worth_exploring(placed, objective, wishes, policy, resolution, remaining_s=remaining)
    if explored is None:
        return placed, None
    return [explored, *(each for each in placed if each.entry is not explored.entry)], explored.entry


def _candidates(
    placed: Sequence[Ranked], resolution: Resolution | None, objective_name: str, explored: Entry | None
) -> tuple[Candidate, ...]:
    standings = [_standing(each) for each in placed]
    return tuple(
        _candidate(
            each,
            rank_reason(
                rank,
                standings,
                resolution,
                objective_name,
                out_fault=each.entry.health.out_fault if each.entry.state is HealthState.PROBE_DUE else None,
                on_trial=each.entry.state is HealthState.HALF_OPEN,
                explored=each.entry is explored,
            ),
            probe=each.entry is explored or each.entry.state in (HealthState.PROBE_DUE, HealthState.HALF_OPEN),
        )
        for rank, each in enumerate(placed)
    )


def _last_resort(entry: Entry, objective: Objective, *, now: float) -> Candidate:
    """A candidate that may not be tried just now, in a plan that has no others."""
    back = kept_back(entry, now=now)
    ranked_last = Ranked(entry, index_of(entry.option, objective))
    return _candidate(ranked_last, last_resort_reason(about(entry.offer.provider, back.reason)), probe=False, kept=back)


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


def _standing(each: Ranked) -> Standing:
    entry = each.entry
    return Standing(
        provider=entry.offer.provider,
        price=entry.quote.total,
        index=each.index,
        seconds=entry.option.mean_s,
        success=entry.option.success,
    )
