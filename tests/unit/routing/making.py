"""Offers, prices, attempts and plans for the routing tests, each with just enough in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from routing.attempt import Attempt
from routing.board import Board
from routing.health import Health
from routing.objective import Option
from routing.offers import Offer
from routing.passage import Passage
from routing.plan import RoutePlan, plan
from routing.policy import Policy
from routing.prices import PriceLine, PriceTable
from routing.stats.estimate import Estimate
from routing.steps import Hedge, Step, Try
from routing.ticket import Ticket
from routing.wishes import NO_WISHES, RouteWishes

MODEL = "pictura"
NOW = 1_790_000_000.0
"""2026-09-21, in unix seconds."""
POLICY = Policy()
REQUEST = ImageRequest(model=MODEL, prompt="a red fox in the snow")

ALL_RESOLUTIONS = frozenset(Resolution)


def offer(
    provider: str, *, position: int = 0, resolutions: frozenset[Resolution] = ALL_RESOLUTIONS, min_prompt_chars: int = 1
) -> Offer:
    capability = Capability(
        operations=frozenset({Operation.GENERATE}),
        resolutions=resolutions,
        aspect_ratios=frozenset({"1:1", "16:9"}),
        output_formats=frozenset({OutputFormat.PNG}),
        native_format=OutputFormat.PNG,
        min_prompt_chars=min_prompt_chars,
    )
    return Offer(provider, MODEL, ProviderModel(id=f"{provider}/v1", schema="any"), capability, position)


def line(provider: str, amounts: Mapping[Resolution, str], *, effective_from: date = date(2026, 1, 1)) -> PriceLine:
    return PriceLine(
        provider=provider,
        model=MODEL,
        operations=frozenset(Operation),
        images={resolution: Decimal(amount) for resolution, amount in amounts.items()},
        input_image=Decimal(0),
        surcharges={},
        token_rates={},
        source="the test",
        checked_on=effective_from,
        effective_from=effective_from,
        confidence="verified",
    )


def prices(**at_1k: str) -> PriceTable:
    """A table in which every provider sells the model at 1K for the amount given by its name."""
    return PriceTable(tuple(line(provider, {Resolution.R1K: amount}) for provider, amount in at_1k.items()))


def made(
    providers: Mapping[str, str],
    *,
    policy: Policy = POLICY,
    healths: Mapping[str, Health] | None = None,
    request: ImageRequest = REQUEST,
    offers: Sequence[Offer] | None = None,
    now: float = NOW,
    wishes: RouteWishes = NO_WISHES,
    kin: Mapping[tuple[str, str], float] | None = None,
) -> RoutePlan:
    """A plan over these providers and their 1K prices, their order being the configuration's."""
    offered = offers or offers_of(providers)
    table = prices(**providers)
    return plan(
        request, offered, table, healths or {}, policy, now=now, draw=0.5, wishes=wishes, kin={} if kin is None else kin
    )


def offers_of(providers: Iterable[str]) -> list[Offer]:
    """One offer of each provider, in this order."""
    return [offer(name, position=position) for position, name in enumerate(providers)]


def estimate(
    median_s: float = 15.0,
    success: float = 0.93,
    *,
    sigma: float = 0.4,
    failure_s: float = 5.0,
    long_run_median_s: float | None = None,
    long_run_success: float | None = None,
    refusal_share: float = 0.0,
    samples: int = 100,
) -> Estimate:
    """Figures as if measured; the long run is as the present unless it is said otherwise."""
    return Estimate(
        success=success,
        success_low=max(0.0, success - 0.05),
        success_high=min(1.0, success + 0.05),
        long_run_success=success if long_run_success is None else long_run_success,
        median_s=median_s,
        sigma=sigma,
        long_run_median_s=median_s if long_run_median_s is None else long_run_median_s,
        failure_s=failure_s,
        samples=samples,
        refusal_share=refusal_share,
    )


def option(
    price: float = 0.067,
    success: float = 0.93,
    median_s: float = 15.0,
    *,
    sigma: float = 0.4,
    failure_s: float = 5.0,
    weight: float = 1.0,
) -> Option:
    """An offer as the objective sees it."""
    return Option(price, success, median_s, sigma, failure_s, weight)


def keyed(**healths: Health) -> dict[str, Health]:
    """Healths under the keys of the offers, given by provider."""
    return {f"{provider}/{MODEL}": health for provider, health in healths.items()}


def order(route: RoutePlan) -> list[str]:
    """The providers of the candidates, in order."""
    return [candidate.offer.provider for candidate in route.candidates]


class Street:
    """A board and what is sold on it: requests begin, their steps are carried out by hand."""

    def __init__(self, providers: Mapping[str, str], policy: Policy = POLICY) -> None:
        self.offers = offers_of(providers)
        self.prices = prices(**providers)
        self.policy = policy
        self.board = Board(self.offers, policy)

    def passage(
        self, *, now: float, wishes: RouteWishes = NO_WISHES, wake: Callable[[], None] | None = None
    ) -> Passage:
        return Passage(
            self.board,
            REQUEST,
            self.offers,
            self.prices,
            self.policy,
            now=now,
            draw=0.5,
            wishes=wishes,
            wake=wake,
        )

    def health(self, provider: str, *, now: float) -> Health:
        """How a newcomer's request finds the provider."""
        key = f"{provider}/{MODEL}"
        return self.board.healths(self.offers, Operation.GENERATE, Resolution.R1K, now=now)[key]

    def served(
        self,
        *,
        now: float,
        seconds: float = 10.0,
        fault: Fault | None = None,
        wishes: RouteWishes = NO_WISHES,
        **how: Any,
    ) -> str:
        """One request whose first try ends so; the provider it went to."""
        passage = self.passage(now=now, wishes=wishes)
        step = passage.next(now=now)
        tried_at = tried(step)
        carried_out(passage, step, now=now, seconds=seconds, fault=fault, **how)
        passage.close(now=now + seconds)
        return tried_at


def tried(step: Step) -> str:
    """The provider a step says to try."""
    assert isinstance(step, Try | Hedge), step
    return step.candidate.offer.provider


def carried_out(
    passage: Passage, step: Step, *, now: float, seconds: float = 1.0, fault: Fault | None = None, **how: Any
) -> None:
    """The step's try begins at ``now`` and ends after ``seconds``."""
    assert isinstance(step, Try | Hedge), step
    ticket = passage.began(step, now=now)
    ended(passage, ticket, seconds=seconds, fault=fault, **how)


def ended(passage: Passage, ticket: Ticket, *, seconds: float = 1.0, fault: Fault | None = None, **how: Any) -> None:
    """The try under way ends ``seconds`` after its beginning."""
    began = ticket.started_at
    attempt = failed(ticket.provider, fault, started_at=began, seconds=seconds, **how)
    passage.ended(ticket, attempt, now=began + seconds)


def failed(
    provider: str,
    fault: Fault | None,
    *,
    spend: Spend = Spend.NONE,
    started_at: float = NOW,
    seconds: float = 1.0,
    retry_after: float | None = None,
    message: str = "",
    parameter: str | None = None,
    deadline_hit: bool = False,
) -> Attempt:
    return Attempt(
        offer=offer(provider),
        started_at=started_at,
        seconds=seconds,
        spend=spend,
        fault=fault,
        message=message,
        parameter=parameter,
        retry_after=retry_after,
        deadline_hit=deadline_hit,
    )


def delivered(provider: str, *, started_at: float = NOW) -> Attempt:
    return replace(failed(provider, None, started_at=started_at), spend=Spend.CHARGED)
