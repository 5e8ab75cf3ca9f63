"""Tests of standing: healths and breakers as own tries and others' news leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.breaker import Breaker, BreakerState
from routing.health import CLOSED, UNTRIED, Health, HealthState
from routing.standing import Standing
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.store import Notice
from tests.unit.routing.making import MODEL, NOW, delivered, failed
from tests.unit.routing.making import POLICY as SHIPPED

FAL, GEMINI = f"fal/{MODEL}", f"gemini/{MODEL}"
POLICY = replace(SHIPPED, breaker=replace(SHIPPED.breaker, trip=5.5))
"""Three failures in a row open it."""
KEY = StatKey(FAL, Operation.GENERATE, Resolution.R1K)


def made() -> tuple[Standing, list[str]]:
    closed: list[str] = []
    return Standing([FAL, GEMINI], POLICY, closed.append), closed


def counted(
    standing: Standing, kind: OutcomeKind, *, at: float, seconds: float = 1.0, running: Sequence[float] = ()
) -> bool:
    return standing.counted(Outcome(KEY, kind, at, seconds), success=0.93, running=running, now=at)


def tripped() -> tuple[Standing, list[str], list[bool]]:
    standing, closed = made()
    turns = [counted(standing, OutcomeKind.FAILED, at=NOW + number) for number in range(3)]
    return standing, closed, turns


def test_an_offer_begins_untried_and_closed() -> None:
    standing, _ = made()
    assert (standing.health(FAL), standing.breaker(FAL), standing.out(FAL)) == (UNTRIED, CLOSED, False)


def test_the_breaker_says_when_it_opens_and_only_then() -> None:
    standing, closed, turns = tripped()
    assert turns == [False, False, True]
    assert standing.breaker(FAL).state(now=NOW + 2) is BreakerState.OPEN
    assert standing.breaker(GEMINI) == CLOSED
    assert closed == []


def test_a_delivery_after_the_opening_closes_it_and_the_board_is_told() -> None:
    standing, closed, _ = tripped()
    later = standing.breaker(FAL).open_until
    assert not counted(standing, OutcomeKind.DELIVERED, at=later, seconds=later - NOW + 5)
    assert closed == []
    assert counted(standing, OutcomeKind.DELIVERED, at=later + 1)
    assert closed == [FAL]
    assert standing.breaker(FAL).state(now=later + 1) is BreakerState.CLOSED


def failures_until_open(standing: Standing, *, running: Sequence[float], at: float = NOW) -> int:
    count = 0
    while standing.breaker(FAL).state(now=at) is BreakerState.CLOSED:
        at += 0.1
        counted(standing, OutcomeKind.FAILED, at=at, seconds=1.0, running=running)
        count += 1
    return count


def test_tries_that_began_since_the_first_failure_did_and_outlived_this_one_hold_the_breaker() -> None:
    alone, before, since, younger = (made()[0] for _ in range(4))
    needed = failures_until_open(alone, running=())
    assert failures_until_open(before, running=[NOW - 5.0] * 20) == needed
    assert failures_until_open(since, running=[NOW - 0.85] * 20) > needed
    assert failures_until_open(younger, running=[NOW + 60.0] * 20) == needed


def test_what_hangs_from_before_a_closing_seen_elsewhere_does_not_hold_the_breaker() -> None:
    turned = []
    for running in ((), [NOW + 5.0] * 20):
        standing, _, _ = tripped()
        opened = standing.breaker(FAL)
        theirs = Breaker(2.75, opened.opened_at, 0.0, opened.open_s, closed_at=NOW + 20)
        standing.merge(Notice(FAL, NOW + 20, UNTRIED, theirs), now=NOW + 20)
        turned.append(failures_until_open(standing, running=running, at=NOW + 30))
    assert turned[0] == turned[1]


def test_refusals_never_reach_the_breaker() -> None:
    standing, _ = made()
    assert not any(counted(standing, OutcomeKind.REFUSED, at=NOW + number) for number in range(50))
    assert standing.breaker(FAL) == CLOSED


def test_an_attempt_that_changes_nothing_is_no_news() -> None:
    standing, _ = made()
    assert not standing.ended(delivered("fal"), now=NOW)
    assert not standing.ended(failed("fal", Fault.CONTENT_REFUSED), now=NOW)
    assert standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW)
    assert standing.out(FAL)
    assert standing.ended(delivered("fal", started_at=NOW + 600), now=NOW + 610)
    assert not standing.out(FAL)


def test_only_what_changes_when_an_offer_may_be_asked_is_news() -> None:
    standing, _ = made()
    told = [
        standing.ended(attempt, now=NOW + number)
        for number, attempt in enumerate(
            (failed("fal", Fault.OVERLOADED), delivered("fal"), failed("fal", Fault.BAD_REPLY), delivered("fal"))
        )
    ]
    assert told == [False] * 4
    assert standing.ended(failed("fal", Fault.RATE_LIMITED, retry_after=30.0), now=NOW + 5)
    assert standing.health(FAL).blocked_until == NOW + 35
    # A shorter wait than the one that holds is counted, and changes nothing for anybody.
    assert not standing.ended(failed("fal", Fault.RATE_LIMITED, retry_after=1.0), now=NOW + 6)
    assert standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW + 7)
    # Its next probe is put off once more.
    assert standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW + 8)


def test_a_probe_puts_the_next_one_off() -> None:
    standing, _ = made()
    standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW)
    due = standing.health(FAL).next_probe_at
    standing.probed(FAL, now=due)
    assert standing.health(FAL).state(now=due) is HealthState.OUT
    assert standing.health(FAL).next_probe_at == due + POLICY.out_probe_s


def test_a_notice_tells_another_replica_all_it_needs() -> None:
    standing, _, _ = tripped()
    standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW + 5)
    other, _ = made()
    other.merge(standing.notice(FAL, now=NOW + 5), now=NOW + 5)
    assert (other.health(FAL), other.breaker(FAL)) == (standing.health(FAL), standing.breaker(FAL))


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_blocks_the_one_that_ends_later_counts_in_whichever_order_they_are_told(first: int) -> None:
    notices = [Notice(FAL, NOW + wait, Health(blocked_until=NOW + wait), CLOSED) for wait in (10, 30)]
    standing, _ = made()
    for notice in (notices[first], notices[1 - first]):
        standing.merge(notice, now=NOW)
    assert standing.health(FAL).blocked_until == NOW + 30


OUT = Health(out_fault=Fault.CREDENTIALS, out_since=NOW, next_probe_at=NOW + 600, last_fault=Fault.CREDENTIALS)


def test_an_outage_that_another_has_probed_since_is_the_newer_one() -> None:
    standing, _ = made()
    standing.merge(Notice(FAL, NOW, OUT, CLOSED), now=NOW)
    probed = replace(OUT, next_probe_at=NOW + 1200)
    standing.merge(Notice(FAL, NOW + 600, probed, CLOSED), now=NOW + 600)
    standing.merge(Notice(FAL, NOW, OUT, CLOSED), now=NOW + 600)
    assert standing.health(FAL).next_probe_at == NOW + 1200


def test_a_recovery_told_later_than_the_outage_ends_it_and_an_older_one_does_not() -> None:
    standing, _ = made()
    standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW)
    standing.merge(Notice(FAL, NOW - 5, Health(), CLOSED), now=NOW - 5)
    assert standing.out(FAL)
    standing.merge(Notice(FAL, NOW + 605, Health(), CLOSED), now=NOW + 605)
    assert not standing.out(FAL)


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.OVERLOADED])
def test_whoever_has_not_heard_of_an_outage_does_not_end_it_by_telling_of_another_fault(fault: Fault) -> None:
    standing, _ = made()
    standing.ended(failed("fal", Fault.CREDENTIALS), now=NOW)
    blocked = Health(blocked_until=NOW + 2, last_fault=fault)
    standing.merge(Notice(FAL, NOW + 0.3, blocked, CLOSED), now=NOW + 0.4)
    assert standing.out(FAL)
    assert standing.health(FAL).blocked_until == NOW + 2


FAR = NOW + 1e9


def test_others_can_keep_an_offer_from_being_asked_no_longer_than_policy_allows_here() -> None:
    out = Health(blocked_until=FAR, out_fault=Fault.MODEL_GONE, out_since=FAR, next_probe_at=FAR)
    standing, _ = made()
    standing.merge(Notice(FAL, NOW, out, Breaker(1e9, NOW, FAR, 1e9)), now=NOW)
    health, breaker = standing.health(FAL), standing.breaker(FAL)
    assert health.blocked_until == NOW + POLICY.max_block_s
    assert health.out_since == NOW
    assert health.next_probe_at == NOW + POLICY.out_long_s
    assert (breaker.score, breaker.open_s) == (POLICY.breaker.trip, POLICY.breaker.max_open_s)
    assert breaker.state(now=NOW + POLICY.breaker.max_open_s) is BreakerState.HALF_OPEN


@pytest.mark.parametrize(
    "theirs",
    [Breaker(closed_at=FAR), Breaker(closed_at=NOW + 59), Breaker(opened_at=FAR), Breaker(-1e9, closed_at=NOW)],
)
def test_no_notice_keeps_a_breaker_from_opening(theirs: Breaker) -> None:
    standing, _ = made()
    standing.merge(Notice(FAL, NOW, UNTRIED, theirs), now=NOW)
    for number in range(1, 4):
        counted(standing, OutcomeKind.FAILED, at=NOW + 1 + number)
    assert standing.breaker(FAL).state(now=NOW + 4) is BreakerState.OPEN


def test_a_breaker_that_another_replica_saw_close_is_closed_here_and_the_board_is_told() -> None:
    standing, closed, _ = tripped()
    theirs = replace(standing.breaker(FAL), open_until=0.0, closed_at=NOW + 20, score=2.75)
    standing.merge(Notice(FAL, NOW + 20, UNTRIED, theirs), now=NOW + 20)
    assert standing.breaker(FAL).state(now=NOW + 20) is BreakerState.CLOSED
    assert closed == [FAL]


def test_an_older_state_of_a_breaker_changes_nothing() -> None:
    standing, closed, _ = tripped()
    before = standing.breaker(FAL)
    standing.merge(Notice(FAL, NOW + 3, UNTRIED, Breaker(score=1.0)), now=NOW + 3)
    assert standing.breaker(FAL) == before
    assert closed == []
