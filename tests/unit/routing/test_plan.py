"""Tests of the plan: order, rejections, and the reasons given for both."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import Fault
from providers.spec.request import Resolution
from routing.health import Health, probing
from routing.plan import RoutePlan, plan
from routing.policy import Policy
from routing.prices import PriceTable
from tests.unit.routing.making import MODEL, NOW, POLICY, REQUEST, line, made, offer, prices

OUT = Health(out_fault=Fault.CREDENTIALS, out_since=NOW - 10, next_probe_at=NOW + 590)
PROBE_DUE = replace(OUT, next_probe_at=NOW)
BLOCKED = Health(blocked_until=NOW + 12.5)


def order(route: RoutePlan) -> list[str]:
    return [candidate.offer.provider for candidate in route.candidates]


def test_the_cheapest_offer_stands_first() -> None:
    assert order(made({"gemini": "0.0672", "fal": "0.08", "replicate": "0.067"})) == ["replicate", "gemini", "fal"]


def test_offers_of_one_price_keep_the_order_of_the_configuration() -> None:
    offers = [offer("vertex", position=7), offer("gemini", position=2)]
    assert order(made({"vertex": "0.0672", "gemini": "0.06720"}, offers=offers)) == ["gemini", "vertex"]


def test_the_price_that_counts_is_that_of_the_requested_resolution() -> None:
    table = PriceTable(
        (
            line("fal", {Resolution.R1K: "0.08", Resolution.R4K: "0.16"}),
            line("gemini", {Resolution.R1K: "0.0672", Resolution.R4K: "0.20"}),
        )
    )
    for resolution, cheapest in ((Resolution.R1K, "gemini"), (Resolution.R4K, "fal")):
        request = replace(REQUEST, resolution=resolution)
        route = plan(request, [offer("fal"), offer("gemini")], table, {}, POLICY, now=NOW, draw=0.0)
        assert order(route)[0] == cheapest
        assert route.resolution is resolution


def test_the_price_that_counts_is_that_of_the_utc_day() -> None:
    table = PriceTable(
        (
            line("fal", {Resolution.R1K: "0.08"}),
            line("fal", {Resolution.R1K: "0.05"}, effective_from=date(2026, 10, 1)),
        )
    )
    midnight = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
    before, on = (
        plan(REQUEST, [offer("fal")], table, {}, POLICY, now=now, draw=0.0) for now in (midnight - 1, midnight)
    )
    assert before.candidates[0].index == Decimal("0.08")
    assert on.candidates[0].index == Decimal("0.05")


def test_an_objection_becomes_a_rejection_that_names_the_parameter() -> None:
    offers = [offer("fal"), offer("gemini", resolutions=frozenset({Resolution.R4K}))]
    route = made({"fal": "0.08", "gemini": "0.0672"}, offers=offers)
    assert order(route) == ["fal"]
    (rejection,) = route.rejections
    assert (rejection.offer.provider, rejection.parameter, rejection.fault) == ("gemini", "resolution", None)
    assert rejection.reason == "this provider offers 4K"


def test_an_offer_without_a_price_at_this_resolution_is_rejected() -> None:
    route = plan(REQUEST, [offer("fal"), offer("gemini")], prices(fal="0.08"), {}, POLICY, now=NOW, draw=0.0)
    assert order(route) == ["fal"]
    (rejection,) = route.rejections
    assert rejection.parameter == "resolution"
    assert rejection.reason == "this provider has no price for this model to generate at 1K"


def test_a_blocked_offer_is_rejected_until_its_wait_is_over() -> None:
    healths = {f"gemini/{MODEL}": BLOCKED}
    route = made({"fal": "0.08", "gemini": "0.0672"}, healths=healths)
    assert order(route) == ["fal"]
    (rejection,) = route.rejections
    assert (rejection.fault, rejection.blocked_until) == (Fault.RATE_LIMITED, NOW + 12.5)
    assert rejection.reason == "this provider was rate limited and is left alone for 13 s more"
    assert order(made({"fal": "0.08", "gemini": "0.0672"}, healths=healths, now=NOW + 12.5)) == ["gemini", "fal"]


def test_an_offer_that_is_out_is_rejected_until_its_probe() -> None:
    route = made({"fal": "0.08", "gemini": "0.0672"}, healths={f"gemini/{MODEL}": OUT})
    (rejection,) = route.rejections
    assert (rejection.fault, rejection.blocked_until) == (Fault.CREDENTIALS, NOW + 590)
    assert rejection.parameter is None


def test_an_objection_is_told_before_ill_health() -> None:
    offers = [offer("gemini", resolutions=frozenset({Resolution.R4K}))]
    route = made({"gemini": "0.0672"}, offers=offers, healths={f"gemini/{MODEL}": BLOCKED})
    assert route.rejections[0].parameter == "resolution"


def test_a_probe_stands_where_its_price_puts_it() -> None:
    route = made({"gemini": "0.01", "fal": "0.08", "vertex": "0.09"}, healths={f"gemini/{MODEL}": PROBE_DUE})
    assert order(route) == ["gemini", "fal", "vertex"]
    assert [candidate.probe for candidate in route.candidates] == [True, False, False]
    assert route.candidates[0].reason == (
        "a probe: it did not accept the gateway's credentials when last tried; $0.01 at 1K"
    )


def test_a_probe_that_is_alone_is_the_only_candidate() -> None:
    route = made({"gemini": "0.01"}, healths={f"gemini/{MODEL}": PROBE_DUE})
    assert order(route) == ["gemini"]
    assert route.candidates[0].reason.startswith("a probe: it did not accept")


def test_a_probe_that_another_request_has_taken_is_no_candidate() -> None:
    taken = probing(PROBE_DUE, now=NOW, policy=POLICY)
    assert order(made({"gemini": "0.01"}, healths={f"gemini/{MODEL}": taken})) == []


def test_each_candidate_says_why_it_stands_where_it_stands() -> None:
    route = made({"replicate": "0.067", "gemini": "0.0672", "vertex": "0.0672", "fal": "0.08"})
    assert [candidate.reason for candidate in route.candidates] == [
        "cheapest at 1K: $0.067; next is gemini at $0.0672",
        "$0.0002 dearer than replicate at 1K: $0.0672",
        "as cheap as gemini at 1K: $0.0672; the configuration names gemini first",
        "$0.0128 dearer than vertex at 1K: $0.08",
    ]


@pytest.mark.parametrize(
    ("providers", "reason"),
    [
        ({"fal": "0.080"}, "the only offer that can serve this request: $0.08 at 1K"),
        ({"gemini": "0.07", "vertex": "0.07"}, "as cheap as vertex at 1K: $0.07; the configuration names it first"),
    ],
)
def test_the_first_candidate_says_what_put_it_there(providers: dict[str, str], reason: str) -> None:
    assert made(providers).candidates[0].reason == reason


def test_the_deadline_is_the_policys_from_now_on() -> None:
    route = made({"fal": "0.08"}, policy=replace(POLICY, request_deadline_s=12.0))
    assert (route.started_at, route.deadline_at) == (NOW, NOW + 12.0)


def test_nothing_is_claimed_that_was_not_measured() -> None:
    (candidate,) = made({"fal": "0.08"}).candidates
    assert (candidate.expected_seconds, candidate.success, candidate.samples) == (None, None, 0)


def test_no_offers_make_an_empty_plan() -> None:
    route = plan(REQUEST, [], prices(), {}, Policy(), now=NOW, draw=0.0)
    assert (route.candidates, route.rejections) == ((), ())


amounts = st.integers(min_value=1, max_value=9).map(lambda cents: f"0.0{cents}")
healths_of_one = st.sampled_from([None, Health(), BLOCKED, OUT, PROBE_DUE])
settings_of_one = st.tuples(st.none() | amounts, healths_of_one, st.booleans())


@given(market=st.lists(settings_of_one, max_size=6), now=st.floats(NOW - 1, NOW + 1000), draw=st.floats(0, 0.999))
def test_every_offer_is_in_the_plan_exactly_once_and_in_order(
    market: list[tuple[str | None, Health | None, bool]], now: float, draw: float
) -> None:
    names = [f"p{index}" for index in range(len(market))]
    offers = [
        offer(name, position=index, min_prompt_chars=1 if able else 10_000)
        for index, (name, (_, _, able)) in enumerate(zip(names, market, strict=True))
    ]
    table = prices(**{name: entry[0] for name, entry in zip(names, market, strict=True) if entry[0] is not None})
    healths = {each.key: entry[1] for each, entry in zip(offers, market, strict=True) if entry[1] is not None}
    route = plan(REQUEST, offers, table, healths, POLICY, now=now, draw=draw)
    placed = [each.offer.key for each in route.candidates] + [each.offer.key for each in route.rejections]
    assert sorted(placed) == sorted(each.key for each in offers)
    ranks = [(each.index, each.offer.position) for each in route.candidates]
    assert ranks == sorted(ranks)
    assert all([each.reason for each in route.candidates] + [each.reason for each in route.rejections])
    assert all((each.parameter is None) is (each.fault is not None) for each in route.rejections)
