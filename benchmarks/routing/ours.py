"""Ours: the product's own router in the benchmark. It adapts ``routing``; no judgement is made here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from benchmarks.routing.draws import key, uniform
from benchmarks.routing.router import Ended, GiveUp, Hedge, Objective, Step, Try, Wait
from benchmarks.routing.world import Request, World
from benchmarks.routing.worlds.changes import BASE
from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from routing import steps
from routing.attempt import Attempt
from routing.board import Board
from routing.offers import Offer
from routing.passage import Passage
from routing.policy import Policy
from routing.prices import PriceLine, PriceTable
from routing.ticket import Ticket
from routing.wishes import RouteWishes

EPOCH: Final = 1_790_000_000.0
"""Unix seconds at which a world begins; all dates of its prices lie before."""
MODEL: Final = "pictura"
_PRICED_ON: Final = date(2026, 1, 1)
_DRAW: Final = 17
_SPEND: Final[Mapping[Fault | None, Spend]] = MappingProxyType(
    {None: Spend.CHARGED, Fault.TIMED_OUT: Spend.POSSIBLE, Fault.ABANDONED: Spend.POSSIBLE}
)
"""What the gateway would know of the bill; absent: nothing is billed."""


class Ours:
    """The product's board, and a passage for every request."""

    def __init__(
        self, world: World, objective: Objective, *, policy: Policy | None = None, hedge: bool = False
    ) -> None:
        """The expectations of the offers are those the shipped configuration states, whatever the world's truth."""
        self._world = world
        self._policy = policy or Policy()
        self._policies: dict[float, Policy] = {}
        self._wishes = RouteWishes(policy=objective.name, hedge=True if hedge else None)
        self._hedge = hedge
        self.offers = [_offer(world, provider, place) for place, provider in enumerate(world.providers)]
        self.board = Board(self.offers, self._policy)
        self._tables: dict[tuple[int, ...], PriceTable] = {}
        self._requests = {
            tier: ImageRequest(model=MODEL, prompt="a red fox in the snow", resolution=tier) for tier in Resolution
        }

    def arrive(self, request: Request, now: float, wake: Callable[[], None]) -> OurSession:
        """Make the plan."""
        passage = Passage(
            self.board,
            self._requests[request.resolution],
            self.offers,
            self._table(now),
            self._with_deadline(request.deadline_s),
            now=EPOCH + now,
            draw=uniform(key(self._world.seed, request.number), _DRAW),
            wishes=self._wishes,
            wake=wake,
        )
        return OurSession(passage, watches=self._hedge)

    def _with_deadline(self, deadline_s: float) -> Policy:
        if deadline_s not in self._policies:
            self._policies[deadline_s] = replace(self._policy, request_deadline_s=deadline_s)
        return self._policies[deadline_s]

    def _table(self, now: float) -> PriceTable:
        place = tuple(timeline.step(now) for timeline in self._world.providers.values())
        if place not in self._tables:
            self._tables[place] = PriceTable(
                tuple(_line(provider, timeline.at(now).prices) for provider, timeline in self._world.providers.items())
            )
        return self._tables[place]


class OurSession:
    """One request in the product's hands."""

    def __init__(self, passage: Passage, *, watches: bool) -> None:
        self.watches = watches
        self._passage = passage
        self._tickets: list[tuple[Ticket, Offer, Decimal]] = []

    def next(self, now: float) -> Step:
        """The passage's step in the benchmark's words."""
        step = self._passage.next(now=EPOCH + now)
        if isinstance(step, steps.Wait):
            return Wait(step.until - EPOCH)
        if isinstance(step, steps.GiveUp):
            return GiveUp(step.because)
        offer = step.candidate.offer
        self._tickets.append((self._passage.began(step, now=EPOCH + now), offer, step.candidate.quote.total))
        kind = Try if isinstance(step, steps.Try) else Hedge
        return kind(offer.provider, step.limit_s)

    def ended(self, ended: Ended) -> None:
        """Tell the passage."""
        ticket, offer, price = self._tickets[ended.number]
        attempt = Attempt(
            offer=offer,
            started_at=EPOCH + ended.started,
            seconds=ended.seconds,
            spend=_SPEND.get(ended.fault, Spend.NONE),
            cost=price if ended.fault is None else Decimal(0),
            fault=ended.fault,
            retry_after=ended.retry_after_s,
            deadline_hit=ended.deadline_hit,
        )
        self._passage.ended(ticket, attempt, now=EPOCH + ended.ended)

    def closed(self, now: float) -> None:
        """Free its place in line."""
        self._passage.close(now=EPOCH + now)


def _offer(world: World, provider: str, place: int) -> Offer:
    tiers = {tier for truth in world.providers[provider].truths for tier in truth.prices}
    usual = BASE.get(provider)
    return Offer(
        provider=provider,
        model=MODEL,
        provider_model=ProviderModel(id=f"{provider}/{MODEL}", schema="any"),
        capability=Capability(
            operations=frozenset({Operation.GENERATE}),
            resolutions=frozenset(tiers),
            aspect_ratios=frozenset({"1:1"}),
            output_formats=frozenset({OutputFormat.PNG}),
            native_format=OutputFormat.PNG,
        ),
        position=place,
        expected_seconds=usual.median_s if usual else None,
        expected_success=usual.success if usual else None,
    )


def _line(provider: str, prices: Mapping[Resolution, float]) -> PriceLine:
    return PriceLine(
        provider=provider,
        model=MODEL,
        operations=frozenset({Operation.GENERATE}),
        images=MappingProxyType({tier: Decimal(str(price)) for tier, price in prices.items()}),
        input_image=Decimal(0),
        surcharges=MappingProxyType({}),
        token_rates=MappingProxyType({}),
        source="the world",
        checked_on=_PRICED_ON,
        effective_from=_PRICED_ON,
        confidence="verified",
    )
