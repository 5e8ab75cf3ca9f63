"""Tests of fallback: what follows each fault, and that every request comes to an end within its bounds."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import FAULT_TABLE, Elsewhere, Fault, Spend
from providers.spec.request import Resolution
from routing.attempt import REFUSALS_PER_TRY, Attempt, work_of
from routing.breaker import Breaker
from routing.fallback import SHORTEST_TRY_S, next_step
from routing.health import Health
from routing.plan import RoutePlan
from routing.steps import Ending, GiveUp, Step, Try, Wait, Waiting
from routing.verdict import verdict
from routing.waiting import LOOKS_PER_TEST
from routing.wishes import RouteWishes
from tests.unit.routing.making import MODEL, NOW, POLICY, delivered, estimate, failed, keyed, made, tried

FOUR = {"replicate": "0.067", "gemini": "0.0672", "vertex": "0.0675", "fal": "0.08"}
ROUTE = made(FOUR)

GOES_ON = [fault for fault in Fault if FAULT_TABLE[fault].elsewhere is Elsewhere.YES]
STOPS = [fault for fault in Fault if FAULT_TABLE[fault].elsewhere is Elsewhere.NO]


Healths = dict[str, Health]


def step(
    route: RoutePlan,
    *attempts: Attempt,
    now: float = NOW,
    healths: Healths | None = None,
    idle_since: float | None = None,
) -> Step:
    return next_step(route, attempts, now=now, draw=0.5, healths=healths, idle_since=idle_since)


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


def test_everybody_is_tried_once_before_anybody_is_tried_again() -> None:
    attempts: list[Attempt] = []
    for name in ("replicate", "gemini", "vertex", "fal"):
        assert tried(step(ROUTE, *attempts, now=NOW + 100)) == name
        attempts.append(failed(name, Fault.BAD_REPLY))
    assert tried(step(ROUTE, *attempts, now=NOW + 100)) == "replicate"


def test_a_second_round_begins_when_the_first_has_rested() -> None:
    route = made({"fal": "0.08"})
    first = failed("fal", Fault.OVERLOADED)
    rested = first.ended_at + POLICY.again_after_s
    assert step(route, first, now=first.ended_at) == Wait(rested, Waiting.REST)
    assert tried(step(route, first, now=rested)) == "fal"
    second = failed("fal", Fault.OVERLOADED, started_at=rested)
    assert step(route, first, second, now=second.ended_at + 60) == GiveUp(Ending.EXHAUSTED)


def test_one_that_was_tried_waits_longer_each_time() -> None:
    route = made({"fal": "0.08"}, policy=replace(POLICY, max_tries_per_offer=3))
    attempts = (failed("fal", Fault.OVERLOADED), failed("fal", Fault.OVERLOADED, started_at=NOW + 5))
    assert step(route, *attempts, now=NOW + 6) == Wait(NOW + 6 + 2 * POLICY.again_after_s, Waiting.REST)


@pytest.mark.parametrize("fault", [Fault.UNSUPPORTED, Fault.CREDENTIALS, Fault.OUT_OF_FUNDS, Fault.MODEL_GONE])
def test_what_does_not_pass_by_itself_is_not_tried_again(fault: Fault) -> None:
    assert step(made({"fal": "0.08"}), failed("fal", fault), now=NOW + 100) == GiveUp(Ending.EXHAUSTED)


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


def test_a_try_of_a_measured_offer_is_limited_by_what_was_measured() -> None:
    figures = Health(estimate=estimate(10.0, sigma=0.2))
    decision = step(made({"gemini": "0.067", "fal": "0.08"}, healths=keyed(gemini=figures)))
    assert isinstance(decision, Try)
    assert decision.limit_s == pytest.approx(10.0 * exp(0.6))


def test_the_last_one_left_is_given_all_the_time_there_may_be() -> None:
    figures = keyed(gemini=Health(estimate=estimate(10.0, sigma=0.2)), fal=Health(estimate=estimate(9.0, sigma=0.2)))
    route = made({"gemini": "0.067", "fal": "0.09"}, healths=figures)
    decision = step(route, failed("gemini", Fault.OVERLOADED))
    assert isinstance(decision, Try)
    assert decision.limit_s == POLICY.attempt_limit_s[Resolution.R1K]


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


# How the offers are by now

TWO = {"gemini": "0.067", "fal": "0.08"}
BLOCKED_20 = Health(blocked_until=NOW + 20)
OPEN = Health(breaker=Breaker(score=5.5, opened_at=NOW, open_until=NOW + 15, open_s=15))
OUT = Health(out_fault=Fault.CREDENTIALS, out_since=NOW - 10, next_probe_at=NOW + 590)
FULL = Health(room=False)


def both(health: Health, **other: Health) -> Healths:
    return keyed(**{"gemini": health, "fal": health, **other})


def resting(health: Health, **other: Health) -> RoutePlan:
    return made(TWO, healths=both(health, **other))


def test_one_that_was_blocked_meanwhile_is_passed_over_until_its_wait_is_over() -> None:
    route = made(TWO)
    healths = keyed(gemini=BLOCKED_20)
    first = failed("fal", Fault.OVERLOADED)
    assert tried(step(route, healths=healths)) == "fal"
    waiting = step(route, first, now=NOW + 1, healths=healths)
    assert waiting == Wait(NOW + 2, Waiting.BLOCK)
    assert tried(step(route, first, now=NOW + 20, healths=healths)) == "gemini"


def test_one_that_was_kept_back_is_tried_when_it_is_back_and_says_so() -> None:
    route = made(TWO, healths=keyed(gemini=BLOCKED_20))
    decision = step(route, failed("fal", Fault.OVERLOADED), now=NOW + 21, healths=keyed(gemini=Health()))
    assert isinstance(decision, Try)
    assert decision.candidate.offer.provider == "gemini"
    assert decision.candidate.reason == (
        "after fal was overloaded: it could not be asked when the plan was made, and can be by now; "
        "$0.067 at 1K, 16.2 s, 93.0% deliver"
    )


def test_a_failure_in_the_family_sends_the_request_to_another_one_first() -> None:
    market = {"gemini": "0.067", "vertex": "0.068", "fal": "0.07"}
    slow_to_fail = Health(estimate=estimate(success=0.9, failure_s=40.0))
    healths = keyed(gemini=slow_to_fail, vertex=slow_to_fail, fal=slow_to_fail)
    kin = {("gemini", "vertex"): 0.6}
    after_hang = failed("gemini", Fault.TIMED_OUT)
    assert tried(step(made(market, healths=healths, kin=kin), after_hang, healths=healths)) == "fal"
    assert tried(step(made(market, healths=healths), after_hang, healths=healths)) == "vertex"
    own_reply = failed("gemini", Fault.BAD_REPLY)
    assert tried(step(made(market, healths=healths, kin=kin), own_reply, healths=healths)) == "vertex"


@pytest.mark.parametrize("state", [BLOCKED_20, OPEN, FULL])
def test_without_fallbacks_nobody_else_is_tried_not_even_when_it_is_back(state: Health) -> None:
    route = made(TWO, healths=keyed(gemini=state), wishes=RouteWishes(allow_fallbacks=False))
    first, second = failed("fal", Fault.OVERLOADED), failed("fal", Fault.OVERLOADED, started_at=NOW + 5)
    assert step(route, first, second, now=NOW + 60, healths=both(Health())) == GiveUp(Ending.EXHAUSTED)


# Waiting


def test_before_full_offers_the_request_waits_in_line_and_looks_now_and_then() -> None:
    keys = frozenset({f"gemini/{MODEL}", f"fal/{MODEL}"})
    looks = POLICY.limits.test_wait_s / LOOKS_PER_TEST
    assert step(resting(FULL), healths=both(FULL)) == Wait(NOW + looks, Waiting.ROOM, keys)
    assert tried(step(resting(FULL), now=NOW + 5, healths=both(FULL, fal=Health()), idle_since=NOW)) == "fal"


def test_nobody_waits_in_line_for_longer_than_the_policy_says() -> None:
    late = NOW + POLICY.limits.max_wait_s
    assert isinstance(step(resting(FULL), now=late - 2, healths=both(FULL), idle_since=NOW), Wait)
    assert step(resting(FULL), now=late, healths=both(FULL), idle_since=NOW) == GiveUp(Ending.WAITED)


def test_when_all_are_blocked_the_request_waits_for_the_first_block_to_end() -> None:
    healths = both(BLOCKED_20, fal=Health(blocked_until=NOW + 30))
    route = made(TWO, healths=healths)
    assert step(route, healths=healths) == Wait(NOW + 20, Waiting.BLOCK)
    assert tried(step(route, now=NOW + 20, healths=healths, idle_since=NOW)) == "gemini"


@pytest.mark.parametrize(("deadline_s", "blocked_s"), [(300.0, POLICY.limits.max_wait_s + 1), (15.0, 20.0)])
def test_a_block_that_ends_too_late_is_not_waited_for_and_the_caller_is_told_when_to_come_back(
    deadline_s: float, blocked_s: float
) -> None:
    healths = both(Health(blocked_until=NOW + blocked_s))
    route = made(TWO, healths=healths, policy=replace(POLICY, request_deadline_s=deadline_s))
    assert step(route, healths=healths) == GiveUp(Ending.WAITED)
    told = verdict(route, (), now=NOW)
    assert (told.status, told.code) == (429, "rate_limit_exceeded")
    assert told.retry_after == min(blocked_s, POLICY.max_retry_after_s)


def test_when_all_are_out_of_service_the_least_bad_is_asked_after_a_short_wait() -> None:
    best = replace(OPEN, estimate=estimate(10.0, 0.5))
    worst = replace(OPEN, estimate=estimate(10.0, 0.05))
    healths = both(best, gemini=worst)
    route = made(TWO, healths=healths)
    panic_at = NOW + POLICY.breaker.panic_wait_s
    waiting = step(route, healths=healths)
    assert waiting == Wait(panic_at, Waiting.BREAKER, frozenset({f"gemini/{MODEL}", f"fal/{MODEL}"}))
    assert isinstance(step(route, now=panic_at - 0.1, healths=healths, idle_since=NOW), Wait)
    assert tried(step(route, now=panic_at, healths=healths, idle_since=NOW)) == "fal"


def test_a_breaker_that_may_be_looked_at_sooner_is_waited_for_without_panic() -> None:
    soon = replace(OPEN, breaker=replace(OPEN.breaker, open_until=NOW + 1))
    assert step(resting(OPEN, fal=soon), healths=both(OPEN, fal=soon)) == Wait(
        NOW + 1, Waiting.BREAKER, frozenset({f"gemini/{MODEL}", f"fal/{MODEL}"})
    )


def test_nobody_panics_while_a_working_offer_is_only_full() -> None:
    healths = both(OPEN, fal=FULL)
    waiting = step(made(TWO, healths=healths), now=NOW + 10, healths=healths, idle_since=NOW)
    assert isinstance(waiting, Wait)
    assert waiting.waiting is Waiting.ROOM


def test_when_everybody_is_out_the_first_is_asked_as_a_last_resort() -> None:
    assert tried(step(resting(OUT), healths=both(OUT))) == "gemini"


@pytest.mark.parametrize("other", [BLOCKED_20, OPEN, FULL])
def test_one_that_is_out_is_not_asked_while_another_may_be_waited_for(other: Health) -> None:
    healths = both(OUT, fal=other)
    assert isinstance(step(made(TWO, healths=healths), healths=healths), Wait)


def test_one_that_went_out_meanwhile_is_not_asked_before_one_that_serves() -> None:
    market = {"gemini": "0.067", "fal": "0.08", "replicate": "0.09"}
    assert tried(step(made(market), failed("fal", Fault.OVERLOADED), healths=keyed(gemini=OUT))) == "replicate"


@given(
    states=st.lists(
        st.sampled_from([Health(), BLOCKED_20, OPEN, OUT, FULL, replace(OPEN, trial=False)]), min_size=1, max_size=4
    ),
    later=st.lists(
        st.sampled_from([Health(), BLOCKED_20, OPEN, OUT, FULL, replace(OPEN, trial=False)]), min_size=4, max_size=4
    ),
    waited=st.floats(0.0, 400.0),
)
def test_every_wait_ends_later_than_now_and_every_request_is_told_something(
    states: list[Health], later: list[Health], waited: float
) -> None:
    names = [f"p{index}" for index in range(len(states))]
    route = made(dict.fromkeys(names, "0.05"), healths=keyed(**dict(zip(names, states, strict=True))))
    by_now = keyed(**dict(zip(names, later, strict=False)))
    decision = step(route, now=NOW + waited, healths=by_now, idle_since=NOW)
    assert decision == step(route, now=NOW + waited, healths=by_now, idle_since=NOW)
    if isinstance(decision, Wait):
        assert NOW + waited < decision.until <= route.deadline_at
        assert decision.until - NOW <= POLICY.limits.max_wait_s
    elif isinstance(decision, GiveUp):
        assert waited >= POLICY.limits.max_wait_s - POLICY.limits.test_wait_s or not route.candidates


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
    now, attempts, ending = NOW, list[Attempt](), iter([*script, End(None, Spend.NONE, 0.0)])
    while True:
        decision = step(route, *attempts, now=now)
        if isinstance(decision, GiveUp):
            break
        if isinstance(decision, Wait):
            assert decision.until > now
            now = decision.until
            continue
        end = next(ending)
        assert isinstance(decision, Try)
        assert decision.limit_s >= SHORTEST_TRY_S
        assert now + decision.limit_s <= route.deadline_at + 1e-6
        assert decision.limit_s <= POLICY.attempt_limit_s[Resolution.R1K]
        now += decision.limit_s * end.share
        provider = decision.candidate.offer.provider
        attempts.append(failed(provider, end.fault, spend=end.spend, started_at=now, seconds=0.0))
    names = [attempt.offer.provider for attempt in attempts]
    assert len(set(names)) == min(len(names), sellers)
    by_name = {name: [attempt for attempt in attempts if attempt.offer.provider == name] for name in names}
    assert all(work_of(mine) <= policy.max_tries_per_offer for mine in by_name.values())
    assert work_of(attempts) <= max_attempts
    assert len(attempts) < (max_attempts + 1) * REFUSALS_PER_TRY
    assert sum(attempt.spend is not Spend.NONE for attempt in attempts) <= max_payments
    assert all(attempt.fault is not None and attempt.fault in {*GOES_ON} for attempt in attempts[:-1])
    assert now <= route.deadline_at + 1e-6


def test_refusals_for_want_of_room_do_not_use_up_a_requests_tries() -> None:
    route = made({"fal": "0.01", "gemini": "0.02"}, policy=replace(POLICY, max_attempts=2))
    refusals = [failed(name, Fault.RATE_LIMITED) for name in ("fal", "gemini") * 3]
    assert not isinstance(step(route, *refusals, now=NOW + 10), GiveUp)
    assert isinstance(step(route, *refusals, *refusals, now=NOW + 10), GiveUp)
