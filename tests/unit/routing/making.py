"""Offers, prices, attempts and plans for the routing tests, each with just enough in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from routing.attempt import Attempt
from routing.health import Health
from routing.offers import Offer
from routing.plan import RoutePlan, plan
from routing.policy import Policy
from routing.prices import PriceLine, PriceTable

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
) -> RoutePlan:
    """A plan over these providers and their 1K prices, their order being the configuration's."""
    offered = offers or [offer(name, position=position) for position, name in enumerate(providers)]
    return plan(request, offered, prices(**providers), healths or {}, policy, now=now, draw=0.5)


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
