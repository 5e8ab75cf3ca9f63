"""The plan: which offers to try for a request and in which order, which not, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from providers.spec.request import ImageRequest
from routing.candidates import USABLE, in_order, kept_back, last_resort, until
from routing.health import UNTRIED, Health, HealthState
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import PriceTable, Quote, day_of
from routing.ranking import Entry, entry_of, ranked, worth_exploring
from routing.reasons import no_fallback_reason, unpriced_reason, unsupported_reason
from routing.route_plan import Candidate, Rejection, RoutePlan
from routing.wishes import NO_WISHES, RouteWishes, excluded, objective_of, unwanted

__all__ = ["Candidate", "Rejection", "RoutePlan", "plan"]

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
    today = day_of(now)
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
        if resting:
            rejections += [kept_back(entry, now=now) for entry in resting]
        remaining = policy.request_deadline_s
        placed = ranked(usable, objective, wishes, tries=policy.max_attempts, remaining_s=remaining)
        explored = worth_exploring(placed, objective, wishes, policy, request.resolution, remaining_s=remaining)
        candidates = in_order(
            placed,
            request.resolution,
            wishes,
            objective_name=objective_name,
            remaining_s=remaining,
            explored=explored,
            others_rest=bool(resting),
        )
    else:
        resting.sort(key=lambda entry: (_LAST[entry.state], until(entry, now=now), entry.offer.position))
        candidates = tuple(last_resort(entry, objective, now=now) for entry in resting)
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


def _refused(
    offer: Offer,
    request: ImageRequest,
    quote: Quote | None,
    health: Health,
    wishes: RouteWishes,
    policy: Policy,
    now: float,
) -> Rejection | None:
    """The rejection of an offer the request itself rules out.

    Who is left out by name is asked for nothing else: the caller is to be told of that choice, not of what the offer
    lacks besides. The price is looked at last, so that an offer that is only too dear is one that would have served.
    """
    objection = excluded(offer, wishes, policy) or offer.capability.objection(request)
    if objection is not None:
        return Rejection(offer, objection.reason, parameter=objection.parameter)
    if quote is None:
        return Rejection(offer, unpriced_reason(request.operation, request.resolution), parameter="resolution")
    if now < health.unsupported_until:
        return Rejection(offer, unsupported_reason(request.operation, request.resolution), parameter="resolution")
    objection = unwanted(offer, quote, request, wishes)
    if objection is not None:
        return Rejection(offer, objection.reason, parameter=objection.parameter, quote=quote)
    return None
