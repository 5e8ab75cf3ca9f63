"""Tests of many tries at once: the quick failures of a burst are no outage, and an outage is found all the same."""

from __future__ import annotations

import heapq
from random import Random

import pytest

from providers.spec.errors import Fault
from routing.breaker import BreakerState
from routing.passage import Passage
from routing.steps import Try
from routing.ticket import Ticket
from tests.unit.routing.making import MODEL, NOW, Street, ended

FAL = f"fal/{MODEL}"
EVERY_FOURTH_FAILS = 240


def begun(street: Street, *, now: float) -> tuple[Passage, Ticket]:
    passage = street.passage(now=now)
    step = passage.next(now=now)
    assert isinstance(step, Try)
    return passage, passage.began(step, now=now)


def known_to_be_unsure() -> Street:
    """Fal is known to deliver three times out of four; the last that was heard of it is a minute old."""
    street = Street({"fal": "0.08"})
    for number in range(EVERY_FOURTH_FAILS):
        fault = Fault.OVERLOADED if number % 4 == 0 else None
        street.served(now=NOW - 60 - 30 * (EVERY_FOURTH_FAILS - number), seconds=12.0, fault=fault)
    assert street.board.breaker(FAL).state(now=NOW) is BreakerState.CLOSED
    return street


def opened_in(street: Street, *, share: float, tries: int, draws: Random) -> bool:
    """Whether the breaker opens while so many tries, begun within a second, end: failures soon, deliveries late."""
    ends: list[tuple[float, int, float, bool, Passage, Ticket]] = []
    for number in range(tries):
        passage, ticket = begun(street, now=NOW + number / tries)
        delivers = draws.random() < share
        seconds = draws.uniform(10.0, 20.0) if delivers else draws.uniform(0.3, 0.6)
        heapq.heappush(ends, (ticket.started_at + seconds, number, seconds, delivers, passage, ticket))
    while ends:
        now, _, seconds, delivers, passage, ticket = heapq.heappop(ends)
        ended(passage, ticket, seconds=seconds, fault=None if delivers else Fault.OVERLOADED)
        passage.close(now=now)
        if street.board.breaker(FAL).state(now=now) is not BreakerState.CLOSED:
            return True
    return False


@pytest.mark.parametrize("seed", range(8))
def test_the_quick_failures_of_a_burst_do_not_open_the_breaker_of_an_offer_that_is_as_ever(seed: int) -> None:
    assert not opened_in(known_to_be_unsure(), share=0.77, tries=80, draws=Random(seed))


@pytest.mark.parametrize("seed", range(3))
def test_a_burst_that_nearly_all_fails_does_open_it(seed: int) -> None:
    assert opened_in(known_to_be_unsure(), share=0.1, tries=80, draws=Random(seed))


def failures_until_open(pending: int) -> int:
    """How many tries of an outage fail, one a second, until the breaker opens, with so many from before under way."""
    street = Street({"fal": "0.08"})
    for number in range(20):
        street.served(now=NOW - 400 + 15 * number, seconds=12.0)
    for number in range(pending):
        begun(street, now=NOW - 10 + number / pending)
    now, failures = NOW, 0
    while street.board.breaker(FAL).state(now=now) is BreakerState.CLOSED:
        now += 1.0
        passage, ticket = begun(street, now=now)
        ended(passage, ticket, seconds=0.5, fault=Fault.OVERLOADED)
        passage.close(now=now + 0.5)
        failures += 1
    return failures


@pytest.mark.parametrize("pending", [1, 5, 50])
def test_an_outage_is_noticed_as_fast_with_tries_from_before_it_under_way_as_without(pending: int) -> None:
    assert failures_until_open(pending) == failures_until_open(0) <= 5
