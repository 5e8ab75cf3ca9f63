"""Decayed sums: half the weight per half-life, whatever the order of arrival."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.stats.decay import DecayedSums

NOW = 1_790_000_000.0
HALF_LIFE_S = 100.0

events = st.lists(st.tuples(st.floats(0, 2000), st.floats(-5, 5), st.floats(0.1, 3)), min_size=1, max_size=20).flatmap(
    lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn), st.integers(0, len(drawn)))
)


def summed(observations: list[tuple[float, float, float]]) -> DecayedSums:
    sums = DecayedSums(HALF_LIFE_S)
    for ago, value, weight in observations:
        sums.add(NOW - ago, value, weight)
    return sums


def test_an_observation_weighs_half_after_one_half_life() -> None:
    sums = summed([(0.0, 3.0, 1.0)])
    assert sums.sums(NOW + HALF_LIFE_S) == pytest.approx((0.5, 1.5, 4.5))


def test_a_late_observation_counts_as_of_its_own_time() -> None:
    sums = summed([(0.0, 1.0, 1.0), (HALF_LIFE_S, 1.0, 1.0)])
    assert sums.sums(NOW)[0] == pytest.approx(1.5)


def test_the_first_observation_may_be_before_the_epoch_of_the_clock() -> None:
    sums = DecayedSums(HALF_LIFE_S)
    sums.add(-500.0, 2.0)
    assert sums.sums(-500.0) == (1.0, 2.0, 4.0)


def test_after_a_very_long_time_nothing_is_left() -> None:
    assert summed([(0.0, 3.0, 1.0)]).sums(NOW + 1e9) == (0.0, 0.0, 0.0)


def test_a_time_before_the_latest_event_does_not_raise_its_weight() -> None:
    assert summed([(0.0, 3.0, 1.0)]).sums(NOW - 1000.0)[0] == 1.0


@given(events)
def test_sums_agree_in_any_order_and_in_any_division(
    drawn: tuple[list[tuple[float, float, float]], list[tuple[float, float, float]], int],
) -> None:
    first, second, cut = drawn
    merged = summed(second[:cut])
    merged.merge(summed(second[cut:]))
    assert merged.sums(NOW) == pytest.approx(summed(first).sums(NOW), rel=1e-9, abs=1e-9)
