"""Draws, log-normal times, and what a try is worth."""

from __future__ import annotations

from itertools import permutations
from math import exp
from statistics import fmean, pstdev

import pytest

from benchmarks.routing.draws import key, normal, uniform
from benchmarks.routing.hurry import HORIZON_S, Asked, Hurry
from benchmarks.routing.truth import FailureMix, Timeline, mean_up_to, share_within
from benchmarks.routing.values import best_prospect, prospect
from tests.unit.benchmarks.routing.small import R1K, truth

FAST_FAILURES = FailureMix(rate_limited=0.0, overloaded=1.0, empty=0.0, hang=0.0)


def test_draws_are_uniform_normal_and_a_function_of_their_key() -> None:
    numbers = [uniform(key(1, number), 1) for number in range(4000)]
    assert fmean(numbers) == pytest.approx(0.5, abs=0.02)
    assert pstdev(numbers) == pytest.approx(12**-0.5, abs=0.01)
    deviates = [normal(key(1, number), 1) for number in range(4000)]
    assert (fmean(deviates), pstdev(deviates)) == pytest.approx((0.0, 1.0), abs=0.06)
    assert uniform(key(1, 7), 1) == uniform(key(1, 7), 1)
    assert len({uniform(key(1, 7), 1), uniform(key(7, 1), 1), uniform(key(1, 7), 2), uniform(key(2, 7), 1)}) == 4


@pytest.mark.parametrize("limit_s", [5.0, 12.0, 40.0])
def test_shares_and_means_of_a_cut_log_normal_are_those_of_its_draws(limit_s: float) -> None:
    times = [12.0 * exp(0.4 * normal(key(3, number), 2)) for number in range(20_000)]
    assert share_within(limit_s, 12.0, 0.4) == pytest.approx(fmean(time <= limit_s for time in times), abs=0.012)
    assert mean_up_to(limit_s, 12.0, 0.4) == pytest.approx(fmean(min(time, limit_s) for time in times), rel=0.01)


def test_failures_are_free_so_the_index_holds_the_price_once() -> None:
    often_failing = truth(0.5, price=0.067, failures=FAST_FAILURES)
    found = prospect(often_failing, 0.067, R1K, 1e6, 0.0)
    assert found.index == pytest.approx(0.067)


def test_the_best_limit_is_no_worse_than_any_other() -> None:
    hanging = truth(0.8, failures=FailureMix(rate_limited=0.0, overloaded=0.0, empty=0.0, hang=1.0))
    best = best_prospect(hanging, 0.05, R1K, 0.01)
    assert best.limit_s < 60.0
    assert all(best.index <= prospect(hanging, 0.05, R1K, limit, 0.01).index + 1e-4 for limit in range(5, 300))


def test_a_timeline_begins_at_zero_and_changes_when_it_says() -> None:
    timeline = Timeline([(0.0, truth(0.9)), (10.0, truth(0.1))])
    assert [timeline.at(now).success for now in (0.0, 9.99, 10.0)] == [0.9, 0.9, 0.1]
    with pytest.raises(ValueError, match="starts at 0"):
        Timeline([(1.0, truth())])


def test_with_time_to_spare_hurry_begins_as_the_ratio_rule_does() -> None:
    truths = {"a": truth(0.9, 8.0, 0.06), "b": truth(0.7, 5.0, 0.07), "c": truth(0.95, 12.0, 0.05)}
    indexes = {name: best_prospect(each, each.prices[R1K], R1K, 0.001).index for name, each in truths.items()}
    first = Hurry({name: Asked(each, each.prices[R1K]) for name, each in truths.items()}, R1K, 0.001, 0.32).first(
        list(truths), HORIZON_S
    )
    assert first is not None
    assert first[0] == min(indexes, key=lambda name: indexes[name])


def test_of_two_that_fail_as_often_hurry_begins_with_the_one_that_fails_sooner() -> None:
    late = FailureMix(rate_limited=0.0, overloaded=0.0, empty=1.0, hang=0.0)
    asked = {"late": Asked(truth(0.6, failures=late), 0.05), "soon": Asked(truth(0.6, failures=FAST_FAILURES), 0.05)}
    first = Hurry(asked, R1K, 0.001, 0.32).first(["late", "soon"], HORIZON_S)
    assert first is not None
    assert first[0] == "soon"


def test_near_the_deadline_hurry_prefers_who_can_still_make_it() -> None:
    asked = {"slow": Asked(truth(0.99, 20.0), 0.03), "quick": Asked(truth(0.9, 5.0), 0.09)}
    hurry = Hurry(asked, R1K, 0.0001, 0.3)
    chosen = [hurry.first(["slow", "quick"], left) for left in (100.0, 10.0, 1.0)]
    assert [each and each[0] for each in chosen] == ["slow", "quick", None]


def test_hurry_agrees_with_brute_force_where_failures_take_no_time() -> None:
    """Without limits and with instant failures the value is a sum over the order; every order is tried."""
    truths = {"a": truth(0.6, 3.0, 0.05), "b": truth(0.8, 6.0, 0.055), "c": truth(0.5, 2.0, 0.07)}
    value_of_time, failure = 0.002, 0.5
    instant = FailureMix(rate_limited=1.0, overloaded=0.0, empty=0.0, hang=0.0)
    asked = {
        name: Asked(truth(each.success, each.median_s, failures=instant), each.prices[R1K])
        for name, each in truths.items()
    }

    def cost(order: tuple[str, ...]) -> float:
        total, alive = 0.0, 1.0
        for name in order:
            each = asked[name]
            total += alive * prospect(each.truth, each.price, R1K, 1e6, value_of_time).cost
            alive *= 1.0 - each.truth.success
        return total + alive * failure

    best = min(permutations(asked), key=cost)
    first = Hurry(asked, R1K, value_of_time, failure).first(list(asked), HORIZON_S)
    assert first is not None
    assert first[0] == best[0]
