"""Tests of a request's passage through the board: trying, waiting its turn, giving up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.passage import Passage
from routing.policy import Policy
from routing.stats.outcome import StatKey
from routing.stats.store import Notice
from routing.steps import Ending, GiveUp, Try, Wait, Waiting
from routing.ticket import Ticket
from routing.verdict import verdict
from tests.unit.routing.making import MODEL, NOW, POLICY, REQUEST, Street, carried_out, ended, failed, tried

FAL = f"fal/{MODEL}"
TWO = {"fal": "0.08", "gemini": "0.09"}
ONE_AT_ONCE = replace(POLICY, caps={"fal": 1})


def begun(street: Street, *, now: float = NOW) -> tuple[Passage, Ticket]:
    passage = street.passage(now=now)
    step = passage.next(now=now)
    assert isinstance(step, Try)
    return passage, passage.began(step, now=now)


class Waiter:
    """A request in line."""

    def __init__(self, street: Street, *, now: float) -> None:
        self.woken = 0
        self.passage = street.passage(now=now, wake=self._wake)
        self.step = self.passage.next(now=now)

    def _wake(self) -> None:
        self.woken += 1


def blocking(street: Street, provider: str, until: float) -> None:
    health = Health(blocked_until=until)
    street.board.fold(Notice(f"{provider}/{MODEL}", NOW, health, Breaker()), now=NOW)


def opening(street: Street, provider: str, until: float) -> None:
    breaker = Breaker(score=5.5, opened_at=NOW - 1, open_until=until, open_s=15)
    street.board.fold(Notice(f"{provider}/{MODEL}", NOW, Health(), breaker), now=NOW)


def test_a_request_goes_from_one_provider_to_the_next_until_one_delivers() -> None:
    street = Street(TWO)
    passage = street.passage(now=NOW)
    carried_out(passage, passage.next(now=NOW), now=NOW, fault=Fault.OVERLOADED)
    second = passage.next(now=NOW + 1)
    assert tried(second) == "gemini"
    carried_out(passage, second, now=NOW + 1, seconds=9.0)
    assert passage.next(now=NOW + 10) == GiveUp(Ending.DELIVERED)
    assert [attempt.outcome for attempt in passage.attempts] == ["overloaded", "ok"]
    assert passage.waits_s == 0.0


def test_attempts_made_for_another_model_count_towards_the_bounds() -> None:
    street = Street(TWO)
    before = tuple(failed("else", Fault.OVERLOADED) for _ in range(POLICY.max_attempts))
    passage = Passage(street.board, REQUEST, street.offers, street.prices, POLICY, now=NOW, draw=0.5, attempts=before)
    assert passage.next(now=NOW) == GiveUp(Ending.ATTEMPTS)


def test_full_offers_are_waited_for_and_served_first_come_first_served() -> None:
    street = Street({"fal": "0.08"}, ONE_AT_ONCE)
    running, ticket = begun(street)
    first, second = Waiter(street, now=NOW + 1), Waiter(street, now=NOW + 2)
    for each in (first, second):
        assert isinstance(each.step, Wait)
        assert (each.step.waiting, each.step.keys) == (Waiting.ROOM, frozenset({FAL}))
    assert len(street.board.line) == 2

    ended(running, ticket, seconds=5.0)
    assert first.woken
    assert not second.woken
    newcomer = Waiter(street, now=NOW + 5)
    assert isinstance(newcomer.step, Wait)
    assert isinstance(second.passage.next(now=NOW + 5), Wait)
    step = first.passage.next(now=NOW + 5)
    assert tried(step) == "fal"
    assert isinstance(step, Try)
    own = first.passage.began(step, now=NOW + 5)
    assert first.passage.waits_s == pytest.approx(4.0)
    assert len(street.board.line) == 2

    ended(first.passage, own, seconds=3.0)
    assert second.woken
    assert isinstance(newcomer.passage.next(now=NOW + 8), Wait)
    assert tried(second.passage.next(now=NOW + 8)) == "fal"


def test_one_that_leaves_the_line_when_it_was_its_turn_hands_the_turn_on() -> None:
    street = Street({"fal": "0.08"}, ONE_AT_ONCE)
    running, ticket = begun(street)
    first, second = Waiter(street, now=NOW + 1), Waiter(street, now=NOW + 2)
    ended(running, ticket, seconds=5.0)
    first.passage.close(now=NOW + 5)
    assert second.woken
    assert tried(second.passage.next(now=NOW + 5)) == "fal"
    first.passage.close(now=NOW + 6)
    assert first.passage.waits_s == pytest.approx(4.0)


def test_whoever_waited_too_long_gives_up_and_frees_its_place() -> None:
    street = Street({"fal": "0.08"}, ONE_AT_ONCE)
    begun(street)
    waiter = Waiter(street, now=NOW)
    assert waiter.passage.next(now=NOW + POLICY.limits.max_wait_s) == GiveUp(Ending.WAITED)
    assert len(street.board.line) == 0
    assert waiter.passage.waits_s == POLICY.limits.max_wait_s


def test_when_the_line_is_full_one_more_is_told_so_at_once() -> None:
    policy = replace(ONE_AT_ONCE, limits=replace(POLICY.limits, max_waiting=1))
    street = Street({"fal": "0.08"}, policy)
    begun(street)
    assert isinstance(Waiter(street, now=NOW).step, Wait)
    turned_away = Waiter(street, now=NOW)
    assert turned_away.step == GiveUp(Ending.WAITED)
    told = verdict(turned_away.passage.plan, (), now=NOW)
    assert (told.status, told.code) == (429, "rate_limit_exceeded")


def test_a_request_goes_elsewhere_rather_than_into_the_line() -> None:
    street = Street(TWO, ONE_AT_ONCE)
    begun(street)
    assert tried(street.passage(now=NOW).next(now=NOW)) == "gemini"


def test_a_stated_wait_keeps_every_request_away_until_it_is_over() -> None:
    street = Street(TWO)
    passage = street.passage(now=NOW)
    carried_out(passage, passage.next(now=NOW), now=NOW, fault=Fault.RATE_LIMITED, retry_after=30.0)
    assert tried(passage.next(now=NOW + 1)) == "gemini"
    assert tried(street.passage(now=NOW + 30).next(now=NOW + 30)) == "gemini"
    assert tried(street.passage(now=NOW + 31).next(now=NOW + 31)) == "fal"


def test_when_all_are_blocked_a_request_waits_for_the_end_of_the_block_outside_the_line() -> None:
    street = Street(TWO)
    blocking(street, "fal", NOW + 40)
    blocking(street, "gemini", NOW + 25)
    waiter = Waiter(street, now=NOW)
    assert waiter.step == Wait(NOW + 25, Waiting.BLOCK)
    assert len(street.board.line) == 0
    assert tried(waiter.passage.next(now=NOW + 25)) == "gemini"


def test_when_all_are_blocked_for_longer_than_a_request_may_wait_the_caller_is_told_at_once() -> None:
    street = Street(TWO, replace(POLICY, limits=replace(POLICY.limits, max_wait_s=10.0)))
    for provider in TWO:
        blocking(street, provider, NOW + 25)
    waiter = Waiter(street, now=NOW)
    assert waiter.step == GiveUp(Ending.WAITED)
    told = verdict(waiter.passage.plan, (), now=NOW)
    assert (told.status, told.retry_after) == (429, 25)


def test_when_all_are_out_of_service_one_is_asked_after_the_panic_wait_all_the_same() -> None:
    street = Street(TWO)
    for provider in TWO:
        opening(street, provider, NOW + 15)
    waiter = Waiter(street, now=NOW)
    assert isinstance(waiter.step, Wait)
    assert (waiter.step.until, waiter.step.waiting) == (NOW + POLICY.breaker.panic_wait_s, Waiting.BREAKER)
    step = waiter.passage.next(now=waiter.step.until)
    assert tried(step) == "fal"
    carried_out(waiter.passage, step, now=waiter.step.until, seconds=9.0)
    assert street.health("fal", now=NOW + 12).breaker.open_until == 0.0


def test_a_request_in_line_is_woken_when_the_breaker_it_waits_for_closes() -> None:
    street = Street(TWO)
    for provider in TWO:
        opening(street, provider, NOW + 2)
    waiter, other = Waiter(street, now=NOW), Waiter(street, now=NOW)
    step = waiter.passage.next(now=NOW + 2)
    assert isinstance(step, Try)
    assert step.candidate.probe
    ticket = waiter.passage.began(step, now=NOW + 2)
    woken = other.woken
    ended(waiter.passage, ticket, seconds=8.0)
    assert other.woken > woken
    assert tried(other.passage.next(now=NOW + 10)) == "fal"


def test_the_same_offer_is_tried_again_after_a_rest() -> None:
    street = Street({"fal": "0.08"})
    passage = street.passage(now=NOW)
    carried_out(passage, passage.next(now=NOW), now=NOW, fault=Fault.BAD_REPLY)
    waiting = passage.next(now=NOW + 1)
    assert waiting == Wait(NOW + 1 + POLICY.again_after_s, Waiting.REST)
    assert tried(passage.next(now=NOW + 2)) == "fal"


def test_a_deadline_of_the_callers_own_holds_for_the_passage_alone() -> None:
    street = Street(TWO)
    short: Policy = replace(POLICY, request_deadline_s=4.0)
    passage = Passage(street.board, REQUEST, street.offers, street.prices, short, now=NOW, draw=0.5)
    step = passage.next(now=NOW)
    assert isinstance(step, Try)
    assert (step.limit_s, step.ends_at_deadline) == (4.0, True)
    carried_out(passage, step, now=NOW, seconds=4.0, fault=Fault.TIMED_OUT, deadline_hit=True)
    assert passage.next(now=NOW + 4) == GiveUp(Ending.DEADLINE)
    assert street.board.statistics.windows(StatKey(FAL, Operation.GENERATE, Resolution.R1K)) is None
