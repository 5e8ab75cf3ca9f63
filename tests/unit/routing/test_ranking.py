"""Tests of ranking: what the policies, the callers and the operators change about the order, and what is explored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from providers.spec.request import Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.plan import plan
from routing.policy import Policy
from routing.prices import PriceTable
from routing.ranking import after_failure, entry_of, prior_estimate, priors_of
from routing.stats.estimate import Estimate
from routing.wishes import RouteWishes
from tests.unit.routing.making import NOW, POLICY, REQUEST, estimate, keyed, line, made, offer, offers_of, order, prices

GEMINI = estimate(13.298, 0.916, sigma=0.375)
VERTEX = estimate(29.915, 0.767, sigma=0.417)
FAL = estimate(12.0, 0.96, sigma=0.368)
REPLICATE = estimate(18.0, 0.94, sigma=0.454)
REPORTED = keyed(
    gemini=Health(estimate=GEMINI),
    vertex=Health(estimate=VERTEX),
    fal=Health(estimate=FAL),
    replicate=Health(estimate=REPLICATE),
)
AT_1K = {"gemini": "0.067", "vertex": "0.067", "fal": "0.08", "replicate": "0.067"}


def first(wishes: RouteWishes, *, healths: dict[str, Health] | None = None, policy: Policy = POLICY) -> str:
    return order(made(AT_1K, healths=healths or REPORTED, wishes=wishes, policy=policy))[0]


def test_the_policies_choose_what_they_are_named_for() -> None:
    healths = {
        **keyed(
            gemini=Health(estimate=estimate(40.0, 0.93)),
            fal=Health(estimate=estimate(8.0, 0.93)),
            replicate=Health(estimate=estimate(25.0, 0.999)),
            vertex=Health(estimate=estimate(14.0, 0.93)),
        )
    }
    market = {"gemini": "0.05", "vertex": "0.06", "fal": "0.09", "replicate": "0.08"}
    chosen = {
        policy: order(made(market, healths=healths, wishes=RouteWishes(policy=policy)))[0]
        for policy in POLICY.objectives
    }
    assert chosen == {"cheapest": "gemini", "balanced": "vertex", "fastest": "fal", "most_reliable": "replicate"}


def test_a_callers_value_of_time_moves_the_choice_from_the_cheap_to_the_quick() -> None:
    assert first(RouteWishes(value_of_time_usd_per_s=0.0)) == "gemini"
    assert first(RouteWishes(value_of_time_usd_per_s=0.02)) == "fal"


def test_with_the_reported_figures_the_slow_and_unsure_comes_last() -> None:
    assert order(made(AT_1K, healths=REPORTED)) == ["gemini", "replicate", "fal", "vertex"]


@pytest.mark.parametrize(("resolution", "winner"), [(Resolution.R512, "fal"), (Resolution.R4K, "gemini")])
def test_prices_at_the_resolution_send_a_small_and_a_large_image_to_different_providers(
    resolution: Resolution, winner: str
) -> None:
    table = PriceTable(
        (
            line("fal", {Resolution.R512: "0.03", Resolution.R4K: "0.16"}),
            line("gemini", {Resolution.R512: "0.045", Resolution.R4K: "0.12"}),
            line("replicate", {Resolution.R4K: "0.15"}),
        )
    )
    offers = offers_of(["fal", "gemini", "replicate"])
    route = plan(replace(REQUEST, resolution=resolution), offers, table, {}, POLICY, now=NOW, draw=0.5)
    assert order(route)[0] == winner
    assert ("replicate" in order(route)) is (resolution is Resolution.R4K)


def test_the_order_of_the_caller_goes_before_the_figures_and_the_others_follow_by_them() -> None:
    route = made(AT_1K, healths=REPORTED, wishes=RouteWishes(order=("vertex", "fal")))
    assert order(route) == ["vertex", "fal", "gemini", "replicate"]
    assert route.candidates[2].reason.startswith("index")
    assert "; vertex goes before it by provider.order; " in route.candidates[1].reason


def test_offers_slower_than_preferred_come_last_and_are_not_left_out() -> None:
    assert order(made(AT_1K, healths=REPORTED, wishes=RouteWishes(preferred_max_latency=((0.5, 12.5),)))) == [
        "fal",
        "gemini",
        "replicate",
        "vertex",
    ]


def test_a_preferred_latency_holds_at_each_quantile_that_is_named() -> None:
    shaky, steady = estimate(12.0, sigma=0.9), estimate(14.0, sigma=0.2)
    healths = keyed(gemini=Health(estimate=shaky), fal=Health(estimate=steady))
    market = {"gemini": "0.05", "fal": "0.09"}
    for quantiles, winner in ((((0.5, 15.0),), "gemini"), (((0.5, 15.0), (0.9, 20.0)), "fal")):
        wishes = RouteWishes(preferred_max_latency=quantiles)
        assert order(made(market, healths=healths, wishes=wishes))[0] == winner


def test_a_weight_prefers_a_provider_to_its_figures() -> None:
    assert first(RouteWishes(), policy=replace(POLICY, weights={"fal": 1.3})) == "fal"
    assert first(RouteWishes(), policy=replace(POLICY, weights={"gemini": 0.5})) == "replicate"


def test_a_weight_is_heeded_where_the_tries_are_fewer_than_the_offers() -> None:
    policy = replace(POLICY, weights={"fal": 1.3}, max_attempts=2)
    assert first(RouteWishes(), policy=policy) == "fal"
    assert first(RouteWishes(), policy=replace(policy, weights={})) == "gemini"


def test_a_short_deadline_sends_the_request_to_whoever_can_still_make_it() -> None:
    healths = keyed(gemini=Health(estimate=estimate(40.0)), fal=Health(estimate=estimate(10.0)))
    market = {"gemini": "0.02", "fal": "0.09"}
    assert order(made(market, healths=healths))[0] == "gemini"
    assert order(made(market, healths=healths, policy=replace(POLICY, request_deadline_s=20.0)))[0] == "fal"


HALF_OPEN = Health(
    estimate=estimate(60.0, 0.1, sigma=0.4, long_run_median_s=14.0, long_run_success=0.95),
    breaker=Breaker(score=8.0, opened_at=NOW - 15, open_until=NOW, open_s=15),
)
"""Two sigmas above its long-run median are 31.2 s."""


def with_a_trial(deadline_s: float, wishes: RouteWishes | None = None) -> list[str]:
    route = made(
        {"gemini": "0.01", "fal": "0.08", "replicate": "0.09"},
        healths=keyed(gemini=HALF_OPEN, fal=Health(estimate=FAL), replicate=Health(estimate=REPLICATE)),
        policy=replace(POLICY, request_deadline_s=deadline_s),
        wishes=wishes or RouteWishes(),
    )
    assert [each.probe for each in route.candidates] == [name == "gemini" for name in order(route)]
    return order(route)


def test_a_trial_that_the_deadline_would_cut_short_goes_last_and_is_not_left_out() -> None:
    assert with_a_trial(31.5)[0] == "gemini"
    assert with_a_trial(31.0) == ["fal", "replicate", "gemini"]


def test_an_offer_in_service_with_the_same_figures_is_asked_first_however_short_the_deadline() -> None:
    quick = Health(estimate=estimate(14.0, 0.95, sigma=0.4))
    healths = keyed(gemini=quick, fal=Health(estimate=FAL))
    route = made({"gemini": "0.01", "fal": "0.08"}, healths=healths, policy=replace(POLICY, request_deadline_s=31.0))
    assert order(route) == ["gemini", "fal"]


def test_a_caller_who_names_an_order_gets_it_though_the_trial_may_be_cut_short() -> None:
    assert with_a_trial(31.0, RouteWishes(order=("gemini",)))[0] == "gemini"


def test_a_failure_in_the_family_lowers_the_others_success_by_what_was_learned() -> None:
    quote = prices(vertex="0.067").quote(offer("vertex"), REQUEST, on=line("vertex", {}).effective_from)
    assert quote is not None
    entry = entry_of(offer("vertex"), quote, Health(estimate=estimate(success=0.9)), Resolution.R1K, POLICY, now=NOW)
    assert after_failure(entry, "gemini", {("gemini", "vertex"): 0.5}).option.success == pytest.approx(0.45)
    assert after_failure(entry, "fal", {("gemini", "vertex"): 0.5}) is entry
    assert entry.option.price == float(Decimal("0.067"))


def test_the_catalogs_own_figures_of_an_offer_go_before_the_policys_priors() -> None:
    own = replace(offer("fal"), expected_seconds=4.0, expected_success=0.99)
    assert (priors_of(own, POLICY).seconds, priors_of(own, POLICY).success) == (4.0, 0.99)
    assert priors_of(offer("fal"), POLICY) is POLICY.priors
    at_4k = prior_estimate(own, Resolution.R4K, POLICY)
    assert at_4k.median_s == pytest.approx(7.6)
    assert (at_4k.success, at_4k.samples) == (0.99, 0)
    assert prior_estimate(own, None, POLICY).median_s == 4.0


# Exploration

FALLEN = estimate(45.0, long_run_median_s=10.0)
"""Slow just now, and quick in the long run."""
NEVER_QUICK = estimate(45.0)
"""Slow, and always was; the best if it had become four times as fast."""


def explored(
    figures: Estimate,
    *,
    likely: bool = False,
    hopeful: bool = False,
    wishes: RouteWishes | None = None,
    health: Health | None = None,
    deadline_s: float = 300.0,
) -> bool:
    """Whether gemini, the second best of two, is promoted."""
    second = replace(health or Health(), estimate=figures, likely_due=likely, hopeful_due=hopeful)
    route = made(
        {"fal": "0.07", "gemini": "0.067"},
        healths=keyed(fal=Health(estimate=estimate(12.0)), gemini=second),
        wishes=wishes or RouteWishes(),
        policy=replace(POLICY, request_deadline_s=deadline_s),
    )
    assert len(route.candidates) == (1 if wishes is not None and not wishes.allow_fallbacks else 2)
    probe = route.candidates[0].probe
    assert probe is (route.candidates[0].offer.provider == "gemini")
    return probe


def test_an_offer_is_explored_when_its_long_run_figures_would_make_it_the_best_and_it_is_due() -> None:
    assert explored(FALLEN, likely=True)
    assert not explored(FALLEN)
    assert not explored(NEVER_QUICK, likely=True)


def test_an_offer_is_explored_in_hope_when_it_would_be_the_best_if_it_were_much_faster() -> None:
    assert explored(NEVER_QUICK, hopeful=True)
    assert not explored(estimate(200.0, sigma=0.15), hopeful=True)


@pytest.mark.parametrize(
    "wishes",
    [
        RouteWishes(order=("fal",)),
        RouteWishes(allow_fallbacks=False),
        RouteWishes(preferred_max_latency=((0.5, 20.0),)),
    ],
)
def test_a_caller_who_says_whom_to_ask_or_how_quickly_is_not_used_for_exploring(wishes: RouteWishes) -> None:
    assert not explored(FALLEN, likely=True, hopeful=True, wishes=wishes)


def test_an_offer_is_not_explored_without_time_for_the_best_one_after_it() -> None:
    assert explored(FALLEN, likely=True, deadline_s=70.0)
    assert not explored(FALLEN, likely=True, deadline_s=55.0)


@pytest.mark.parametrize(("promising", "other"), [("vertex", "gemini"), ("gemini", "vertex")])
def test_of_two_worth_exploring_the_more_promising_goes_first(promising: str, other: str) -> None:
    healths = keyed(
        **{
            "fal": Health(estimate=estimate(12.0)),
            other: Health(estimate=FALLEN, likely_due=True),
            promising: Health(estimate=replace(FALLEN, long_run_median_s=6.0), likely_due=True),
        }
    )
    route = made({"fal": "0.07", "gemini": "0.067", "vertex": "0.067"}, healths=healths)
    assert order(route)[0] == promising
    assert [each.probe for each in route.candidates] == [True, False, False]


def test_one_that_is_second_for_want_of_tries_is_not_taken_for_one_that_has_become_better() -> None:
    unsure = Health(estimate=estimate(5.0, success=0.2), likely_due=True)
    healths = keyed(gemini=unsure, fal=Health(estimate=estimate(5.0, success=0.99)))
    route = made({"gemini": "0.01", "fal": "0.12"}, healths=healths, policy=replace(POLICY, max_attempts=1))
    assert order(route) == ["fal", "gemini"]
    assert route.candidates[0].index > route.candidates[1].index
    assert not any(each.probe for each in route.candidates)
