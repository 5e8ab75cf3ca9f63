"""The plan: which offers to try for a request and in which order, which not, and why. Explains itself; immutable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from providers.spec.errors import Fault
from providers.spec.request import ImageRequest, Operation, Resolution
from routing.health import UNTRIED, Health, HealthState
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import PriceTable, Quote
from routing.reasons import blocked_reason, out_reason, rank_reason, unpriced_reason


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that can serve the request, and what its rank rests on."""

    offer: Offer
    quote: Quote
    index: Decimal
    """What it was ranked by, in USD; the lower the earlier. Today the price alone."""
    reason: str
    """Why it stands where it stands."""
    probe: bool = False
    """The offer is out and this try looks whether it is back."""
    expected_seconds: float | None = None
    """Expected time of a success; None while nothing was measured."""
    success: float | None = None
    """Probability that a try delivers, 0 to 1; None while nothing was measured."""
    samples: int = 0
    """Attempts behind the two figures above."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An offer that is not tried, and why."""

    offer: Offer
    reason: str
    """Has the provider as its subject, spelt ``this provider``."""
    parameter: str | None = None
    """The caller's field the offer objects to; None: its health is the reason."""
    fault: Fault | None = None
    """The fault that keeps it from being tried; None: the request is the reason."""
    blocked_until: float | None = None
    """Unix seconds from which on it may be tried again; None: the request is the reason."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What to try for one request. Every offer is in it exactly once, as candidate or as rejection."""

    model: str
    operation: Operation
    resolution: Resolution | None
    candidates: tuple[Candidate, ...]
    """In the order to try them."""
    rejections: tuple[Rejection, ...]
    policy: Policy
    """The policy it was made under; what happens after a failure follows the same one."""
    started_at: float
    """Unix seconds."""
    deadline_at: float
    """Unix seconds; no try may last beyond it."""


def plan(
    request: ImageRequest,
    offers: Sequence[Offer],
    prices: PriceTable,
    healths: Mapping[str, Health],
    policy: Policy,
    *,
    now: float,
    draw: float,  # noqa: ARG001 - no choice is random yet; exploration will need it and callers already hand it in
) -> RoutePlan:
    """Rank the offers for this request: the capable and healthy ones, cheapest first at the requested resolution.

    ``healths`` is keyed by ``Offer.key``; an offer without an entry was never tried. ``now`` is unix seconds, and the
    prices are those of its UTC day. ``draw`` is a random number in [0, 1). Two offers of one price keep the order of
    the configuration. An offer that is due for a probe stands where its price puts it: standing last, it would be asked
    only when all others fail, and nobody would see it recover. A deadline of the caller's own
    is handed in as the policy's ``request_deadline_s``. Raises nothing.
    """
    today = datetime.fromtimestamp(now, tz=UTC).date()
    capable: list[tuple[Offer, Quote, Health]] = []
    rejections: list[Rejection] = []
    for offer in offers:
        health = healths.get(offer.key, UNTRIED)
        quote = prices.quote(offer, request, on=today)
        rejection = _refused_by_request(offer, request, quote) or _refused_by_health(offer, health, now)
        if rejection is not None:
            rejections.append(rejection)
        elif quote is not None:
            capable.append((offer, quote, health))
    capable.sort(key=lambda entry: (entry[1].total, entry[0].position))
    ranking = [(offer.provider, quote.total, health.out_fault) for offer, quote, health in capable]
    return RoutePlan(
        model=request.model,
        operation=request.operation,
        resolution=request.resolution,
        candidates=tuple(
            Candidate(
                offer=offer,
                quote=quote,
                index=quote.total,
                reason=rank_reason(rank, ranking, request.resolution),
                probe=health.out_fault is not None,
            )
            for rank, (offer, quote, health) in enumerate(capable)
        ),
        rejections=tuple(rejections),
        policy=policy,
        started_at=now,
        deadline_at=now + policy.request_deadline_s,
    )


def _refused_by_request(offer: Offer, request: ImageRequest, quote: Quote | None) -> Rejection | None:
    objection = offer.capability.objection(request)
    if objection is not None:
        return Rejection(offer, objection.reason, parameter=objection.parameter)
    if quote is None:
        return Rejection(offer, unpriced_reason(request.operation, request.resolution), parameter="resolution")
    return None


def _refused_by_health(offer: Offer, health: Health, now: float) -> Rejection | None:
    state = health.state(now=now)
    if state is HealthState.BLOCKED:
        reason = blocked_reason(health.blocked_until - now)
        return Rejection(offer, reason, fault=Fault.RATE_LIMITED, blocked_until=health.blocked_until)
    if state is HealthState.OUT and health.out_fault is not None:
        reason = out_reason(health.out_fault, health.next_probe_at - now)
        return Rejection(offer, reason, fault=health.out_fault, blocked_until=health.next_probe_at)
    return None
