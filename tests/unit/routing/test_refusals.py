"""Tests of what follows a refusal, under each of the operator's policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.spec.errors import Fault
from routing.attempt import Attempt
from routing.fallback import next_step
from routing.health import Health
from routing.plan import RoutePlan
from routing.policy import RefusalPolicy
from routing.refusals import final, refused
from routing.steps import Ending, GiveUp, Hedge, Step, Try
from routing.verdict import verdict
from tests.unit.routing.making import NOW, POLICY, Street, ended, estimate, failed, keyed, made, tried

MARKET = {"gemini": "0.067", "fal": "0.08", "replicate": "0.09"}


def route(how: RefusalPolicy, *, gemini: float = 0.0, others: float = 0.02) -> RoutePlan:
    """A plan that begins with gemini, which refuses this share of tries."""
    shares = {"gemini": gemini, "fal": others, "replicate": others}
    healths = keyed(**{name: Health(estimate=estimate(refusal_share=share)) for name, share in shares.items()})
    return made(MARKET, policy=replace(POLICY, refusal_policy=how), healths=healths)


def refusal(provider: str = "gemini") -> Attempt:
    return failed(provider, Fault.CONTENT_REFUSED)


def after(plan: RoutePlan, *attempts: Attempt) -> Step:
    return next_step(plan, attempts, now=NOW + 2, draw=0.5, healths=plan.healths)


def test_under_stop_a_refusal_is_the_end() -> None:
    assert after(route("stop", gemini=0.9), refusal()) == GiveUp(Ending.FINAL_FAULT)


def test_under_second_opinion_one_that_refuses_no_more_than_others_has_the_last_word() -> None:
    assert after(route("second_opinion", gemini=0.039), refusal()) == GiveUp(Ending.FINAL_FAULT)


def test_under_second_opinion_one_other_is_asked_when_the_first_refuses_far_more_often() -> None:
    plan = route("second_opinion", gemini=0.1)
    assert tried(after(plan, refusal())) == "fal"
    assert after(plan, refusal(), refusal("fal")) == GiveUp(Ending.FINAL_FAULT)


def test_the_second_opinion_is_the_last_however_touchy_whoever_gives_it() -> None:
    shares = {"gemini": 0.3, "fal": 0.3, "replicate": 0.0, "vertex": 0.0}
    healths = keyed(**{name: Health(estimate=estimate(refusal_share=share)) for name, share in shares.items()})
    plan = made(dict.fromkeys(shares, "0.05"), policy=replace(POLICY, refusal_policy="second_opinion"), healths=healths)
    assert not final(plan, (refusal(),))
    assert final(plan, (refusal(), refusal("fal")))


def test_a_second_opinion_that_came_to_nothing_is_asked_of_another() -> None:
    assert tried(after(route("second_opinion", gemini=0.1), refusal(), failed("fal", Fault.UNREACHABLE))) == "replicate"


@pytest.mark.parametrize(("gemini", "others"), [(0.005, 0.0), (0.0, 0.0)])
def test_a_handful_of_refusals_makes_nobody_touchy(gemini: float, others: float) -> None:
    assert final(route("second_opinion", gemini=gemini, others=others), (refusal(),))


def test_without_others_to_compare_with_nobody_is_touchy() -> None:
    healths = keyed(gemini=Health(estimate=estimate(refusal_share=0.5)))
    plan = made({"gemini": "0.067"}, policy=replace(POLICY, refusal_policy="second_opinion"), healths=healths)
    assert final(plan, (refusal(),))


def test_under_ladder_everybody_is_asked_once() -> None:
    plan = route("ladder")
    assert tried(after(plan, refusal())) == "fal"
    assert tried(after(plan, refusal(), refusal("fal"))) == "replicate"
    assert after(plan, refusal(), refusal("fal"), refusal("replicate")) == GiveUp(Ending.EXHAUSTED)


@pytest.mark.parametrize("how", ["second_opinion", "ladder"])
def test_the_caller_is_told_of_the_refusal_whoever_failed_later(how: RefusalPolicy) -> None:
    plan = route(how, gemini=0.1)
    told = verdict(plan, (refusal(), failed("fal", Fault.OVERLOADED)), now=NOW + 2)
    assert (told.status, told.code) == (400, "moderation_blocked")


@pytest.mark.parametrize("how", ["stop", "second_opinion", "ladder"])
def test_other_faults_are_judged_by_the_table_alone(how: RefusalPolicy) -> None:
    plan = route(how)
    assert final(plan, (failed("gemini", Fault.INVALID_REQUEST),))
    assert not final(plan, (failed("gemini", Fault.OVERLOADED),))
    assert not final(plan, ())


@pytest.mark.parametrize("later", [Fault.OVERLOADED, Fault.TIMED_OUT, Fault.UNREACHABLE, Fault.CREDENTIALS])
def test_a_refusal_stays_final_when_another_try_of_the_request_fails_after_it(later: Fault) -> None:
    plan = route("stop")
    attempts = (refusal("fal"), failed("gemini", later))
    assert final(plan, attempts)
    assert after(plan, *attempts) == GiveUp(Ending.FINAL_FAULT)


def test_a_bad_request_stays_final_when_another_try_fails_after_it() -> None:
    assert final(route("ladder"), (failed("fal", Fault.INVALID_REQUEST), failed("gemini", Fault.OVERLOADED)))


def test_a_refused_hedge_ends_the_request_though_the_first_try_fails_later() -> None:
    street = Street(MARKET, replace(POLICY, refusal_policy="stop"))
    passage = street.passage(now=NOW)
    first = passage.next(now=NOW)
    assert isinstance(first, Try)
    ticket = passage.began(first, now=NOW)
    other = next(each for each in passage.plan.candidates if each.offer.key != first.candidate.offer.key)
    hedge = passage.began(Hedge(other, 30.0, ends_at_deadline=False), now=NOW + 1)
    ended(passage, hedge, seconds=2.0, fault=Fault.CONTENT_REFUSED)
    ended(passage, ticket, seconds=5.0, fault=Fault.OVERLOADED)
    assert passage.next(now=NOW + 6) == GiveUp(Ending.FINAL_FAULT)


def test_a_hedge_that_was_lost_to_a_refusal_is_final_too() -> None:
    assert final(route("stop"), (refusal("fal"), failed("gemini", Fault.ABANDONED)))


def test_refusals_are_counted_by_tries() -> None:
    assert refused((refusal(), failed("fal", Fault.OVERLOADED), refusal("replicate"))) == 2
