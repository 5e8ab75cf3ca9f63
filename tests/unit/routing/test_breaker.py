"""Tests of the breaker: when it opens, what keeps it open, and what lets the offer back."""

from __future__ import annotations

from math import ceil, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.breaker import Breaker, BreakerState, after_try, merged
from routing.knobs import BreakerKnobs

KNOBS = BreakerKnobs(trip=8.0, failing_success=0.3, success_min=0.6, success_max=0.985)
NOW = 1_790_000_000.0
UNTRIED = Breaker()


def step(
    breaker: Breaker,
    *,
    delivered: bool,
    now: float = NOW,
    started_at: float | None = None,
    success: float = 0.94,
    survivors: int = 0,
) -> Breaker:
    began = now if started_at is None else started_at
    return after_try(
        breaker, delivered=delivered, started_at=began, success=success, knobs=KNOBS, now=now, survivors=survivors
    )


def tripped(now: float = NOW, breaker: Breaker = UNTRIED) -> Breaker:
    while breaker.state(now=now) is BreakerState.CLOSED:
        breaker = step(breaker, delivered=False, now=now)
    return breaker


def failures_until_open(success: float) -> int:
    breaker, count = UNTRIED, 0
    while breaker.state(now=NOW) is BreakerState.CLOSED:
        breaker = step(breaker, delivered=False, success=success)
        count += 1
    return count


@pytest.mark.parametrize(("success", "failures"), [(0.96, 3), (0.92, 4), (0.77, 8)])
def test_it_opens_after_as_many_failures_in_a_row_as_chance_cannot_explain(success: float, failures: int) -> None:
    assert failures_until_open(success) == failures


def test_success_rates_are_clamped_so_that_one_failure_never_opens_and_steps_stay_finite() -> None:
    assert failures_until_open(1.0) == failures_until_open(KNOBS.success_max) == 3
    assert failures_until_open(0.0) == failures_until_open(KNOBS.success_min)


def test_a_failure_adds_the_log_likelihood_ratio_and_a_delivery_takes_its_own() -> None:
    failed = step(UNTRIED, delivered=False, success=0.8)
    assert failed.score == pytest.approx(log(0.7 / 0.2))
    assert step(failed, delivered=True, success=0.8).score == pytest.approx(log(0.7 / 0.2) + log(0.3 / 0.8))


@given(st.lists(st.booleans(), max_size=40))
def test_the_score_is_never_below_zero_and_while_closed_below_the_threshold(outcomes: list[bool]) -> None:
    breaker = UNTRIED
    for delivered in outcomes:
        breaker = step(breaker, delivered=delivered)
        assert breaker.score >= 0.0
        if breaker.state(now=NOW) is BreakerState.CLOSED:
            assert breaker.score < KNOBS.trip


def test_tries_that_have_outlived_the_failure_speak_for_the_offer_and_are_not_written_down() -> None:
    breaker = UNTRIED
    for _ in range(7):
        breaker = step(breaker, delivered=False, success=0.77)
    held = step(breaker, delivered=False, success=0.77, survivors=1)
    assert held.state(now=NOW) is BreakerState.CLOSED
    assert held.score == pytest.approx(8 * log(0.7 / 0.23))
    assert step(held, delivered=False, success=0.77).state(now=NOW) is BreakerState.OPEN


def test_survivors_outweigh_as_many_failures_as_deliveries_would() -> None:
    def most_failures(survivors: int) -> int:
        breaker, count = UNTRIED, 0
        while breaker.state(now=NOW) is BreakerState.CLOSED:
            breaker = step(breaker, delivered=False, survivors=survivors)
            count += 1
        return count

    def after_deliveries(count: int) -> int:
        needed = KNOBS.trip + count * log(0.94 / 0.3)
        return ceil(needed / log(0.7 / 0.06))

    for survivors in (0, 1, 5, 40):
        assert most_failures(survivors) == after_deliveries(survivors)


def test_survivors_neither_close_an_open_breaker_nor_spare_it_a_failed_trial() -> None:
    opened = tripped()
    again = step(opened, delivered=False, now=opened.open_until, survivors=1000)
    assert again.open_s == 2 * KNOBS.open_s


def test_it_is_suspect_since_the_first_of_the_failures_behind_its_score_began() -> None:
    first = step(UNTRIED, delivered=False, started_at=NOW - 4)
    assert first.suspect_since == NOW - 4
    second = step(first, delivered=False, started_at=NOW + 1, now=NOW + 2)
    assert second.suspect_since == NOW - 4


def test_suspicion_ends_with_the_score_and_begins_anew_with_the_next_failure() -> None:
    breaker = step(UNTRIED, delivered=False, started_at=NOW - 4)
    while breaker.score > 0.0:
        assert breaker.suspect_since == NOW - 4
        breaker = step(breaker, delivered=True)
    assert breaker == UNTRIED
    assert step(breaker, delivered=False, started_at=NOW + 9, now=NOW + 10).suspect_since == NOW + 9


def test_after_a_closing_it_is_suspect_since_then() -> None:
    closed = step(tripped(), delivered=True, started_at=NOW + 15, now=NOW + 28)
    assert closed.suspect_since == NOW + 28
    assert step(closed, delivered=False, started_at=NOW + 30, now=NOW + 31).suspect_since == NOW + 28


def test_good_times_are_not_saved_up_against_bad_ones() -> None:
    breaker = UNTRIED
    for _ in range(100):
        breaker = step(breaker, delivered=True)
    assert breaker == UNTRIED


def test_it_is_open_for_its_time_and_half_open_from_then_on() -> None:
    breaker = tripped()
    assert breaker.state(now=NOW + KNOBS.open_s - 0.001) is BreakerState.OPEN
    assert breaker.state(now=NOW + KNOBS.open_s) is BreakerState.HALF_OPEN
    assert breaker.state(now=NOW + 3600) is BreakerState.HALF_OPEN


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("after_s", [1.0, 20.0])
def test_a_try_that_began_before_the_opening_changes_nothing_afterwards(delivered: bool, after_s: float) -> None:
    breaker = tripped()
    assert step(breaker, delivered=delivered, started_at=NOW - 1, now=NOW + after_s) == breaker


def test_a_probe_that_delivers_closes_it_with_half_of_the_threshold_spent() -> None:
    closed = step(tripped(), delivered=True, started_at=NOW + 15, now=NOW + 28)
    assert closed.state(now=NOW + 28) is BreakerState.CLOSED
    assert closed.score == KNOBS.trip / 2
    assert closed.closed_at == NOW + 28


def test_a_try_in_a_panic_that_delivers_closes_it_before_its_time() -> None:
    closed = step(tripped(), delivered=True, started_at=NOW + 3, now=NOW + 9)
    assert closed.state(now=NOW + 9) is BreakerState.CLOSED


def test_each_probe_that_fails_doubles_the_time_up_to_its_bound() -> None:
    breaker, now, lengths = tripped(), NOW, []
    for _ in range(5):
        now = breaker.open_until
        breaker = step(breaker, delivered=False, now=now)
        lengths.append(breaker.open_until - now)
    assert lengths == [30.0, 60.0, 120.0, 120.0, 120.0]


def test_tries_of_a_panic_that_fail_together_double_the_time_once() -> None:
    breaker = tripped()
    for ended in (10, 11, 12):
        breaker = step(breaker, delivered=False, started_at=NOW + 5, now=NOW + ended)
    assert breaker.open_s == 2 * KNOBS.open_s
    assert breaker.opened_at == NOW + 10


def test_opening_again_soon_after_closing_doubles_the_time() -> None:
    closed = step(tripped(), delivered=True, now=NOW + 20)
    again = tripped(NOW + 20 + KNOBS.again_s, closed)
    assert again.open_s == 2 * KNOBS.open_s


def test_opening_again_after_a_long_peace_starts_from_the_first_length() -> None:
    closed = step(tripped(), delivered=True, now=NOW + 20)
    again = tripped(NOW + 21 + KNOBS.again_s, closed)
    assert again.open_s == KNOBS.open_s


def test_hangs_of_the_outage_that_end_after_the_closing_do_not_open_it_again() -> None:
    closed = step(tripped(), delivered=True, started_at=NOW + 15, now=NOW + 28)
    after = closed
    for _ in range(10):
        after = step(after, delivered=False, started_at=NOW - 30, now=NOW + 40)
    assert after == closed


def test_tries_of_a_panic_that_fail_after_another_has_delivered_do_not_open_it_again() -> None:
    closed = step(tripped(), delivered=True, started_at=NOW + 3, now=NOW + 9)
    after = closed
    for _ in range(3):
        after = step(after, delivered=False, started_at=NOW + 4, now=NOW + 20)
    assert after == closed


def test_of_two_replicas_the_one_whose_breaker_changed_last_is_believed() -> None:
    opened = tripped(NOW)
    closed = step(opened, delivered=True, now=NOW + 20)
    reopened = tripped(NOW + 30, closed)
    for older, newer in ((UNTRIED, opened), (opened, closed), (closed, reopened)):
        assert merged(older, newer) == newer
        assert merged(newer, older) == newer


def test_replicas_that_changed_at_the_same_moment_agree_on_the_longer_opening() -> None:
    short = Breaker(score=5.5, opened_at=NOW, open_until=NOW + 15, open_s=15)
    long = Breaker(score=5.5, opened_at=NOW, open_until=NOW + 30, open_s=30)
    shut = Breaker(closed_at=NOW)
    assert merged(short, long) == merged(long, short) == long
    assert merged(short, shut) == merged(shut, short) == short


def test_a_score_on_its_way_up_stays_with_the_replica_that_counted_it() -> None:
    mine = step(UNTRIED, delivered=False)
    assert merged(mine, UNTRIED) == mine
    assert merged(UNTRIED, mine) == UNTRIED
