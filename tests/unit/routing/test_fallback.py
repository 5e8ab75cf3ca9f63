"""Tests of fallback: what follows each fault, and that every request comes to an end within its bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import FAULT_TABLE, Elsewhere, Fault, Spend
from providers.spec.request import Resolution
from routing.attempt import Attempt
from routing.fallback import SHORTEST_TRY_S, Ending, GiveUp, NextStep, Try, next_step
from routing.plan import RoutePlan
from tests.unit.routing.making import NOW, POLICY, delivered, failed, made

FOUR = {"replicate": "0.067", "gemini": "0.0672", "vertex": "0.0675", "fal": "0.08"}
ROUTE = made(FOUR)

GOES_ON = [fault for fault in Fault if FAULT_TABLE[fault].elsewhere is Elsewhere.YES]
STOPS = [fault for fault in Fault if FAULT_TABLE[fault].elsewhere is Elsewhere.NO]


def step(route: RoutePlan, *attempts: Attempt, now: float = NOW) -> NextStep:
    return next_step(route, attempts, now=now, draw=0.5)


def tried(decision: NextStep) -> str:
    assert isinstance(decision, Try)
    return decision.candidate.offer.provider


def test_the_first_try_is_the_first_candidate() -> None:
    assert tried(step(ROUTE)) == "replicate"


@pytest.mark.parametrize("fault", GOES_ON)
def test_a_fault_of_this_provider_leads_to_the_next_one(fault: Fault) -> None:
    assert tried(step(ROUTE, failed("replicate", fault))) == "gemini"


@pytest.mark.parametrize("fault", STOPS)
def test_a_fault_that_is_no_providers_ends_the_request(fault: Fault) -> None:
    assert step(ROUTE, failed("replicate", fault)) == GiveUp(Ending.FINAL_FAULT)


def test_a_refusal_is_not_carried_to_another_provider() -> None:
    assert step(ROUTE, failed("replicate", Fault.CONTENT_REFUSED)) == GiveUp(Ending.FINAL_FAULT)


def test_nothing_follows_a_delivery() -> None:
    attempts = (failed("replicate", Fault.OVERLOADED), delivered("gemini"))
    assert step(ROUTE, *attempts) == GiveUp(Ending.DELIVERED)


def test_nobody_is_tried_twice() -> None:
    attempts = tuple(failed(name, Fault.OVERLOADED) for name in FOUR)
    assert step(ROUTE, *attempts) == GiveUp(Ending.EXHAUSTED)


def test_a_plan_without_candidates_is_exhausted_at_once() -> None:
    assert step(made({})) == GiveUp(Ending.EXHAUSTED)


@pytest.mark.parametrize("spend", [Spend.POSSIBLE, Spend.CHARGED])
def test_a_second_payment_is_risked_but_no_third(spend: Spend) -> None:
    first = failed("replicate", Fault.BAD_REPLY, spend=spend)
    second = failed("gemini", Fault.TIMED_OUT, spend=Spend.POSSIBLE)
    assert tried(step(ROUTE, first)) == "gemini"
    assert step(ROUTE, first, second) == GiveUp(Ending.PAYMENTS)


def test_tries_that_cost_nothing_do_not_use_up_the_payments() -> None:
    attempts = (failed("replicate", Fault.OVERLOADED), failed("gemini", Fault.OVERLOADED))
    assert tried(step(ROUTE, *attempts, failed("vertex", Fault.BAD_REPLY, spend=Spend.CHARGED))) == "fal"


def test_one_payment_at_most_means_no_second_try_after_it() -> None:
    route = made(FOUR, policy=replace(POLICY, max_possible_payments=1))
    assert step(route, failed("replicate", Fault.TIMED_OUT, spend=Spend.POSSIBLE)) == GiveUp(Ending.PAYMENTS)


def test_the_policy_bounds_the_number_of_tries() -> None:
    route = made(FOUR, policy=replace(POLICY, max_attempts=2))
    attempts = (failed("replicate", Fault.OVERLOADED), failed("gemini", Fault.OVERLOADED))
    assert step(route, *attempts) == GiveUp(Ending.ATTEMPTS)


def test_a_try_gets_its_own_limit_while_the_deadline_is_far() -> None:
    decision = step(ROUTE)
    assert isinstance(decision, Try)
    assert decision.limit_s == POLICY.attempt_limit_s[Resolution.R1K]
    assert not decision.ends_at_deadline


def test_a_try_near_the_deadline_gets_what_is_left_of_it() -> None:
    decision = step(ROUTE, now=ROUTE.deadline_at - 8.0)
    assert isinstance(decision, Try)
    assert decision.limit_s == pytest.approx(8.0)
    assert decision.ends_at_deadline


def test_a_try_whose_limit_is_the_deadline_to_the_second_ends_at_the_deadline() -> None:
    decision = step(ROUTE, now=ROUTE.deadline_at - POLICY.attempt_limit_s[Resolution.R1K])
    assert isinstance(decision, Try)
    assert decision.ends_at_deadline


def test_a_model_without_tiers_gets_the_longest_limit() -> None:
    decision = step(replace(ROUTE, resolution=None))
    assert isinstance(decision, Try)
    assert decision.limit_s == max(POLICY.attempt_limit_s.values())


@pytest.mark.parametrize("left", [SHORTEST_TRY_S / 2, 0.0, -3.0])
def test_no_try_is_begun_when_the_time_is_over(left: float) -> None:
    decision = step(ROUTE, failed("replicate", Fault.OVERLOADED), now=ROUTE.deadline_at - left)
    assert decision == GiveUp(Ending.DEADLINE)
    assert isinstance(decision, GiveUp)
    assert decision.deadline


def test_what_the_deadline_cut_short_is_not_followed_by_another_try_even_if_the_clock_lags() -> None:
    cut = failed("replicate", Fault.TIMED_OUT, deadline_hit=True)
    assert step(ROUTE, cut, now=ROUTE.deadline_at - 1.0) == GiveUp(Ending.DEADLINE)


class End(NamedTuple):
    """How one simulated try ends."""

    fault: Fault | None
    spend: Spend
    share: float
    """Of its limit that it takes."""


ends = st.builds(End, st.sampled_from([*Fault, None]), st.sampled_from(Spend), st.floats(0.0, 1.0))


@given(
    script=st.lists(ends, min_size=7, max_size=7),
    sellers=st.integers(0, 7),
    max_attempts=st.integers(1, 7),
    max_payments=st.integers(1, 4),
    deadline_s=st.floats(0.01, 600.0),
)
def test_every_request_ends_within_its_deadline_its_tries_and_its_payments(
    script: list[End], sellers: int, max_attempts: int, max_payments: int, deadline_s: float
) -> None:
    policy = replace(
        POLICY, max_attempts=max_attempts, max_possible_payments=max_payments, request_deadline_s=deadline_s
    )
    route = made({f"p{index}": f"0.0{index + 1}" for index in range(sellers)}, policy=policy)
    now, attempts = NOW, list[Attempt]()
    for end in [*script, End(None, Spend.NONE, 0.0)]:
        decision = step(route, *attempts, now=now)
        if isinstance(decision, GiveUp):
            break
        assert isinstance(decision, Try)
        assert decision.limit_s >= SHORTEST_TRY_S
        assert now + decision.limit_s <= route.deadline_at + 1e-6
        assert decision.limit_s <= POLICY.attempt_limit_s[Resolution.R1K]
        now += decision.limit_s * end.share
        provider = decision.candidate.offer.provider
        attempts.append(failed(provider, end.fault, spend=end.spend, started_at=now))
    else:
        pytest.fail("the request did not end")
    names = [attempt.offer.provider for attempt in attempts]
    assert names == [candidate.offer.provider for candidate in route.candidates][: len(names)]
    assert len(attempts) <= max_attempts
    assert sum(attempt.spend is not Spend.NONE for attempt in attempts) <= max_payments
    assert all(attempt.fault is not None and attempt.fault in {*GOES_ON} for attempt in attempts[:-1])
    assert now <= route.deadline_at + 1e-6
