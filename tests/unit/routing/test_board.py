"""Tests of the board: what tries and other replicas' news change for the requests that come after."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.board import Board
from routing.breaker import BreakerState
from routing.health import Health, HealthState
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.slices import Entry, Slice
from routing.stats.store import Event, Loaded, Notice
from routing.steps import Try
from routing.ticket import Ticket
from routing.wishes import RouteWishes
from tests.unit.routing.making import MODEL, NOW, POLICY, Street, carried_out, ended, failed, offers_of

FAL, GEMINI = f"fal/{MODEL}", f"gemini/{MODEL}"
AT_1K = StatKey(FAL, Operation.GENERATE, Resolution.R1K)
ONE = {"fal": "0.08"}
TWO = {"fal": "0.08", "gemini": "0.09"}


def opened(street: Street, *, now: float = NOW) -> float:
    """Fal served well for a while, and has failed time and again since, until its breaker opened; when that is."""
    only_fal = RouteWishes(only=frozenset({"fal"}))
    for number in range(10):
        street.served(now=now + number - 120, seconds=9.0, wishes=only_fal)
    while street.board.breaker(FAL).state(now=now) is BreakerState.CLOSED:
        street.served(now=now, seconds=0.5, fault=Fault.OVERLOADED, wishes=only_fal)
        now += 1
    return now


def known(street: Street, *, now: float) -> Health:
    return street.health("fal", now=now)


# Each of these says nothing about how well the offer works.
IDLE = [
    {"fault": Fault.CONTENT_REFUSED},
    {"fault": Fault.INVALID_REQUEST},
    {"fault": Fault.ABANDONED},
    {"fault": Fault.OWN_FAULT},
    {"fault": Fault.TIMED_OUT, "deadline_hit": True},
    {"fault": Fault.ABANDONED, "deadline_hit": True},
]


@settings(max_examples=30, deadline=None)
@given(ends=st.lists(st.sampled_from(IDLE), min_size=1, max_size=40), warm=st.integers(0, 5))
def test_refusals_bad_requests_hang_ups_and_the_callers_deadline_never_count_against_a_provider(
    ends: list[dict[str, object]], warm: int
) -> None:
    street, beside = Street(ONE), Street(ONE)
    for each in (street, beside):
        for number in range(warm):
            each.served(now=NOW + number, seconds=9.0)
    for number, end in enumerate(ends):
        street.served(now=NOW + 20 + number, seconds=1.0, **end)  # type: ignore[arg-type]
    now = NOW + 20 + len(ends) + 5
    with_them, without = known(street, now=now).estimate, known(beside, now=now).estimate
    assert with_them is not None
    assert without is not None
    assert replace(with_them, refusal_share=0.0) == replace(without, refusal_share=0.0)
    refusals = sum(end["fault"] is Fault.CONTENT_REFUSED for end in ends)
    assert (with_them.refusal_share > 0.0) is (refusals > 0)
    assert street.board.breaker(FAL) == beside.board.breaker(FAL)
    assert street.board.breaker(FAL).score == 0.0
    assert known(street, now=now).state(now=now) is HealthState.SERVING


def test_failures_in_a_row_open_the_breaker_and_a_good_try_closes_it() -> None:
    street = Street(ONE)
    now = opened(street)
    failing = known(street, now=now)
    assert failing.state(now=now) is HealthState.OPEN
    later = failing.breaker.open_until
    half_open = known(street, now=later)
    assert half_open.state(now=later) is HealthState.HALF_OPEN
    street.served(now=later, seconds=9.0)
    back = known(street, now=later + 10)
    assert back.state(now=later + 10) is HealthState.SERVING
    assert back.estimate is not None
    assert failing.estimate is not None
    assert back.estimate.success > failing.estimate.success + 0.1


def test_while_one_request_tries_a_half_open_offer_out_no_other_does() -> None:
    street = Street(ONE)
    opened(street)
    now = street.board.breaker(FAL).open_until
    passage = street.passage(now=now)
    step = passage.next(now=now)
    assert isinstance(step, Try)
    assert step.candidate.probe
    ticket = passage.began(step, now=now)
    assert known(street, now=now + 1).state(now=now + 1) is HealthState.OPEN
    ended(passage, ticket, seconds=2.0, fault=Fault.ABANDONED)
    assert known(street, now=now + 2).state(now=now + 2) is HealthState.HALF_OPEN


def test_rate_limits_block_for_the_stated_wait_and_never_open_the_breaker() -> None:
    street = Street(ONE)
    now = NOW
    for _ in range(10):
        street.served(now=now, seconds=0.2, fault=Fault.RATE_LIMITED, retry_after=30.0)
        blocked = known(street, now=now + 1)
        assert blocked.blocked_until == pytest.approx(now + 0.2 + 30.0)
        assert blocked.state(now=now + 1) is HealthState.BLOCKED
        now = blocked.blocked_until
    assert street.board.breaker(FAL).state(now=now) is BreakerState.CLOSED
    assert known(street, now=now).estimate == known(Street(ONE), now=now).estimate


@pytest.mark.parametrize("parameter", ["resolution", "size"])
def test_what_a_vendor_said_it_cannot_do_holds_for_that_resolution_alone(parameter: str) -> None:
    street = Street(ONE)
    street.served(now=NOW, fault=Fault.UNSUPPORTED, seconds=1.0, parameter=parameter)
    assert known(street, now=NOW + 2).unsupported_until == NOW + 1 + POLICY.statistics.unsupported_s
    at_4k = street.board.healths(street.offers, Operation.GENERATE, Resolution.R4K, now=NOW + 2)
    assert at_4k[FAL].unsupported_until == 0.0


@pytest.mark.parametrize("parameter", [None, "prompt", "aspect_ratio", "seed"])
def test_what_a_vendor_cannot_do_for_one_request_closes_the_resolution_to_nobody_else(parameter: str | None) -> None:
    street = Street(ONE)
    for second in range(5):
        street.served(now=NOW + second, fault=Fault.UNSUPPORTED, seconds=0.5, parameter=parameter)
    assert known(street, now=NOW + 6).unsupported_until == 0.0
    assert street.served(now=NOW + 6) == "fal"


def test_a_delivery_proves_that_the_resolution_can_be_had() -> None:
    street = Street(ONE)
    passage, other = street.passage(now=NOW), street.passage(now=NOW)
    step, late = passage.next(now=NOW), other.next(now=NOW)
    assert isinstance(late, Try)
    ticket = other.began(late, now=NOW)
    carried_out(passage, step, now=NOW, fault=Fault.UNSUPPORTED, parameter="size")
    assert known(street, now=NOW + 2).unsupported_until > NOW
    ended(other, ticket, seconds=9.0)
    assert known(street, now=NOW + 9).unsupported_until == 0.0


def test_figures_are_kept_by_operation_and_resolution() -> None:
    street = Street(ONE)
    for number in range(30):
        street.served(now=NOW + number * 40, seconds=40.0)
    now = NOW + 1300
    at_1k = known(street, now=now).estimate
    other = street.board.healths(street.offers, Operation.EDIT, Resolution.R1K, now=now)[FAL].estimate
    assert at_1k is not None
    assert other is not None
    assert at_1k.median_s > 30
    assert other.samples == 0
    assert other.median_s == pytest.approx(POLICY.priors.seconds)


def test_a_cap_bounds_the_requests_at_once_and_is_shared_by_replicas() -> None:
    street = Street(ONE, replace(POLICY, caps={"fal": 4}))
    running = []
    for _ in range(2):
        passage = street.passage(now=NOW)
        step = passage.next(now=NOW)
        assert isinstance(step, Try)
        running.append((passage, passage.began(step, now=NOW)))
    assert known(street, now=NOW).state(now=NOW) is HealthState.SERVING
    street.board.replicas = 2
    assert known(street, now=NOW).state(now=NOW) is HealthState.FULL
    ended(*running[0], seconds=5.0)
    assert known(street, now=NOW + 5).state(now=NOW + 5) is HealthState.SERVING


def test_an_offer_that_is_out_is_probed_by_one_request() -> None:
    street = Street(TWO)
    street.served(now=NOW, seconds=0.5, fault=Fault.CREDENTIALS)
    due = known(street, now=NOW).next_probe_at
    assert known(street, now=due - 1).state(now=due - 1) is HealthState.OUT
    passage = street.passage(now=due)
    step = passage.next(now=due)
    assert isinstance(step, Try)
    assert (step.candidate.offer.key, step.candidate.probe) == (FAL, True)
    passage.began(step, now=due)
    assert known(street, now=due + 1).state(now=due + 1) is HealthState.OUT


def test_families_learn_from_what_follows_a_failure() -> None:
    street = Street({"gemini": "0.05", "vertex": "0.06", "fal": "0.2"})
    pair = ("gemini", "vertex")
    assert street.board.kin[pair] == pytest.approx(POLICY.statistics.family_success)
    assert ("gemini", "fal") not in street.board.kin
    passage = street.passage(now=NOW)
    for now in (NOW, NOW + 1):
        step = passage.next(now=now)
        assert isinstance(step, Try)
        ended(passage, passage.began(step, now=now), fault=Fault.UNREACHABLE)
    assert [attempt.offer.provider for attempt in passage.attempts] == ["gemini", "vertex"]
    assert street.board.kin[pair] < POLICY.statistics.family_success


SAYS_NOTHING = [
    Fault.ABANDONED, Fault.CONTENT_REFUSED, Fault.RATE_LIMITED, Fault.OWN_FAULT, Fault.UNSUPPORTED,
    Fault.INVALID_REQUEST,
]  # fmt: skip


def kin_after(first: Fault, second: Fault | None, *, times: int = 50, deadline_hit: bool = False) -> float:
    """How far vertex is believed after a failure of gemini, once it was tried so often after one and ended so."""
    street = Street({"gemini": "0.05", "vertex": "0.06"})
    candidate = street.passage(now=NOW).plan.candidates[1]
    assert candidate.offer.provider == "vertex"
    for second_of_the_hour in range(times):
        now = NOW + second_of_the_hour
        ticket = street.board.started(candidate, Operation.GENERATE, Resolution.R1K, now=now)
        attempt = failed("vertex", second, started_at=now, deadline_hit=deadline_hit)
        street.board.ended(ticket, attempt, now=now + 1, before=failed("gemini", first))
    return street.board.kin["gemini", "vertex"]


def test_families_learn_from_deliveries_and_failures_alike() -> None:
    assert kin_after(Fault.OVERLOADED, None) > POLICY.statistics.family_success + 0.1
    assert kin_after(Fault.TIMED_OUT, Fault.OVERLOADED) < POLICY.statistics.family_success / 2


@pytest.mark.parametrize("fault", SAYS_NOTHING)
def test_a_try_that_says_nothing_about_its_provider_teaches_nothing_about_the_family(fault: Fault) -> None:
    assert kin_after(Fault.OVERLOADED, fault) == POLICY.statistics.family_success


def test_a_try_that_the_callers_deadline_cut_short_teaches_nothing_about_the_family() -> None:
    cut = kin_after(Fault.OVERLOADED, Fault.TIMED_OUT, deadline_hit=True)
    assert cut == POLICY.statistics.family_success


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.CREDENTIALS, Fault.CONTENT_REFUSED, Fault.BAD_REPLY])
def test_only_what_relatives_may_share_makes_the_next_try_a_lesson(fault: Fault) -> None:
    assert kin_after(fault, None) == POLICY.statistics.family_success


# Other replicas


def pair_of_boards() -> tuple[Street, Street, list[Event]]:
    street, other, told = Street(ONE), Street(ONE), list[Event]()
    street.board.publish = told.append
    return street, other, told


def test_another_replica_that_takes_in_the_events_knows_what_this_one_knows() -> None:
    street, other, told = pair_of_boards()
    for number in range(6):
        street.served(now=NOW + 10 * number, seconds=8.0 + number)
    street.served(now=NOW + 65, fault=Fault.CONTENT_REFUSED)
    opened(street, now=NOW + 70)
    for event in told:
        other.board.fold(event, now=NOW + 81)
    mine, theirs = known(street, now=NOW + 90), known(other, now=NOW + 90)
    assert mine.estimate == theirs.estimate
    assert mine.breaker == theirs.breaker
    assert theirs.state(now=NOW + 75) is HealthState.OPEN


@pytest.mark.parametrize(
    ("fault", "state"), [(Fault.RATE_LIMITED, HealthState.BLOCKED), (Fault.CREDENTIALS, HealthState.OUT)]
)
def test_a_block_and_an_outage_are_told_to_others(fault: Fault, state: HealthState) -> None:
    street, other, told = pair_of_boards()
    street.served(now=NOW, seconds=1.0, fault=fault, retry_after=10.0)
    assert any(isinstance(event, Notice) for event in told)
    for event in told:
        other.board.fold(event, now=NOW + 2)
    assert known(other, now=NOW + 2).state(now=NOW + 2) is state


def test_news_of_offers_nobody_here_has_are_passed_over() -> None:
    board = Street(ONE).board
    stranger = StatKey("else/other", Operation.GENERATE, None)
    board.fold(Outcome(stranger, OutcomeKind.FAILED, NOW, 1.0), now=NOW)
    board.fold(Notice("else/other", NOW, Health(), board.breaker(FAL)), now=NOW)
    assert list(board.statistics.keys()) == []


def test_with_other_replicas_a_half_open_offer_is_tried_out_only_by_the_one_that_has_the_lease() -> None:
    street = Street(ONE)
    street.board.replicas = 2
    opened(street)
    now = street.board.breaker(FAL).open_until
    assert known(street, now=now).state(now=now) is HealthState.OPEN
    assert FAL in street.board.wanted_leases(now=now)
    street.board.granted(FAL, now + 60)
    assert known(street, now=now + 1).state(now=now + 1) is HealthState.HALF_OPEN
    assert known(street, now=now + 61).state(now=now + 61) is HealthState.OPEN


def test_a_replica_that_starts_knows_the_long_run_from_before() -> None:
    slice = Slice()
    for _ in range(50):
        slice.add(Entry(Outcome(AT_1K, OutcomeKind.DELIVERED, NOW - 4000, 30.0)))
    start = int(NOW - 7200) // 3600 * 3600
    recent = Outcome(AT_1K, OutcomeKind.DELIVERED, NOW - 5, 28.0)
    board = Board(offers_of(["fal"]), POLICY)
    board.seed(Loaded(events=(recent,), slices=((AT_1K, "1h", start, slice),)), now=NOW)
    figures = board.healths(offers_of(["fal"]), Operation.GENERATE, Resolution.R1K, now=NOW)[FAL].estimate
    assert figures is not None
    assert figures.samples == 51
    assert figures.long_run_median_s == pytest.approx(30.0, rel=0.1)


def test_a_replica_that_starts_after_an_outage_finds_the_offer_in_service() -> None:
    street, _, told = pair_of_boards()
    later = opened(street) + 20
    street.served(now=later, seconds=9.0)
    assert street.board.breaker(FAL).state(now=later + 9) is BreakerState.CLOSED
    starting = Street(ONE)
    starting.board.seed(Loaded(events=tuple(told)), now=NOW + 600)
    assert known(starting, now=NOW + 600).state(now=NOW + 600) is HealthState.SERVING
    assert starting.board.breaker(FAL) == street.board.breaker(FAL)


def test_a_ticket_is_what_the_board_knew_when_the_try_began() -> None:
    street = Street(ONE)
    passage = street.passage(now=NOW)
    step = passage.next(now=NOW)
    assert isinstance(step, Try)
    ticket = passage.began(step, now=NOW)
    assert isinstance(ticket, Ticket)
    assert (ticket.key, ticket.provider, ticket.started_at, ticket.trial) == (AT_1K, "fal", NOW, False)
    assert street.board.limit(FAL).in_flight == 1
    ended(passage, ticket)
    assert street.board.limit(FAL).in_flight == 0


def test_a_limit_that_grows_while_it_is_asked_about_is_loaded_as_the_grown_one() -> None:
    street = Street(ONE)
    limit = street.board.limit(FAL)
    limit.limit, limit._met_at, limit._seen_at = 1, NOW, NOW
    passage = street.passage(now=NOW)
    step = passage.next(now=NOW)
    assert isinstance(step, Try)
    ticket = passage.began(step, now=NOW)
    later = NOW + 10 * POLICY.limits.raise_after_s
    assert known(street, now=NOW).load == 1.0
    assert known(street, now=later).load == 0.5
    ended(passage, ticket)


def test_exploring_stays_within_its_share_of_requests() -> None:
    street = Street({"fal": "0.05", "gemini": "0.051"})
    went = [street.served(now=NOW + 5 * number, seconds=12.0) for number in range(400)]
    assert 0 < went.count("gemini") <= POLICY.exploration.share * 400


@pytest.mark.parametrize(("fault", "from_s"), [(None, 0.0), (Fault.BAD_REPLY, 20.0)])
def test_the_next_probe_is_due_an_interval_after_the_beginning_of_a_good_one_and_the_end_of_a_failed_one(
    fault: Fault | None, from_s: float
) -> None:
    street = Street({"fal": "0.05", "gemini": "0.051"})
    for second in range(100):
        street.served(now=NOW - 200 + second, seconds=12.0, wishes=RouteWishes(only=frozenset({"fal"})))
    passage = street.passage(now=NOW)
    step = passage.next(now=NOW)
    assert isinstance(step, Try)
    assert step.candidate.probe
    carried_out(passage, step, now=NOW, seconds=20.0, fault=fault)
    for _ in range(20):
        street.board.arrived(0.0)
    due_at = NOW + from_s + POLICY.exploration.likely_s
    assert not street.board.exploration.due(GEMINI, now=due_at - 0.1).likely
    assert street.board.exploration.due(GEMINI, now=due_at).likely
