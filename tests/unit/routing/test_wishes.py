"""What a caller may say about routing: the objective that follows, and whom it leaves out, for which reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.capability import Objection
from providers.spec.request import ImageRequest, Resolution
from routing.knobs import OBJECTIVES, Objective
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import Quote, QuotePart
from routing.wishes import EXCLUDING, NO_WISHES, RouteWishes, excluded, objective_of, unwanted
from tests.unit.routing.making import POLICY, REQUEST, line, offer

FAL = offer("fal")
SEEDED = replace(FAL, capability=replace(FAL.capability, seed=True))


def quoted(total: str) -> Quote:
    amount = Decimal(total)
    return Quote(amount, (QuotePart("images", amount),), line("fal", {Resolution.R1K: total}))


def objection(
    wishes: RouteWishes,
    *,
    at: str = "0.08",
    request: ImageRequest = REQUEST,
    offered: Offer = FAL,
    policy: Policy = POLICY,
) -> Objection | None:
    return excluded(offered, wishes, policy) or unwanted(offered, quoted(at), request, wishes)


def test_without_wishes_the_default_policy_holds() -> None:
    assert objective_of(NO_WISHES, POLICY) == ("balanced", OBJECTIVES["balanced"])
    assert objective_of(NO_WISHES, replace(POLICY, default_policy="cheapest"))[0] == "cheapest"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_policy_can_be_named(name: str) -> None:
    assert objective_of(RouteWishes(policy=name), POLICY) == (name, OBJECTIVES[name])


def test_an_operators_own_policy_can_be_named() -> None:
    own = Objective(value_of_time_usd_per_s=0.02)
    policy = replace(POLICY, objectives={**OBJECTIVES, "night": own})
    assert objective_of(RouteWishes(policy="night"), policy) == ("night", own)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_callers_value_of_time_replaces_that_figure_alone(value: float) -> None:
    name, objective = objective_of(RouteWishes(policy="most_reliable", value_of_time_usd_per_s=value), POLICY)
    assert name == "most_reliable"
    assert objective == replace(OBJECTIVES["most_reliable"], value_of_time_usd_per_s=value)


def test_nobody_is_unwanted_without_a_reason() -> None:
    assert objection(NO_WISHES) is None
    assert objection(RouteWishes()) is None
    assert (
        objection(RouteWishes(order=("gemini",), only=frozenset({"fal", "gemini"}), ignore=frozenset({"vertex"})))
        is None
    )


@pytest.mark.parametrize("wishes", [NO_WISHES, RouteWishes(only=frozenset({"fal"}), order=("fal",))])
def test_a_provider_the_operator_forbids_is_not_asked_whatever_the_caller_says(wishes: RouteWishes) -> None:
    forbidding = replace(POLICY, forbidden_providers=frozenset({"fal"}))
    assert objection(wishes, policy=forbidding) == ("model", "this provider is not used by this gateway")


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (RouteWishes(only=frozenset({"gemini"})), ("provider.only", "this provider is not in provider.only")),
        (RouteWishes(ignore=frozenset({"fal"})), ("provider.ignore", "this provider is in provider.ignore")),
        (
            RouteWishes(order=("gemini",), allow_fallbacks=False),
            ("provider.order", "this provider is not in provider.order, and provider.allow_fallbacks is false"),
        ),
    ],
)
def test_a_provider_the_caller_leaves_out_says_by_which_field(wishes: RouteWishes, expected: tuple[str, str]) -> None:
    assert excluded(FAL, wishes, POLICY) == expected
    assert expected[0] in EXCLUDING


def test_an_order_leaves_nobody_out_while_fallbacks_are_allowed() -> None:
    assert objection(RouteWishes(order=("gemini",))) is None


def test_no_fallbacks_without_an_order_leaves_nobody_out() -> None:
    assert objection(RouteWishes(allow_fallbacks=False)) is None


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        (
            RouteWishes(max_price_per_image=Decimal("0.05")),
            "this provider asks $0.08 per image, above the $0.05 allowed",
        ),
        (
            RouteWishes(max_price_per_request=Decimal("0.079")),
            "this provider asks $0.08 for the request, above the $0.079 allowed",
        ),
    ],
)
def test_a_provider_above_the_cap_names_price_and_cap(wishes: RouteWishes, reason: str) -> None:
    assert objection(wishes) == ("provider.max_price", reason)


def test_a_price_at_the_cap_is_allowed() -> None:
    cap = Decimal("0.08")
    assert objection(RouteWishes(max_price_per_image=cap, max_price_per_request=cap)) is None


def test_the_price_of_an_image_is_the_requests_divided_by_its_images() -> None:
    three = replace(REQUEST, n=3)
    assert objection(RouteWishes(max_price_per_image=Decimal("0.05")), at="0.15", request=three) is None
    dear = objection(RouteWishes(max_price_per_image=Decimal("0.05")), at="0.16", request=three)
    assert dear is not None
    assert dear.reason == "this provider asks $0.053333 per image, above the $0.05 allowed"


@given(price=st.decimals("0.0001", "10", places=4), cap=st.decimals("0.0001", "10", places=4), n=st.integers(1, 10))
def test_a_cap_cuts_exactly_at_its_amount(price: Decimal, cap: Decimal, n: int) -> None:
    request, at = replace(REQUEST, n=n), str(price)
    assert (objection(RouteWishes(max_price_per_image=cap), at=at, request=request) is None) is (price <= cap * n)
    assert (objection(RouteWishes(max_price_per_request=cap), at=at, request=request) is None) is (price <= cap)


def test_being_left_out_by_name_comes_before_the_price() -> None:
    left_out = objection(RouteWishes(ignore=frozenset({"fal"}), max_price_per_image=Decimal("0.01")))
    assert left_out is not None
    assert left_out.parameter == "provider.ignore"


@pytest.mark.parametrize(
    ("request_", "parameter"),
    [(replace(REQUEST, seed=7), "seed"), (replace(REQUEST, negative_prompt="hands"), "negative_prompt")],
)
def test_a_parameter_that_would_be_ignored_is_an_objection_only_where_all_are_required(
    request_: ImageRequest, parameter: str
) -> None:
    assert objection(RouteWishes(), request=request_) is None
    assert objection(RouteWishes(require_parameters=True), request=request_) == (
        parameter,
        f"this provider would ignore {parameter}, and provider.require_parameters is true",
    )


def test_a_parameter_the_offer_heeds_is_no_objection() -> None:
    requiring = RouteWishes(require_parameters=True)
    assert objection(requiring, request=replace(REQUEST, seed=7), offered=SEEDED) is None
    assert objection(requiring) is None
