"""Tests of hedging: when a second provider is worth its price, and when nobody asks one."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import Fault, Spend
from providers.spec.request import Operation, Resolution
from routing.attempt import Attempt
from routing.board import Board
from routing.fallback import next_step
from routing.health import Health
from routing.hedging import delivers_yet, first_look_s, worth_hedging
from routing.knobs import OBJECTIVES, HedgeKnobs
from routing.objective import share_within
from routing.passage import Passage
from routing.plan import RoutePlan
from routing.steps import Hedge, Running, Step, Try, Wait, Waiting
from routing.wishes import RouteWishes
from tests.unit.routing.making import (
    NOW,
    POLICY,
    REQUEST,
    Street,
    carried_out,
    ended,
    estimate,
    failed,
    keyed,
    made,
    option,
    tried,
)

KNOBS = HedgeKnobs()
FASTEST = OBJECTIVES["fastest"]
RUNNING = option(median_s=13.0, success=0.92, failure_s=40.0)
SECOND = option(median_s=12.0, success=0.96, sigma=0.35)


def worth(*, age_s: float = 40.0, objective: str = "fastest", price: float = 0.08, limit_s: float = 60.0) -> bool:
    return worth_hedging(
        RUNNING,
        replace(SECOND, price=price),
        OBJECTIVES[objective],
        KNOBS,
        age_s=age_s,
        limit_s=limit_s,
        remaining_s=300.0 - age_s,
    )


def test_the_first_look_is_taken_above_the_median_where_most_tries_are_over() -> None:
    assert first_look_s(RUNNING, KNOBS) == pytest.approx(13.0 * exp(0.8 * 0.4))


def test_silence_speaks_ever_more_for_a_hang() -> None:
    shares = [delivers_yet(RUNNING, age) for age in (0.0, 10.0, 20.0, 40.0, 80.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.92)
    assert shares[-1] < 0.01


def test_what_is_silent_long_after_nearly_every_success_probably_hangs_however_quick_failures_are() -> None:
    quick = replace(RUNNING, failure_s=2.0)
    assert share_within(quick, 40.0) > 0.99
    assert delivers_yet(quick, 40.0) < 0.2


@given(age=st.floats(0.0, 1000.0), success=st.floats(0.0, 1.0), failure_s=st.floats(0.0, 300.0))
def test_the_share_that_still_delivers_is_a_share(age: float, success: float, failure_s: float) -> None:
    assert 0.0 <= delivers_yet(option(success=success, failure_s=failure_s), age) <= 1.0


def test_a_second_image_is_bought_for_seconds_that_are_worth_it_and_not_for_others() -> None:
    assert worth(age_s=30.0, objective="fastest")
    assert not worth(age_s=20.0, objective="balanced")


def test_a_dearer_second_is_not_worth_what_a_cheaper_one_is() -> None:
    prices = [0.01, 0.08, 1.0, 20.0]
    assert [worth(age_s=25.0, price=price) for price in prices] == sorted(
        (worth(age_s=25.0, price=price) for price in prices), reverse=True
    )
    assert worth(age_s=25.0, price=0.01)
    assert not worth(age_s=25.0, price=20.0)


def test_nothing_is_gained_where_the_first_is_about_to_be_given_up_and_costs_no_time() -> None:
    free_of_time = replace(FASTEST, value_of_time_usd_per_s=0.0, failed_request_usd=0.0)
    assert not worth_hedging(RUNNING, SECOND, free_of_time, KNOBS, age_s=40.0, limit_s=60.0, remaining_s=260.0)


def test_close_to_the_deadline_a_hedge_is_worth_its_price_for_safetys_sake_alone() -> None:
    patient = replace(OBJECTIVES["balanced"], value_of_time_usd_per_s=0.0, failed_request_usd=1.0)

    def at(remaining_s: float) -> bool:
        return worth_hedging(
            RUNNING, SECOND, patient, KNOBS, age_s=40.0, limit_s=40.0 + remaining_s, remaining_s=remaining_s
        )

    assert at(30.0)
    assert not at(1000.0)


# As a step

MARKET = {"gemini": "0.067", "fal": "0.08"}
HEALTHS = keyed(
    gemini=Health(estimate=estimate(13.0, 0.92, failure_s=40.0)), fal=Health(estimate=estimate(12.0, 0.96, sigma=0.35))
)
OPTED_IN = RouteWishes(policy="fastest", order=("gemini",), hedge=True)


def look(
    *,
    age_s: float = 40.0,
    wishes: RouteWishes = OPTED_IN,
    may_hedge: bool = True,
    healths: dict[str, Health] | None = None,
    attempts: tuple[Attempt, ...] = (),
    route: RoutePlan | None = None,
    also_running: int = 0,
) -> Step:
    """What follows when gemini has been silent for so long."""
    route = route or made(MARKET, healths=HEALTHS, wishes=wishes)
    running = [Running(route.candidates[0], NOW, 60.0)] * (1 + also_running)
    return next_step(
        route,
        attempts,
        now=NOW + age_s,
        draw=0.5,
        healths=healths or HEALTHS,
        running=running,
        may_hedge=may_hedge,
    )


def test_a_silent_try_is_hedged_with_the_other_provider_when_it_is_wanted() -> None:
    step = look()
    assert isinstance(step, Hedge)
    assert tried(step) == "fal"
    assert step.limit_s == pytest.approx(12.0 * exp(3 * 0.35))
    assert not step.ends_at_deadline


def test_a_try_that_probably_hangs_is_hedged_before_its_limit_though_failures_are_known_to_be_quick() -> None:
    quick = Health(estimate=estimate(13.0, 0.92, failure_s=2.0))
    healths = {**HEALTHS, "gemini/pictura": quick}
    route = made(MARKET, healths=healths, wishes=OPTED_IN)
    step = look(age_s=40.0, healths=healths, route=route)
    assert isinstance(step, Hedge)
    assert tried(step) == "fal"


def test_before_the_first_look_the_request_waits_for_it() -> None:
    assert look(age_s=5.0) == Wait(NOW + first_look_s(RUNNING, KNOBS), Waiting.LOOK)


def test_after_a_look_that_was_not_worth_it_the_next_one_follows() -> None:
    dear = made({"gemini": "0.067", "fal": "90"}, healths=HEALTHS, wishes=OPTED_IN)
    assert look(route=dear) == Wait(NOW + 40.0 + KNOBS.look_s, Waiting.LOOK)


@pytest.mark.parametrize(
    "why_not",
    [
        {"wishes": replace(OPTED_IN, hedge=None)},
        {"wishes": replace(OPTED_IN, hedge=False)},
        {"may_hedge": False},
        {"also_running": 1},
        {"attempts": (failed("gemini", Fault.TIMED_OUT, spend=Spend.POSSIBLE),)},
        {"wishes": replace(OPTED_IN, order=("gemini",), allow_fallbacks=False)},
    ],
)
def test_nobody_is_asked_beside_it_when_it_is_not_wanted_or_not_allowed(why_not: dict[str, object]) -> None:
    assert isinstance(look(), Hedge)
    assert isinstance(look(**why_not), Wait)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "busy", [{"load": KNOBS.load_share + 0.01}, {"room": False}, {"blocked_until": NOW + 100}, {"load": 1.0}]
)
def test_no_hedge_goes_to_an_offer_that_others_need(busy: dict[str, object]) -> None:
    fal = replace(HEALTHS["fal/pictura"], **busy)  # type: ignore[arg-type]
    assert isinstance(look(healths={**HEALTHS, "fal/pictura": fal}), Wait)


def test_the_policy_can_hedge_requests_that_do_not_say() -> None:
    policy = replace(POLICY, hedging=replace(POLICY.hedging, enabled=True))
    wishes = replace(OPTED_IN, hedge=None)
    assert isinstance(look(route=made(MARKET, healths=HEALTHS, wishes=wishes, policy=policy)), Hedge)


# Through a passage


AGE_S = 45.0


def begun(street: Street, *, policy: str = "fastest") -> Step:
    """The step of a request whose first try, of gemini, has been silent for a while."""
    passage = street.passage(now=NOW, wishes=replace(OPTED_IN, policy=policy))
    first = passage.next(now=NOW)
    assert isinstance(first, Try)
    ticket = passage.began(first, now=NOW)
    step = passage.next(now=NOW + AGE_S)
    if isinstance(step, Hedge):
        carried_out(passage, step, now=NOW + AGE_S, fault=Fault.ABANDONED)
    ended(passage, ticket, seconds=AGE_S + 1)
    return step


def street_of_slow_and_quick() -> Street:
    """Forty requests: gemini takes half a minute, fal two seconds."""
    street = Street(MARKET)
    for second in range(20):
        for provider, seconds in (("gemini", 30.0), ("fal", 2.0)):
            wishes = RouteWishes(order=(provider,))
            assert street.served(now=NOW - 60 + second, seconds=seconds, wishes=wishes) == provider
    return street


def test_hedges_stay_within_their_share_of_requests_but_for_the_one_there_is_at_the_start() -> None:
    street = street_of_slow_and_quick()
    hedges_in_a_row(street.board)
    hedged = sum(isinstance(begun(street), Hedge) for _ in range(30))
    assert 0 < hedged <= FASTEST.hedge_share * 30 + 1


def spend_one(board: Board) -> None:
    """A hedge is begun and lost."""
    street = Street(MARKET)
    candidate = street.passage(now=NOW).plan.candidates[0]
    ticket = board.started(candidate, Operation.GENERATE, Resolution.R1K, now=NOW, hedge=True)
    board.ended(ticket, failed(ticket.provider, Fault.ABANDONED), now=NOW)


def hedges_in_a_row(board: Board) -> int:
    """How many hedges the budget has in it."""
    count = 0
    while board.may_hedge():
        spend_one(board)
        count += 1
    return count


def test_the_first_hedge_is_free_and_the_others_are_earned_by_requests() -> None:
    board = Street(MARKET).board
    assert hedges_in_a_row(board) == 1
    for _ in range(3):
        board.arrived(0.3)
        assert not board.may_hedge()
    board.arrived(0.3)
    assert hedges_in_a_row(board) == 1


def test_a_quiet_time_saves_up_no_more_than_a_handful_of_hedges() -> None:
    board = Street(MARKET).board
    for _ in range(20_000):
        board.arrived(0.3)
    assert hedges_in_a_row(board) == KNOBS.burst


def test_requests_under_a_policy_that_never_hedges_earn_none_for_others() -> None:
    street = Street(MARKET)
    spend_one(street.board)
    for number in range(200):
        street.passage(now=NOW + number, wishes=RouteWishes(policy="cheapest"))
    assert not street.board.may_hedge()


def test_a_request_that_goes_on_with_another_model_earns_once() -> None:
    street = Street(MARKET)
    spend_one(street.board)
    half = replace(POLICY, objectives={**OBJECTIVES, "balanced": replace(OBJECTIVES["balanced"], hedge_share=0.5)})

    def arrives(*, again: bool) -> None:
        Passage(street.board, REQUEST, street.offers, street.prices, half, now=NOW, draw=0.5, again=again)

    arrives(again=False)
    for _ in range(5):
        arrives(again=True)
    assert not street.board.may_hedge()
    arrives(again=False)
    assert street.board.may_hedge()


def test_cheapest_never_hedges_whatever_the_caller_says() -> None:
    street = street_of_slow_and_quick()
    assert street.board.may_hedge()
    assert not isinstance(begun(street, policy="cheapest"), Hedge)


def test_nobody_hedges_while_somebody_waits() -> None:
    street = street_of_slow_and_quick()
    assert street.board.may_hedge()
    place = street.board.line.join(["fal/pictura"], now=NOW)
    assert place is not None
    assert not street.board.may_hedge()
    street.board.line.leave(place)
    assert street.board.may_hedge()
