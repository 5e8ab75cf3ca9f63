"""Tests of the objective: the proof of order against brute force, and what a price and a failure weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from math import inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.knobs import OBJECTIVES, Objective
from routing.objective import (
    ENUMERATED,
    LOWEST_SUCCESS,
    Option,
    best_order,
    expected_cost,
    index_of,
    mean_within,
    share_within,
)
from tests.unit.routing.making import option

BALANCED = OBJECTIVES["balanced"]

options = st.builds(
    Option,
    price=st.floats(0.001, 1.0),
    success=st.floats(LOWEST_SUCCESS, 0.999),
    median_s=st.floats(1.0, 120.0),
    sigma=st.floats(0.15, 1.0),
    failure_s=st.floats(0.01, 90.0),
)
objectives = st.sampled_from(list(OBJECTIVES.values())) | st.builds(
    Objective, value_of_time_usd_per_s=st.floats(0.0, 0.1), failed_try_usd=st.floats(0.0, 2.0)
)


def by_hand(order: Sequence[Option], objective: Objective) -> float:
    """The sum of the facts: what each try costs, times the probability that all before it have failed."""
    value = objective.value_of_time_usd_per_s
    total, still = 0.0, 1.0
    for each in order:
        success = each.success * (each.price + value * each.mean_s)
        failure = (1 - each.success) * (value * each.failure_s + objective.failed_try_usd)
        total += still * (success + failure)
        still *= 1 - each.success
    return total + still * objective.failed_request_total_usd


def cheapest_of_all_orders(
    offers: Sequence[Option], objective: Objective, *, tries: int, remaining_s: float, tail: Sequence[Option] = ()
) -> float:
    return min(
        expected_cost((*order, *tail), objective, tries=tries, remaining_s=remaining_s)
        for order in permutations(offers)
    )


@settings(max_examples=150, deadline=None)
@given(offers=st.lists(options, min_size=2, max_size=6), objective=objectives)
def test_no_permutation_is_better_than_the_order_by_rising_index(offers: list[Option], objective: Objective) -> None:
    order = best_order(offers, objective, tries=len(offers))
    assert [index_of(offers[place], objective) for place in order] == sorted(
        index_of(each, objective) for each in offers
    )
    ours = by_hand([offers[place] for place in order], objective)
    assert ours <= min(by_hand(other, objective) for other in permutations(offers)) * (1 + 1e-9)


@given(offers=st.lists(options, min_size=1, max_size=6), objective=objectives)
def test_the_expected_cost_without_bounds_is_that_of_the_proof(offers: list[Option], objective: Objective) -> None:
    assert expected_cost(offers, objective, tries=len(offers)) == pytest.approx(by_hand(offers, objective))


@settings(max_examples=150, deadline=None)
@given(
    offers=st.lists(options, min_size=2, max_size=7),
    objective=objectives,
    tries=st.integers(1, 7),
    remaining_s=st.just(inf) | st.floats(0.1, 300.0),
)
def test_with_few_tries_or_little_time_no_order_of_the_first_five_is_better(
    offers: list[Option], objective: Objective, tries: int, remaining_s: float
) -> None:
    # An image must be worth more than it costs; else the best order is the one that runs out of time soonest.
    dearest = max(index_of(each, objective) for each in offers)
    objective = replace(objective, failed_request_usd=objective.failed_request_usd + dearest)
    order = best_order(offers, objective, tries=tries, remaining_s=remaining_s)
    assert sorted(order) == list(range(len(offers)))
    ours = expected_cost([offers[place] for place in order], objective, tries=tries, remaining_s=remaining_s)
    by_index = sorted(offers, key=lambda each: index_of(each, objective))
    head, tail = by_index[:ENUMERATED], by_index[ENUMERATED:]
    enough = tries >= len(offers) and remaining_s > 1e6
    best = cheapest_of_all_orders(head, objective, tries=tries, remaining_s=remaining_s, tail=tail)
    # Where the deadline hardly bites the order by index is taken as it is: at most one success in 200 would be cut.
    slack = 1e-9 if enough or _cut(by_index, tries, remaining_s) else 0.02
    assert ours <= best * (1 + slack) + 1e-12


def _cut(order: Sequence[Option], tries: int, remaining_s: float) -> bool:
    """Whether a bound is near enough for the orders to be compared outright."""
    if tries < len(order):
        return True
    used = 0.0
    for each in order:
        if share_within(each, remaining_s - used) < 0.995:
            return True
        used += each.failure_s
    return False


def test_with_two_tries_of_three_the_two_lowest_indices_need_not_be_the_best() -> None:
    cheap_and_unsure = [option(0.01, 0.2, 1.0), option(0.01, 0.2, 1.0)]
    sure = option(0.12, 0.99, 1.0)
    offers = [*cheap_and_unsure, sure]
    assert best_order(offers, BALANCED, tries=3) == (0, 1, 2)
    assert set(best_order(offers, BALANCED, tries=2)[:2]) == {0, 2}


def test_with_little_time_left_the_one_that_can_still_make_it_goes_first() -> None:
    slow_and_cheap, quick_and_dear = option(0.03, 0.95, 30.0), option(0.09, 0.95, 8.0)
    offers = [slow_and_cheap, quick_and_dear]
    assert best_order(offers, BALANCED, tries=2, remaining_s=300.0) == (0, 1)
    assert best_order(offers, BALANCED, tries=2, remaining_s=20.0) == (1, 0)


def test_a_failure_that_hangs_costs_what_one_that_is_told_at_once_does_not() -> None:
    told, hangs = option(success=0.77, failure_s=0.5), option(success=0.77, failure_s=40.0)
    assert index_of(hangs, BALANCED) - index_of(told, BALANCED) == pytest.approx(0.001 * (0.23 / 0.77) * 39.5)


def test_the_price_is_paid_once_however_often_an_offer_fails() -> None:
    free_of_time = Objective(value_of_time_usd_per_s=0.0)
    assert index_of(option(0.067, 0.5), free_of_time) == pytest.approx(0.067)


def test_equal_indices_keep_their_places() -> None:
    assert best_order([option()] * 4, BALANCED, tries=4) == (0, 1, 2, 3)
    assert best_order([option()] * 4, BALANCED, tries=2) == (0, 1, 2, 3)
    assert best_order([option()] * 4, BALANCED, tries=4, remaining_s=20.0) == (0, 1, 2, 3)


def test_an_offer_that_never_delivered_has_a_finite_index() -> None:
    assert index_of(option(success=0.0), BALANCED) == index_of(option(success=LOWEST_SUCCESS), BALANCED) < inf


@pytest.mark.parametrize(("tries", "remaining_s"), [(2, inf), (1, inf), (2, 25.0)])
def test_a_weight_is_heeded_however_short_tries_and_time_are(tries: int, remaining_s: float) -> None:
    plain, preferred = option(0.067), option(0.070, weight=1.1)
    unweighted = replace(preferred, weight=1.0)
    assert best_order([plain, preferred], BALANCED, tries=tries, remaining_s=remaining_s) == (1, 0)
    assert best_order([plain, unweighted], BALANCED, tries=tries, remaining_s=remaining_s) == (0, 1)


@given(offers=st.lists(options, min_size=2, max_size=6), objective=objectives, more=st.floats(0.0, 1.0), data=st.data())
def test_raising_a_price_never_improves_a_rank(
    offers: list[Option], objective: Objective, more: float, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(offers) - 1))
    dearer = [*offers]
    dearer[place] = replace(offers[place], price=offers[place].price + more)
    before, after = (best_order(each, objective, tries=len(offers)).index(place) for each in (offers, dearer))
    assert after >= before


@settings(max_examples=200, deadline=None)
@given(
    offers=st.lists(options, min_size=2, max_size=5),
    objective=objectives,
    more=st.floats(0.0, 1.0),
    tries=st.integers(1, 5),
    remaining_s=st.floats(5.0, 300.0),
    data=st.data(),
)
def test_raising_a_price_never_puts_an_offer_first_however_short_tries_and_time_are(
    offers: list[Option], objective: Objective, more: float, tries: int, remaining_s: float, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(offers) - 1))
    dearer = [*offers]
    dearer[place] = replace(offers[place], price=offers[place].price + more)
    first, first_after = (
        best_order(each, objective, tries=tries, remaining_s=remaining_s)[0] for each in (offers, dearer)
    )
    assert first == place or first_after != place


@given(each=options, seconds=st.floats(0.5, 400.0))
def test_what_comes_in_time_takes_no_longer_than_there_is(each: Option, seconds: float) -> None:
    share = share_within(each, seconds)
    assert 0.0 <= share <= 1.0
    if 1e-6 < share < 0.9999:
        assert 0.0 < mean_within(each, seconds, share) <= seconds * (1 + 1e-9)


def test_half_of_the_successes_come_within_the_median() -> None:
    each = option(median_s=12.0)
    assert share_within(each, 12.0) == pytest.approx(0.5)
    assert share_within(each, 0.0) == 0.0
    assert share_within(each, inf) == 1.0


def test_the_mean_of_what_comes_in_time_is_that_of_the_cut_distribution() -> None:
    each, seconds, steps = option(median_s=12.0, sigma=0.5), 18.0, 20_000
    shares = [share_within(each, seconds * step / steps) for step in range(steps + 1)]
    middle = [seconds * (step + 0.5) / steps for step in range(steps)]
    numeric = sum(at * (after - before) for at, before, after in zip(middle, shares, shares[1:], strict=False))
    assert mean_within(each, seconds, shares[-1]) == pytest.approx(numeric / shares[-1], rel=1e-4)
    assert log(each.mean_s / each.median_s) == pytest.approx(0.125)
