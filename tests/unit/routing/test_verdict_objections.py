"""What the caller is told when nobody is asked because of what the request itself says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from providers.spec.errors import Fault
from providers.spec.request import Resolution
from routing.health import Health
from routing.plan import plan
from routing.verdict import Verdict, verdict
from routing.wishes import RouteWishes
from tests.unit.routing.making import MODEL, NOW, POLICY, REQUEST, offer, prices

EVERYBODY = ("gemini", "vertex", "fal", "replicate")
OFFERS = [
    *(offer(provider, position=position) for position, provider in enumerate(EVERYBODY)),
    offer("small", position=4, resolutions=frozenset({Resolution.R512})),
]
PRICES = prices(gemini="0.0672", vertex="0.0672", fal="0.08", replicate="0.067")


def judged(
    wishes: RouteWishes, *, providers: Collection[str] = EVERYBODY, healths: Mapping[str, Health] | None = None
) -> Verdict:
    offered = [each for each in OFFERS if each.provider in providers]
    route = plan(REQUEST, offered, PRICES, healths or {}, POLICY, now=NOW, draw=0.5, wishes=wishes)
    return verdict(route, (), now=NOW)


def test_nothing_affordable_names_the_cheapest_price_that_would_have_served() -> None:
    told = judged(RouteWishes(max_price_per_image=Decimal("0.05"), ignore=frozenset({"replicate"})))
    assert (told.status, told.type, told.code) == (400, "invalid_request_error", "unsupported_value")
    assert told.param == "provider.max_price"
    assert told.message == (
        "No provider of pictura can do what was asked within provider.max_price: "
        "the cheapest that can serve this is gemini at $0.0672."
    )


def test_the_cheapest_price_named_is_of_an_offer_that_is_capable_and_not_left_out() -> None:
    told = judged(RouteWishes(max_price_per_request=Decimal("0.05"), only=frozenset({"fal", "vertex"})))
    assert "vertex at $0.0672" in told.message
    told = judged(RouteWishes(max_price_per_request=Decimal("0.05")), providers=["small", "fal"])
    assert "fal at $0.08" in told.message
    assert "small" not in told.message


def test_an_affordable_offer_that_only_rests_is_worth_waiting_for() -> None:
    blocked = {f"replicate/{MODEL}": Health(blocked_until=NOW + 20, last_fault=Fault.RATE_LIMITED)}
    wishes = RouteWishes(max_price_per_image=Decimal("0.0671"))
    told = judged(wishes, healths=blocked)
    assert "max_price" not in told.message
    assert (told.status, told.retry_after) == (429, 20)


@pytest.mark.parametrize(
    ("wishes", "providers", "param", "said"),
    [
        (RouteWishes(only=frozenset({"vertex"})), ["gemini", "fal"], "provider.only", "fal is not in provider.only"),
        (RouteWishes(ignore=frozenset({"fal"})), ["fal"], "provider.ignore", "fal is in provider.ignore"),
        (
            RouteWishes(order=("vertex",), allow_fallbacks=False),
            ["gemini"],
            "provider.order",
            "gemini is not in provider.order, and provider.allow_fallbacks is false",
        ),
    ],
)
def test_leaving_everybody_out_names_the_field_and_whom_it_leaves_out(
    wishes: RouteWishes, providers: list[str], param: str, said: str
) -> None:
    told = judged(wishes, providers=providers)
    assert (told.status, told.code, told.param) == (400, "unsupported_value", param)
    assert said in told.message
    assert told.message.startswith("No provider of pictura can do what was asked: ")


def test_what_the_only_allowed_offer_lacks_is_named_before_the_exclusions() -> None:
    told = judged(RouteWishes(only=frozenset({"small"})), providers=["small", "gemini", "fal"])
    assert (told.status, told.param) == (400, "resolution")
    assert told.message.index("small offers 512") < told.message.index("gemini is not in provider.only")


def test_leaving_everybody_out_is_named_before_what_one_of_them_lacks() -> None:
    told = judged(RouteWishes(ignore=frozenset({"small", "fal"})), providers=["small", "fal"])
    assert (told.status, told.param) == (400, "provider.ignore")
    assert "small is in provider.ignore" in told.message
    assert "offers 512" not in told.message


def test_what_an_offer_lacks_is_named_before_its_price() -> None:
    told = judged(RouteWishes(max_price_per_image=Decimal("0.01")), providers=["small"])
    assert (told.status, told.param) == (400, "resolution")
    lately = {f"fal/{MODEL}": Health(unsupported_until=NOW + 1)}
    told = judged(RouteWishes(max_price_per_image=Decimal("0.01")), providers=["fal"], healths=lately)
    assert (told.status, told.param) == (400, "resolution")


def test_a_parameter_that_would_be_ignored_is_named_before_a_price_that_would_not_help() -> None:
    wishes = RouteWishes(max_price_per_image=Decimal("0.01"), require_parameters=True)
    route = plan(replace(REQUEST, seed=7), OFFERS[:1], PRICES, {}, POLICY, now=NOW, draw=0.5, wishes=wishes)
    assert verdict(route, (), now=NOW).param == "seed"
