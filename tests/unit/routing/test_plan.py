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
from routing.breaker import Breaker
from routing.health import Health, probing
from routing.plan import RoutePlan, plan
from routing.policy import Policy
from routing.prices import PriceTable
from routing.reasons import about
from routing.wishes import RouteWishes
from tests.unit.routing.making import (
    MODEL,
    NOW,
    POLICY,
    REQUEST,
    estimate,
    keyed,
    line,
    made,
    offer,
    order,
    prices,
)

OUT = Health(out_fault=Fault.CREDENTIALS, out_since=NOW - 10, next_probe_at=NOW + 590)
PROBE_DUE = replace(OUT, next_probe_at=NOW)
BLOCKED = Health(blocked_until=NOW + 12.5)
OPEN = Health(breaker=Breaker(score=5.5, opened_at=NOW - 5, open_until=NOW + 10, open_s=15))
HALF_OPEN = Health(breaker=Breaker(score=5.5, opened_at=NOW - 15, open_until=NOW, open_s=15))
FULL = Health(room=False)
RESTING = {"full": FULL, "open": OPEN, "blocked": BLOCKED, "out": OUT}


def test_of_offers_alike_in_all_else_the_cheapest_stands_first() -> None:
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
    assert before.candidates[0].quote.total == Decimal("0.08")
    assert on.candidates[0].quote.total == Decimal("0.05")


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


def test_an_open_breaker_and_a_full_offer_are_rejections_that_say_so() -> None:
    route = made({"fal": "0.08", "gemini": "0.0672", "vertex": "0.06"}, healths=keyed(gemini=OPEN, vertex=FULL))
    assert order(route) == ["fal"]
    by_provider = {each.offer.provider: each for each in route.rejections}
    assert (by_provider["gemini"].fault, by_provider["gemini"].blocked_until) == (Fault.OVERLOADED, NOW + 10)
    assert by_provider["gemini"].reason == "this provider kept failing and is left alone for 10 s more"
    assert by_provider["vertex"].fault is Fault.RATE_LIMITED
    assert by_provider["vertex"].reason == "this provider bears no more requests at once just now"


def test_what_a_vendor_has_lately_said_it_cannot_do_is_not_asked_of_it() -> None:
    healths = keyed(gemini=Health(unsupported_until=NOW + 1))
    route = made({"fal": "0.08", "gemini": "0.0672"}, healths=healths)
    assert order(route) == ["fal"]
    assert route.rejections[0].reason == "this provider has lately said that it cannot generate at 1K"
    assert order(made({"fal": "0.08", "gemini": "0.0672"}, healths=healths, now=NOW + 1)) == ["gemini", "fal"]


def test_a_probe_stands_where_its_figures_put_it() -> None:
    route = made({"gemini": "0.01", "fal": "0.08", "vertex": "0.09"}, healths={f"gemini/{MODEL}": PROBE_DUE})
    assert order(route) == ["gemini", "fal", "vertex"]
    assert [candidate.probe for candidate in route.candidates] == [True, False, False]
    assert route.candidates[0].reason == (
        "a probe: it did not accept the gateway's credentials when last tried; $0.01 at 1K, 16.2 s, 93.0% deliver"
    )


@pytest.mark.parametrize(("price", "first"), [("0.06", "gemini"), ("0.10", "fal")])
def test_a_half_open_offer_is_tried_out_by_a_request_only_where_its_long_run_figures_are_the_best(
    price: str, first: str
) -> None:
    sick = estimate(median_s=60.0, success=0.1, long_run_median_s=14.0, long_run_success=0.95)
    route = made({"fal": "0.08", "gemini": price}, healths=keyed(gemini=replace(HALF_OPEN, estimate=sick)))
    assert order(route)[0] == first
    on_trial = next(each for each in route.candidates if each.offer.provider == "gemini")
    assert (on_trial.probe, on_trial.success) == (True, 0.95)
    assert on_trial.reason.startswith("a probe: it kept failing until lately")


def test_a_half_open_offer_that_another_request_tries_out_is_rejected() -> None:
    route = made({"fal": "0.08", "gemini": "0.01"}, healths=keyed(gemini=replace(HALF_OPEN, trial=False)))
    assert order(route) == ["fal"]
    assert route.rejections[0].reason == "this provider kept failing, and another request is looking whether it is back"


def test_a_probe_that_another_request_has_taken_is_no_candidate() -> None:
    taken = probing(PROBE_DUE, now=NOW, policy=POLICY)
    assert order(made({"gemini": "0.01", "fal": "0.08"}, healths=keyed(gemini=taken))) == ["fal"]


def test_when_nobody_may_be_asked_everybody_is_a_candidate_the_least_bad_first() -> None:
    names = ["out", "blocked", "open", "full"]
    blocked_for_less = replace(BLOCKED, blocked_until=NOW + 1)
    route = made(dict.fromkeys(names, "0.05"), healths=keyed(**{**RESTING, "blocked": blocked_for_less}))
    assert order(route) == ["full", "open", "blocked", "out"]
    assert route.rejections == ()
    for candidate in route.candidates:
        assert candidate.kept_back is not None
        told = about(candidate.offer.provider, candidate.kept_back.reason)
        assert candidate.reason == f"the last resort, for nobody else can be asked: {told}"


def test_each_candidate_says_why_it_stands_where_it_stands() -> None:
    route = made({"replicate": "0.067", "gemini": "0.0672", "vertex": "0.0672", "fal": "0.08"})
    assert [candidate.reason for candidate in route.candidates] == [
        "best by index 0.0836 (balanced): $0.067 at 1K, 16.2 s, 93.0% deliver; next is gemini at 0.0838",
        "index 0.0838, 0.2% above replicate; $0.0672 at 1K, 16.2 s, 93.0% deliver",
        "index 0.0838, as good as gemini, which the configuration names first; $0.0672 at 1K, 16.2 s, 93.0% deliver",
        "index 0.0966, 15.5% above replicate; $0.08 at 1K, 16.2 s, 93.0% deliver",
    ]


@pytest.mark.parametrize(
    ("providers", "reason"),
    [
        ({"fal": "0.080"}, "the only offer that can serve this request: $0.08 at 1K, 16.2 s, 93.0% deliver"),
        (
            {"gemini": "0.07", "vertex": "0.07"},
            "as good as vertex, and the configuration names it first (balanced): $0.07 at 1K, 16.2 s, 93.0% deliver",
        ),
    ],
)
def test_the_first_candidate_says_what_put_it_there(providers: dict[str, str], reason: str) -> None:
    assert made(providers).candidates[0].reason == reason


def test_the_deadline_is_the_policys_from_now_on() -> None:
    route = made({"fal": "0.08"}, policy=replace(POLICY, request_deadline_s=12.0))
    assert (route.started_at, route.deadline_at) == (NOW, NOW + 12.0)


def test_what_nobody_has_measured_is_told_as_a_prior() -> None:
    (candidate,) = made({"fal": "0.08"}).candidates
    assert (candidate.success, candidate.success_low, candidate.success_high) == (0.93, 0.0, 1.0)
    assert candidate.samples == 0


def test_measured_figures_are_told_with_their_interval_and_samples() -> None:
    measured = estimate(12.0, 0.97, sigma=0.3, samples=412)
    (candidate,) = made({"fal": "0.08"}, healths=keyed(fal=Health(estimate=measured))).candidates
    assert candidate.expected_seconds == pytest.approx(measured.mean_s)
    assert (candidate.success, candidate.success_low, candidate.success_high) == (
        measured.success,
        measured.success_low,
        measured.success_high,
    )
    assert candidate.samples == 412
    assert candidate.quote.total == Decimal("0.08")


def test_no_offers_make_an_empty_plan() -> None:
    route = plan(REQUEST, [], prices(), {}, Policy(), now=NOW, draw=0.0)
    assert (route.candidates, route.rejections) == ((), ())


def test_without_fallbacks_only_the_first_choice_is_a_candidate() -> None:
    wishes = RouteWishes(allow_fallbacks=False)
    route = made({"gemini": "0.0672", "fal": "0.08", "replicate": "0.067"}, wishes=wishes)
    assert order(route) == ["replicate"]
    assert [(each.offer.provider, each.parameter) for each in route.rejections] == [
        ("gemini", "provider.allow_fallbacks"),
        ("fal", "provider.allow_fallbacks"),
    ]
    assert route.rejections[0].reason == "this provider would be a fallback after replicate, and none is allowed"


def test_an_offer_that_may_have_become_the_best_goes_first_and_says_why() -> None:
    healths = keyed(gemini=Health(estimate=estimate(40.0, long_run_median_s=12.0), likely_due=True))
    providers = {"gemini": "0.0672", "fal": "0.08"}
    route = made(providers, healths=healths)
    assert order(route) == ["gemini", "fal"]
    assert [each.probe for each in route.candidates] == [True, False]
    assert route.candidates[0].reason.startswith("a probe: it may have become the best by now; $0.0672 at 1K")
    not_due = keyed(gemini=replace(healths[f"gemini/{MODEL}"], likely_due=False))
    assert order(made(providers, healths=not_due)) == ["fal", "gemini"]


amounts = st.integers(min_value=1, max_value=9).map(lambda cents: f"0.0{cents}")
estimates = st.builds(
    estimate,
    st.floats(1.0, 120.0),
    st.floats(0.02, 0.999),
    sigma=st.floats(0.15, 1.0),
    failure_s=st.floats(0.1, 60.0),
    long_run_median_s=st.floats(1.0, 120.0),
    long_run_success=st.floats(0.02, 0.999),
)
healths_of_one = st.builds(
    lambda health, figures, likely, hopeful: replace(health, estimate=figures, likely_due=likely, hopeful_due=hopeful),
    st.sampled_from([Health(), *RESTING.values(), PROBE_DUE, HALF_OPEN]),
    st.none() | estimates,
    st.booleans(),
    st.booleans(),
)
settings_of_one = st.tuples(st.none() | amounts, healths_of_one, st.booleans())
wishes_of_one = st.builds(
    RouteWishes,
    order=st.sampled_from([(), ("p1",), ("p2", "p0")]),
    allow_fallbacks=st.booleans(),
    policy=st.sampled_from([None, *POLICY.objectives]),
    preferred_max_latency=st.sampled_from([(), ((0.5, 20.0),)]),
)


@given(
    market=st.lists(settings_of_one, max_size=6),
    wishes=wishes_of_one,
    now=st.floats(NOW - 1, NOW + 1000),
    draw=st.floats(0, 0.999),
)
def test_every_offer_is_in_the_plan_exactly_once_and_the_same_in_makes_the_same_out(
    market: list[tuple[str | None, Health, bool]], wishes: RouteWishes, now: float, draw: float
) -> None:
    names = [f"p{index}" for index in range(len(market))]
    offers = [
        offer(name, position=index, min_prompt_chars=1 if able else 10_000)
        for index, (name, (_, _, able)) in enumerate(zip(names, market, strict=True))
    ]
    table = prices(**{name: entry[0] for name, entry in zip(names, market, strict=True) if entry[0] is not None})
    healths = {each.key: entry[1] for each, entry in zip(offers, market, strict=True)}

    def once(drawn: float) -> RoutePlan:
        return plan(REQUEST, offers, table, dict(healths), POLICY, now=now, draw=drawn, wishes=wishes)

    route = once(draw)
    placed = [each.offer.key for each in route.candidates] + [each.offer.key for each in route.rejections]
    assert sorted(placed) == sorted(each.key for each in offers)
    assert all([each.reason for each in route.candidates] + [each.reason for each in route.rejections])
    assert all((each.parameter is None) is (each.fault is not None) for each in route.rejections)
    assert route == once(draw) == once(0.5)
    unobjected = [each for each in route.rejections if each.parameter is None]
    assert route.candidates or not unobjected
    could = [name for name, (price, _, able) in zip(names, market, strict=True) if price is not None and able]
    excluded = wishes.order and not wishes.allow_fallbacks
    assert route.candidates or not could or (excluded and not set(could) & set(wishes.order))


@given(
    market=st.lists(st.tuples(st.integers(1, 200), healths_of_one), min_size=2, max_size=6),
    policy=st.sampled_from(list(POLICY.objectives)),
    more=st.integers(0, 300),
    data=st.data(),
)
def test_raising_a_price_never_improves_a_rank_in_the_plan(
    market: list[tuple[int, Health]], policy: str, more: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(market) - 1))
    names = [f"p{index}" for index in range(len(market))]
    # A probe is no rank: whoever has just lost the first place may be looked at next, which is what a probe is for.
    healths = keyed(
        **{
            name: replace(health, likely_due=False, hopeful_due=False)
            for name, (_, health) in zip(names, market, strict=True)
        }
    )
    ranks = []
    for extra in (0, more):
        table = {
            name: f"{(mils + (extra if index == place else 0)) / 1000:.3f}"
            for index, (name, (mils, _)) in enumerate(zip(names, market, strict=True))
        }
        placed = order(made(table, healths=healths, wishes=RouteWishes(policy=policy)))
        ranks.append(placed.index(names[place]) if names[place] in placed else len(names))
    assert ranks[1] >= ranks[0]
