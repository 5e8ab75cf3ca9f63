"""Tests of caps: how a replica's share is reckoned, and that nothing a request may do goes past one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.spec.errors import Fault
from providers.spec.request import Resolution
from routing.board import Board
from routing.breaker import Breaker
from routing.caps import Caps
from routing.health import Health, HealthState
from routing.offers import Offer
from routing.passage import Passage
from routing.prices import PriceTable
from routing.stats.store import Notice
from routing.steps import Step, Try, Wait, Waiting
from routing.ticket import Ticket
from tests.unit.routing.making import MODEL, NOW, POLICY, REQUEST, Street, ended, line, offer, tried

FAL = f"fal/{MODEL}"
ONE = {"fal": "0.08"}
ONE_AT_ONCE = replace(POLICY, caps={"fal": 1})


def test_a_provider_without_a_cap_bears_any_number() -> None:
    caps = Caps({"fal": 1})
    for _ in range(100):
        caps.began("gemini")
    assert not caps.holds("gemini")
    assert caps.below("gemini")
    assert caps.load("gemini") == 0.0


def test_a_cap_is_reached_by_tries_under_way_and_freed_by_their_ends() -> None:
    caps = Caps({"fal": 2})
    for load in (0.5, 1.0):
        assert caps.below("fal")
        caps.began("fal")
        assert caps.load("fal") == load
    assert not caps.below("fal")
    caps.ended("fal")
    assert caps.below("fal")


@pytest.mark.parametrize(("replicas", "share"), [(1, 5), (2, 2), (3, 1), (5, 1), (9, 1)])
def test_each_replica_has_its_share_rounded_down_but_at_least_one(replicas: int, share: int) -> None:
    caps = Caps({"fal": 5})
    caps.replicas = replicas
    for _ in range(share):
        assert caps.below("fal")
        caps.began("fal")
    assert not caps.below("fal")


# Whatever the state of the offer is


def told(street: Street, health: Health, breaker: Breaker, *, now: float) -> None:
    street.board.fold(Notice(FAL, now, health, breaker), now=now)


def opening(until: float) -> Breaker:
    return Breaker(score=5.5, opened_at=NOW, open_until=until, open_s=15)


def carried_on(passage: Passage, *, now: float) -> Step:
    step = passage.next(now=now)
    if isinstance(step, Try):
        passage.began(step, now=now)
    return step


def begun_one_by_one(street: Street, *, now: float) -> list[Step]:
    """Ten requests arrive in the same moment; each carries out what it is told."""
    return [carried_on(street.passage(now=now), now=now) for _ in range(10)]


def panicking(street: Street) -> list[Step]:
    """Ten requests find the only offer out of service and have waited for as long as they do then."""
    told(street, Health(), opening(NOW + 60), now=NOW)
    waiting = [street.passage(now=NOW) for _ in range(10)]
    assert tries([carried_on(each, now=NOW) for each in waiting]) == 0
    return [carried_on(each, now=NOW + POLICY.breaker.panic_wait_s) for each in waiting]


def tries(steps: list[Step]) -> int:
    return sum(isinstance(step, Try) for step in steps)


@pytest.mark.parametrize("cap", [1, 3])
def test_in_a_panic_no_more_are_asked_at_once_than_the_cap_allows(cap: int) -> None:
    street = Street(ONE, replace(POLICY, caps={"fal": cap}))
    steps = panicking(street)
    assert tries(steps) == cap
    assert [step.waiting for step in steps if isinstance(step, Wait)] == [Waiting.ROOM] * (10 - cap)


def test_without_a_cap_a_panic_asks_for_all_who_have_waited() -> None:
    assert tries(panicking(Street(ONE))) == 10


def test_the_last_resort_of_an_offer_that_is_out_keeps_to_the_cap() -> None:
    out = Health(out_fault=Fault.CREDENTIALS, out_since=NOW - 10, next_probe_at=NOW + 500)
    uncapped, capped = Street(ONE), Street(ONE, ONE_AT_ONCE)
    for street in (uncapped, capped):
        told(street, out, Breaker(), now=NOW)
    assert tries(begun_one_by_one(uncapped, now=NOW)) == 10
    assert tries(begun_one_by_one(capped, now=NOW)) == 1


def test_a_probe_of_an_offer_that_is_out_waits_for_the_cap() -> None:
    street = Street(ONE, ONE_AT_ONCE)
    running, ticket = begun(street)
    told(street, Health(out_fault=Fault.CREDENTIALS, out_since=NOW, next_probe_at=NOW + 1), Breaker(), now=NOW)
    assert street.health("fal", now=NOW + 2).state(now=NOW + 2) is HealthState.FULL
    ended(running, ticket, seconds=3.0, fault=Fault.OVERLOADED)
    assert street.health("fal", now=NOW + 4).state(now=NOW + 4) is HealthState.PROBE_DUE


def test_a_trial_of_a_half_open_offer_waits_for_the_cap() -> None:
    street = Street(ONE, ONE_AT_ONCE)
    running, ticket = begun(street)
    told(street, Health(), replace(opening(NOW + 1), opened_at=NOW + 0.5), now=NOW + 1)
    waiting = street.passage(now=NOW + 2)
    step = waiting.next(now=NOW + 2)
    assert isinstance(step, Wait)
    assert step.waiting is Waiting.ROOM
    ended(running, ticket, seconds=3.0, fault=Fault.OVERLOADED)
    step = waiting.next(now=NOW + 3)
    assert isinstance(step, Try)
    assert step.candidate.probe


def test_of_many_that_find_an_offer_half_open_one_alone_tries_it_out() -> None:
    street = Street(ONE)
    told(street, Health(), opening(NOW + 1), now=NOW)
    assert tries(begun_one_by_one(street, now=NOW + 2)) == 1


def begun(street: Street, *, now: float = NOW) -> tuple[Passage, Ticket]:
    passage = street.passage(now=now)
    step = passage.next(now=now)
    assert isinstance(step, Try)
    return passage, passage.began(step, now=now)


# One line before a provider's cap, whatever the model


class Crossing:
    """A provider that sells two models under one cap."""

    def __init__(self, *, cap: int = 1) -> None:
        self.policy = replace(POLICY, caps={"fal": cap})
        here = offer("fal")
        self.offers = {MODEL: here, "other": replace(here, model="other", position=1)}
        at_1k = line("fal", {Resolution.R1K: "0.08"})
        self.prices = PriceTable((at_1k, replace(at_1k, model="other")))
        self.board = Board(list(self.offers.values()), self.policy)

    def arrives(self, model: str, *, now: float, woken: list[str] | None = None) -> Passage:
        sold: list[Offer] = [self.offers[model]]
        wake = None if woken is None else lambda: woken.append(model)
        request = replace(REQUEST, model=model)
        return Passage(self.board, request, sold, self.prices, self.policy, now=now, draw=0.5, wake=wake)


def test_before_a_cap_whoever_came_first_is_first_whatever_model_it_asks_for() -> None:
    crossing, woken = Crossing(), list[str]()
    running = crossing.arrives(MODEL, now=NOW)
    step = running.next(now=NOW)
    assert isinstance(step, Try)
    ticket = running.began(step, now=NOW)
    first = crossing.arrives("other", now=NOW + 1, woken=woken)
    second = crossing.arrives(MODEL, now=NOW + 2, woken=woken)
    for each in (first, second):
        assert isinstance(each.next(now=NOW + 2), Wait)

    ended(running, ticket, seconds=5.0)
    assert "other" in woken
    newcomer = crossing.arrives(MODEL, now=NOW + 5)
    assert isinstance(newcomer.next(now=NOW + 5), Wait)
    assert isinstance(second.next(now=NOW + 5), Wait)
    step = first.next(now=NOW + 5)
    assert tried(step) == "fal"
    assert isinstance(step, Try)
    own = first.began(step, now=NOW + 5)

    assert isinstance(second.next(now=NOW + 6), Wait)
    ended(first, own, seconds=3.0)
    assert woken[-1] == MODEL
    assert isinstance(newcomer.next(now=NOW + 8), Wait)
    assert tried(second.next(now=NOW + 8)) == "fal"


def test_a_busy_model_does_not_starve_another_one_of_its_provider() -> None:
    crossing, woken = Crossing(cap=2), list[str]()
    running = []
    for _ in range(2):
        passage = crossing.arrives(MODEL, now=NOW)
        step = passage.next(now=NOW)
        assert isinstance(step, Try)
        running.append((passage, passage.began(step, now=NOW)))
    patient = crossing.arrives("other", now=NOW, woken=woken)
    assert isinstance(patient.next(now=NOW), Wait)
    crowd = [crossing.arrives(MODEL, now=NOW) for _ in range(20)]
    for each in crowd:
        assert isinstance(each.next(now=NOW), Wait)
    ended(*running[0], seconds=4.0)
    assert not [each for each in crowd if isinstance(each.next(now=NOW + 4), Try)]
    assert tried(patient.next(now=NOW + 4)) == "fal"


def test_one_that_leaves_the_line_before_a_cap_hands_its_turn_to_another_model() -> None:
    crossing, woken = Crossing(), list[str]()
    running = crossing.arrives(MODEL, now=NOW)
    step = running.next(now=NOW)
    assert isinstance(step, Try)
    ticket = running.began(step, now=NOW)
    first = crossing.arrives("other", now=NOW + 1)
    second = crossing.arrives(MODEL, now=NOW + 2, woken=woken)
    for each in (first, second):
        each.next(now=NOW + 2)
    ended(running, ticket, seconds=5.0)
    woken.clear()
    first.close(now=NOW + 5)
    assert woken
    assert tried(second.next(now=NOW + 5)) == "fal"


def test_a_request_whose_own_offer_is_blocked_does_not_hold_up_others_before_the_cap() -> None:
    crossing = Crossing()
    running, ticket = begun_at(crossing)
    waiting = crossing.arrives(MODEL, now=NOW + 1)
    assert isinstance(waiting.next(now=NOW + 1), Wait)
    blocked = Notice(crossing.offers[MODEL].key, NOW + 2, Health(blocked_until=NOW + 60), Breaker())
    crossing.board.fold(blocked, now=NOW + 2)
    ended(running, ticket, seconds=5.0)
    step = waiting.next(now=NOW + 5)
    assert isinstance(step, Wait)
    assert step.waiting is Waiting.BLOCK
    assert tried(crossing.arrives("other", now=NOW + 6).next(now=NOW + 6)) == "fal"


def begun_at(crossing: Crossing) -> tuple[Passage, Ticket]:
    passage = crossing.arrives(MODEL, now=NOW)
    step = passage.next(now=NOW)
    assert isinstance(step, Try)
    return passage, passage.began(step, now=NOW)
