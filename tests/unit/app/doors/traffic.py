"""A board over the shipped catalog, and traffic that it is told of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.catalog.catalog import Catalog
from app.gateway import Choice
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Operation, Resolution
from routing.attempt import Attempt
from routing.board import Board
from routing.offers import Offer
from routing.passage import Passage
from routing.plan import Candidate
from routing.prices import Quote
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.wishes import NO_WISHES, RouteWishes
from tests.unit.app.catalog.shipped import NB2, shipped

NOW = 1_795_000_000.0
"""A second of 2026-11-18."""
CATALOG: Catalog = shipped()


def board(catalog: Catalog = CATALOG) -> Board:
    return Board(catalog.offers, catalog.policy)


def offer(provider: str, model: str = NB2) -> Offer:
    return next(each for each in CATALOG.offers if (each.provider, each.model) == (provider, model))


def choice(wishes: RouteWishes = NO_WISHES, catalog: Catalog = CATALOG, model: str = NB2, **request: Any) -> Choice:
    offers = tuple(each for each in catalog.offers if each.model == model)
    return Choice(ImageRequest(model, "a red fox", **request), catalog.models[model], offers, wishes)


def deliveries(
    to: Board,
    provider: str,
    seconds: list[float],
    *,
    at: float = NOW - 1.0,
    resolution: Resolution = Resolution.R1K,
    kind: OutcomeKind = OutcomeKind.DELIVERED,
) -> None:
    key = StatKey(offer(provider).key, Operation.GENERATE, resolution)
    for each in seconds:
        to.fold(Outcome(key, kind, at, each, each / 2), now=at)


def blocked(by: Board, provider: str, *, at: float = NOW, wait_s: float = 60.0) -> None:
    """A try at the provider ends with 429 and a stated wait."""
    ended(by, provider, Fault.RATE_LIMITED, at=at, retry_after=wait_s)


def hedged(by: Board, provider: str, *, at: float = NOW) -> None:
    """A hedge at the provider is lost; its payment from the budget is not given back."""
    ended(by, provider, Fault.ABANDONED, at=at, hedge=True)


def ended(
    by: Board,
    provider: str,
    fault: Fault | None,
    *,
    at: float = NOW,
    retry_after: float | None = None,
    hedge: bool = False,
) -> None:
    tried = choice()
    passage = Passage(by, tried.request, tried.offers, CATALOG.prices, CATALOG.policy, now=at, draw=0.5)
    candidate = candidate_of(passage, provider)
    ticket = by.started(candidate, Operation.GENERATE, Resolution.R1K, now=at, hedge=hedge)
    attempt = Attempt(
        offer=candidate.offer,
        started_at=at,
        seconds=1.0,
        spend=Spend.NONE,
        cost=Decimal(0),
        fault=fault,
        retry_after=retry_after,
    )
    by.ended(ticket, attempt, now=at)
    passage.close(now=at)


def candidate_of(passage: Passage, provider: str) -> Candidate:
    for each in passage.plan.candidates:
        if each.offer.provider == provider:
            return each
    rejected = next(each for each in passage.plan.rejections if each.offer.provider == provider)
    assert isinstance(rejected.quote, Quote)
    return Candidate(rejected.offer, rejected.quote, 0.0, "kept back")
