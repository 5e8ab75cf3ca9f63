"""Tests of health: what one more attempt changes, and when an offer may be tried."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import FAULT_TABLE, Fault, HealthEffect
from routing.breaker import Breaker
from routing.health import Health, HealthState, after, block_seconds, probing
from routing.policy import Policy
from tests.unit.routing.making import NOW, POLICY, delivered, failed

OUT = [Fault.CREDENTIALS, Fault.OUT_OF_FUNDS]
WITHOUT_STATE = [fault for fault in Fault if FAULT_TABLE[fault].health in (HealthEffect.NOTHING, HealthEffect.FAILURE)]


OPEN = Breaker(score=5.5, opened_at=NOW - 5, open_until=NOW + 10, open_s=15)


def test_an_offer_nobody_has_tried_is_serving() -> None:
    assert Health().state(now=NOW) is HealthState.SERVING


def test_an_offer_without_room_is_full() -> None:
    assert Health(room=False).state(now=NOW) is HealthState.FULL


def test_an_open_breaker_becomes_half_open_in_time_for_one_request_that_has_room() -> None:
    health = Health(breaker=OPEN)
    assert health.state(now=NOW + 9.9) is HealthState.OPEN
    assert health.state(now=NOW + 10) is HealthState.HALF_OPEN
    assert replace(health, trial=False).state(now=NOW + 10) is HealthState.OPEN
    assert replace(health, room=False).state(now=NOW + 10) is HealthState.FULL
    assert replace(health, room=False, trial=False).state(now=NOW + 10) is HealthState.OPEN


@pytest.mark.parametrize(
    "otherwise",
    [
        Health(),
        Health(breaker=OPEN),
        Health(breaker=replace(OPEN, open_until=NOW)),
        Health(out_fault=Fault.CREDENTIALS, next_probe_at=NOW + 1),
        Health(out_fault=Fault.CREDENTIALS, next_probe_at=NOW),
    ],
)
def test_at_its_cap_an_offer_is_full_whatever_else_holds(otherwise: Health) -> None:
    assert otherwise.state(now=NOW) is not HealthState.FULL
    assert replace(otherwise, capped=True).state(now=NOW) is HealthState.FULL
    assert replace(otherwise, capped=True, blocked_until=NOW + 1).state(now=NOW) is HealthState.BLOCKED


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (Health(blocked_until=NOW + 1, out_fault=Fault.CREDENTIALS, breaker=OPEN, room=False), HealthState.BLOCKED),
        (Health(out_fault=Fault.CREDENTIALS, next_probe_at=NOW + 1, breaker=OPEN, room=False), HealthState.OUT),
        (Health(out_fault=Fault.CREDENTIALS, next_probe_at=NOW, breaker=OPEN), HealthState.PROBE_DUE),
        (Health(breaker=OPEN, room=False), HealthState.OPEN),
    ],
)
def test_of_several_reasons_to_stay_away_the_one_that_lasts_is_told(health: Health, state: HealthState) -> None:
    assert health.state(now=NOW) is state


def test_a_stated_wait_blocks_until_it_is_over() -> None:
    health = after(None, failed("fal", Fault.RATE_LIMITED, retry_after=30.0), POLICY, now=NOW)
    assert health.state(now=NOW) is HealthState.BLOCKED
    assert health.state(now=NOW + 29.9) is HealthState.BLOCKED
    assert health.state(now=NOW + 30.0) is HealthState.SERVING


def rate_limited_in_a_row(count: int) -> list[float]:
    """How long each of so many rate limits without a stated wait blocks, each coming when the last block is over."""
    health, now, blocks = Health(), NOW, list[float]()
    for _ in range(count):
        health = after(health, failed("fal", Fault.RATE_LIMITED, started_at=now), POLICY, now=now)
        blocks.append(health.blocked_until - now)
        now = health.blocked_until
    return blocks


def test_rate_limits_without_a_wait_block_for_ever_longer_up_to_the_policys_default() -> None:
    blocks = rate_limited_in_a_row(60)
    assert blocks[:3] == [POLICY.first_block_s, 2 * POLICY.first_block_s, 4 * POLICY.first_block_s]
    assert blocks == sorted(blocks)
    assert blocks[-1] == POLICY.default_block_s


def refused_together(health: Health | None, began: float, count: int) -> Health:
    """So many tries that began at once, each rate limited a little later than the one before, within the block."""
    for number in range(count):
        attempt = failed("fal", Fault.RATE_LIMITED, started_at=began, seconds=0.2 + number / 1000)
        health = after(health, attempt, POLICY, now=attempt.ended_at)
    assert health is not None
    return health


def test_tries_that_are_rate_limited_together_are_one_reason_to_stay_away_longer() -> None:
    burst = refused_together(None, NOW, 50)
    assert burst.refused_in_row == 1
    assert burst.blocked_until - NOW < 0.25 + 2.5 * POLICY.first_block_s
    after_the_block = burst.blocked_until + 0.1
    again = refused_together(burst, after_the_block, 1)
    assert again.refused_in_row == 2
    assert again.blocked_until == pytest.approx(after_the_block + 0.2 + 2 * POLICY.first_block_s)


def test_a_long_history_of_rate_limits_keeps_the_block_finite() -> None:
    health = after(Health(refused_in_row=100_000), failed("fal", Fault.RATE_LIMITED), POLICY, now=NOW)
    assert health.blocked_until == NOW + POLICY.default_block_s


def test_after_a_success_a_rate_limit_without_a_wait_is_a_first_one_again() -> None:
    health: Health | None = None
    for _ in range(4):
        health = after(health, failed("fal", Fault.RATE_LIMITED), POLICY, now=NOW)
    served = after(health, delivered("fal", started_at=NOW + 10), POLICY, now=NOW + 20)
    again = after(served, failed("fal", Fault.RATE_LIMITED), POLICY, now=NOW + 30)
    assert again.blocked_until == NOW + 30 + POLICY.first_block_s


def test_a_stated_wait_is_heeded_however_many_came_without_one() -> None:
    health = after(None, failed("fal", Fault.RATE_LIMITED), POLICY, now=NOW)
    health = after(health, failed("fal", Fault.RATE_LIMITED, retry_after=30.0), POLICY, now=NOW + 1)
    assert health.blocked_until == NOW + 31


@pytest.mark.parametrize("nonsense", [0.0, -3.0, math.nan])
def test_a_wait_that_says_nothing_counts_as_none(nonsense: float) -> None:
    assert block_seconds(nonsense, POLICY) == POLICY.default_block_s


@pytest.mark.parametrize("long", [121.0, 86_400.0, math.inf])
def test_a_vendor_cannot_block_itself_for_longer_than_the_policy_allows(long: float) -> None:
    assert block_seconds(long, POLICY) == POLICY.max_block_s


def test_of_two_stated_waits_the_one_that_ends_later_counts() -> None:
    first = after(None, failed("fal", Fault.RATE_LIMITED, retry_after=60.0), POLICY, now=NOW)
    second = after(first, failed("fal", Fault.RATE_LIMITED, retry_after=2.0), POLICY, now=NOW + 1)
    assert second.blocked_until == NOW + 60.0


def test_a_success_does_not_shorten_a_stated_wait() -> None:
    blocked = after(None, failed("fal", Fault.RATE_LIMITED, retry_after=60.0), POLICY, now=NOW)
    assert after(blocked, delivered("fal"), POLICY, now=NOW + 1).blocked_until == NOW + 60.0


@pytest.mark.parametrize("fault", OUT)
def test_credentials_and_funds_take_the_offer_out_until_its_probe(fault: Fault) -> None:
    health = after(None, failed("fal", fault), POLICY, now=NOW)
    assert health.out_fault is fault
    assert health.state(now=NOW + POLICY.out_probe_s - 1) is HealthState.OUT
    assert health.state(now=NOW + POLICY.out_probe_s) is HealthState.PROBE_DUE


def test_a_model_that_is_gone_is_out_for_long() -> None:
    health = after(None, failed("fal", Fault.MODEL_GONE), POLICY, now=NOW)
    assert health.state(now=NOW + POLICY.out_probe_s) is HealthState.OUT
    assert health.state(now=NOW + POLICY.out_long_s) is HealthState.PROBE_DUE


def test_a_success_brings_an_offer_back_that_was_out() -> None:
    out = after(None, failed("fal", Fault.CREDENTIALS), POLICY, now=NOW)
    back = after(out, delivered("fal", started_at=NOW + 600), POLICY, now=NOW + 610)
    assert back.state(now=NOW + 610) is HealthState.SERVING
    assert back.last_fault is None


def test_a_success_that_began_before_the_outage_does_not_end_it() -> None:
    out = after(None, failed("fal", Fault.CREDENTIALS), POLICY, now=NOW)
    assert after(out, delivered("fal", started_at=NOW - 5), POLICY, now=NOW + 10) == out


def test_a_failed_probe_keeps_the_offer_out_since_the_same_moment() -> None:
    out = after(None, failed("fal", Fault.CREDENTIALS), POLICY, now=NOW)
    again = after(out, failed("fal", Fault.CREDENTIALS, started_at=NOW + 600), POLICY, now=NOW + 601)
    assert again.out_since == NOW
    assert again.state(now=NOW + 601 + POLICY.out_probe_s - 1) is HealthState.OUT


@pytest.mark.parametrize("fault", [*OUT, Fault.MODEL_GONE])
def test_only_one_request_probes(fault: Fault) -> None:
    out = after(None, failed("fal", fault), POLICY, now=NOW)
    due = out.next_probe_at
    assert out.state(now=due) is HealthState.PROBE_DUE
    taken = probing(out, now=due, policy=POLICY)
    assert taken.state(now=due) is HealthState.OUT
    assert taken.next_probe_at - due == out.next_probe_at - NOW


def test_probing_an_offer_that_is_not_out_changes_nothing() -> None:
    assert probing(Health(), now=NOW, policy=POLICY) == Health()


def test_a_block_holds_for_a_probe_that_is_due() -> None:
    health = Health(blocked_until=NOW + 5, out_fault=Fault.CREDENTIALS, next_probe_at=NOW)
    assert health.state(now=NOW) is HealthState.BLOCKED


@pytest.mark.parametrize("fault", WITHOUT_STATE)
def test_other_faults_leave_the_offer_serving(fault: Fault) -> None:
    assert after(None, failed("fal", fault), POLICY, now=NOW).state(now=NOW) is HealthState.SERVING


@pytest.mark.parametrize("fault", [fault for fault in Fault if FAULT_TABLE[fault].health is HealthEffect.NOTHING])
def test_a_fault_that_says_nothing_about_the_offer_changes_nothing(fault: Fault) -> None:
    known = Health(blocked_until=NOW + 9, out_fault=Fault.CREDENTIALS, last_fault=Fault.CREDENTIALS)
    assert after(known, failed("fal", fault), POLICY, now=NOW) == known


def test_the_requests_own_deadline_says_nothing_about_the_offer() -> None:
    attempt = failed("fal", Fault.TIMED_OUT, deadline_hit=True)
    assert after(None, attempt, POLICY, now=NOW) == Health()
    assert after(None, replace(attempt, deadline_hit=False), POLICY, now=NOW) == Health(last_fault=Fault.TIMED_OUT)


@given(
    faults=st.lists(st.sampled_from([None, *Fault]), max_size=12),
    waits=st.lists(st.none() | st.floats(), min_size=12, max_size=12),
)
def test_no_history_keeps_an_offer_away_for_longer_than_the_policys_longest_wait(
    faults: list[Fault | None], waits: list[float | None]
) -> None:
    policy, health = Policy(), Health()
    for second, (fault, wait) in enumerate(zip(faults, waits, strict=False)):
        attempt = failed("fal", fault, started_at=NOW + second, retry_after=wait)
        health = after(health, attempt, policy, now=NOW + second)
    latest = NOW + len(faults) + max(policy.max_block_s, policy.out_probe_s, policy.out_long_s)
    assert health.state(now=latest) in (HealthState.SERVING, HealthState.PROBE_DUE)
