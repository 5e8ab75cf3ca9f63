"""Tests of limits: what refusals teach, how a limit grows, is tested and is forgotten."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.knobs import LimitKnobs
from routing.limits import Limit, Token

KNOBS = LimitKnobs(
    accepted_within_s=300.0, raise_after_s=15.0, max_raise_after_s=240.0, forget_s=900.0, test_wait_s=3.0
)
"""Growth slow enough to tell it from tests, and memory long enough to outlast both."""
NOW = 1_790_000_000.0


def start(limit: Limit, count: int, *, now: float = NOW) -> list[Token]:
    return [limit.started(now=now) for _ in range(count)]


def learned(at: int, *, now: float = NOW) -> tuple[Limit, list[Token]]:
    """A limit that was just learned from two refusals, with everything accepted still in flight."""
    limit = Limit(KNOBS)
    tokens = start(limit, at + 2, now=now)
    for token in tokens[at:]:
        limit.refused(token, now=now)
    assert limit.limit == at
    assert limit.in_flight == at
    return limit, tokens[:at]


def test_an_offer_nobody_was_refused_by_is_unlimited() -> None:
    limit = Limit(KNOBS)
    start(limit, 10_000)
    assert limit.room(now=NOW)
    assert limit.limit is None
    assert limit.load == 0.0


def test_one_refusal_makes_no_limit() -> None:
    limit = Limit(KNOBS)
    limit.refused(start(limit, 11)[-1], now=NOW)
    assert limit.limit is None


def test_two_refusals_at_the_edge_make_the_limit_one_below_them() -> None:
    limit = Limit(KNOBS)
    start(limit, 10)
    for now in (NOW, NOW + 19):
        limit.refused(limit.started(now=now), now=now)
    assert limit.limit == 10
    assert not limit.room(now=NOW + 19)


def test_two_refusals_that_are_far_apart_make_none() -> None:
    limit = Limit(KNOBS)
    start(limit, 10)
    for now in (NOW, NOW + KNOBS.refusals_within_s + 1):
        limit.refused(limit.started(now=now), now=now)
    assert limit.limit is None


def test_refusals_far_below_what_was_accepted_of_late_are_about_something_else() -> None:
    limit = Limit(KNOBS)
    for token in start(limit, 20):
        limit.finished(token, now=NOW)
    for _ in range(10):
        limit.refused(start(limit, 1, now=NOW + 1)[0], now=NOW + 1)
    assert limit.limit is None


def test_what_was_accepted_long_ago_is_no_measure_any_more() -> None:
    limit = Limit(KNOBS)
    for token in start(limit, 20):
        limit.finished(token, now=NOW)
    later = NOW + KNOBS.accepted_within_s + 1
    start(limit, 4, now=later)
    for _ in range(2):
        limit.refused(limit.started(now=later), now=later)
    assert limit.limit == 4


def test_a_try_that_runs_for_a_while_counts_as_accepted_before_it_ends() -> None:
    limit = Limit(KNOBS)
    running = start(limit, 20)
    later = NOW + KNOBS.accepted_after_s
    limit.tick(now=later)
    for token in running[:15]:
        limit.finished(token, now=later)
    for _ in range(2):
        limit.refused(limit.started(now=later), now=later)
    assert limit.limit is None


@given(st.integers(1, 12), st.integers(2, 30), st.randoms(use_true_random=False))
def test_a_burst_finds_the_vendors_capacity_in_whatever_order_the_refusals_arrive(
    capacity: int, excess: int, order: Random
) -> None:
    limit = Limit(KNOBS)
    tokens = start(limit, capacity + excess)
    refused = tokens[capacity:]
    order.shuffle(refused)
    for number, token in enumerate(refused):
        limit.refused(token, now=NOW + 0.3 + number / 1000)
    assert limit.limit == capacity
    assert limit.in_flight == capacity


def test_a_further_refusal_at_the_edge_lowers_the_limit_again() -> None:
    limit, running = learned(10)
    now = NOW + 10
    limit.finished(running.pop(), now=now)
    limit.refused(limit.started(now=now), now=now)
    assert limit.limit == 9


def test_the_limit_is_never_below_one() -> None:
    limit = Limit(KNOBS)
    for _ in range(5):
        limit.refused(limit.started(now=NOW), now=NOW)
    assert limit.limit == 1
    assert limit.room(now=NOW)


def test_a_request_that_has_waited_may_test_the_limit_and_one_that_has_not_may_not() -> None:
    limit, _ = learned(5)
    assert not limit.room(now=NOW + 3, waited_s=2.9)
    assert limit.room(now=NOW + 3, waited_s=3.0)


def test_only_one_request_tests_at_a_time_even_when_a_place_falls_free_meanwhile() -> None:
    limit, running = learned(5)
    assert limit.started(now=NOW + 4, waited_s=4.0).test
    assert not limit.room(now=NOW + 4, waited_s=30.0)
    limit.finished(running[0], now=NOW + 4)
    assert not limit.room(now=NOW + 4, waited_s=30.0)


def test_nobody_tests_while_more_is_in_flight_than_the_limit() -> None:
    limit, _ = learned(5)
    start(limit, 2, now=NOW + 1)
    assert not limit.room(now=NOW + 10, waited_s=30.0)


def test_nobody_tests_right_after_a_refusal_however_long_the_wait_was() -> None:
    limit, _ = learned(5)
    assert not limit.room(now=NOW + 2.9, waited_s=60.0)
    assert limit.room(now=NOW + 3, waited_s=60.0)


def test_an_accepted_test_raises_the_limit_at_once_and_the_next_may_follow() -> None:
    limit, _ = learned(5)
    limit.started(now=NOW + 4, waited_s=4.0)
    assert not limit.room(now=NOW + 6.9, waited_s=4.0)
    assert limit.room(now=NOW + 7, waited_s=4.0)
    assert limit.limit == 6


def learned_and_never_growing(at: int) -> Limit:
    limit = Limit(LimitKnobs(raise_after_s=1e9, max_raise_after_s=1e9))
    for token in start(limit, at + 2)[at:]:
        limit.refused(token, now=NOW)
    return limit


def refused_tests(limit: Limit, until: float) -> list[float]:
    now, times = NOW + 4, []
    while now < until:
        if limit.room(now=now, waited_s=60.0):
            limit.refused(limit.started(now=now, waited_s=60.0), now=now)
            times.append(now)
        now += 0.5
    return times


def test_refused_tests_come_at_doubling_intervals_up_to_a_minute() -> None:
    limit = learned_and_never_growing(5)
    times = refused_tests(limit, NOW + 400)
    assert [later - earlier for earlier, later in pairwise(times)][:7] == [3, 6, 12, 24, 48, 60, 60]
    assert limit.limit == 5


def test_the_interval_between_tests_starts_anew_when_one_is_accepted() -> None:
    limit = learned_and_never_growing(5)
    times = refused_tests(limit, NOW + 100)
    now = times[-1] + 60
    limit.started(now=now, waited_s=60.0)
    now += 3
    for gap in (3, 6):
        assert limit.room(now=now, waited_s=60.0)
        limit.refused(limit.started(now=now, waited_s=60.0), now=now)
        assert not limit.room(now=now + gap - 0.1, waited_s=60.0)
        now += gap


def test_saturation_without_a_refusal_raises_the_limit_by_one() -> None:
    limit, _ = learned(5)
    limit.tick(now=NOW + 14.9)
    assert limit.limit == 5
    limit.tick(now=NOW + 15)
    assert limit.limit == 6


def test_an_offer_below_its_limit_does_not_grow() -> None:
    limit, running = learned(5)
    limit.finished(running[0], now=NOW)
    limit.tick(now=NOW + 200)
    assert limit.limit == 5


def test_a_refusal_starts_the_count_of_saturation_anew() -> None:
    limit, _ = learned(5)
    limit.refused(limit.started(now=NOW + 10), now=NOW + 10)
    assert grown_after(limit, NOW + 10) == 2 * KNOBS.raise_after_s


def test_more_in_flight_than_the_limit_does_not_speak_for_more() -> None:
    limit, _ = learned(5)
    start(limit, 3)
    limit.tick(now=NOW + 100)
    assert limit.limit == 5


def test_saturation_is_counted_over_the_gaps_that_changing_places_leaves() -> None:
    limit, running = learned(5)
    for second in range(1, 15):
        limit.finished(running.pop(0), now=NOW + second)
        running.append(limit.started(now=NOW + second + 0.1))
    assert limit.limit == 5
    limit.tick(now=NOW + 16.5)
    assert limit.limit == 6


def grown_after(limit: Limit, since: float) -> float:
    height, now = limit.limit, since
    while limit.limit == height:
        now += 0.5
        limit.tick(now=now)
    return now - since


def test_each_refused_growth_doubles_the_time_to_the_next_up_to_its_bound() -> None:
    limit, _ = learned(5)
    now, intervals = NOW, []
    for _ in range(7):
        interval = grown_after(limit, now)
        now += interval
        intervals.append(interval)
        limit.refused(limit.started(now=now), now=now)
        assert limit.limit == 5
    assert intervals == [15, 30, 60, 120, 240, 240, 240]


def test_growth_that_is_accepted_goes_back_to_the_first_interval() -> None:
    limit, _ = learned(5)
    now = NOW + grown_after(limit, NOW)
    limit.refused(limit.started(now=now), now=now)
    now += grown_after(limit, now)
    limit.started(now=now)
    assert grown_after(limit, now) == KNOBS.raise_after_s


def test_refusals_of_tries_that_began_together_slow_growth_once() -> None:
    limit = Limit(KNOBS)
    for token in start(limit, 40)[5:]:
        limit.refused(token, now=NOW + 0.3)
    assert grown_after(limit, NOW + 0.3) == KNOBS.raise_after_s


def test_a_limit_nobody_runs_into_for_long_is_forgotten() -> None:
    limit, running = learned(5)
    for token in running:
        limit.finished(token, now=NOW)
    limit.tick(now=NOW + KNOBS.forget_s - 1)
    assert limit.limit == 5
    limit.tick(now=NOW + KNOBS.forget_s)
    assert limit.limit is None


def test_load_is_the_share_of_the_limit_in_use() -> None:
    limit, running = learned(10)
    for token in running[:4]:
        limit.finished(token, now=NOW)
    assert limit.load == pytest.approx(0.6)
    start(limit, 6)
    assert limit.load == pytest.approx(1.2)


def test_a_try_that_is_reported_twice_is_counted_once() -> None:
    limit = Limit(KNOBS)
    first, second = start(limit, 2)
    for _ in range(3):
        limit.finished(first, now=NOW)
        limit.refused(first, now=NOW)
    assert limit.in_flight == 1
    limit.refused(second, now=NOW)
    assert limit.in_flight == 0
