"""The engine: luck, slots, bills, limits and deadlines in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.routing.engine import Engine, Record
from benchmarks.routing.router import GiveUp, Hedge, Step, Try, Wait
from benchmarks.routing.truth import RATE_LIMITED_S, FailureMix
from benchmarks.routing.world import World
from providers.spec.errors import Fault
from tests.unit.benchmarks.routing.small import Scripted, truth, world

HANGS = FailureMix(rate_limited=0.0, overloaded=0.0, empty=0.0, hang=1.0)


def run(where: World, *script: Step, watches: bool = False) -> tuple[list[Record], Scripted]:
    router = Scripted(script, watches=watches)
    return Engine(where, lambda _world, _yard: router).run(), router


def test_every_request_is_closed_once_and_answered_after_it_arrived() -> None:
    records, router = run(world({"a": truth(0.5)}), Try("a", 60.0))
    assert len(records) > 200
    assert [session.closings for session in router.sessions] == [1] * len(records)
    assert all(record.seconds > 0.0 for record in records)


def test_the_same_try_meets_the_same_luck_whatever_was_tried_before() -> None:
    where = world({"a": truth(0.0), "b": truth(0.7)})
    straight, _ = run(where, Try("b", 300.0), GiveUp())
    detour, _ = run(where, Try("a", 5.0), Try("b", 280.0), GiveUp())
    delivered = [record.fault is None for record in straight]
    assert 0.6 < sum(delivered) / len(delivered) < 0.8
    assert [record.fault is None for record in detour] == delivered


def test_a_second_try_at_the_same_provider_has_luck_of_its_own() -> None:
    records, _ = run(world({"a": truth(0.5)}), Try("a", 100.0), Try("a", 100.0), GiveUp())
    success = sum(record.fault is None for record in records) / len(records)
    assert success == pytest.approx(0.75, abs=0.08)


def test_a_full_provider_answers_429_with_its_stated_wait() -> None:
    full = truth(capacity=1, median_s=100.0, retry_after_s=7.0)
    records, router = run(world({"a": full}, rate=1.0, duration_s=60.0), Try("a", 300.0), GiveUp())
    heard = [session.heard[0] for session in router.sessions]
    assert heard[0].fault is None
    refused = [each for each in heard if each.fault is Fault.RATE_LIMITED]
    assert len(refused) > 20
    assert {each.retry_after_s for each in refused} == {7.0}
    assert all(each.seconds == pytest.approx(RATE_LIMITED_S) for each in refused)
    running = [each for each in heard if each.fault is None]
    assert all(after.started >= before.ended for before, after in pairwise(running))
    assert sum(record.money for record in records) == pytest.approx(0.05 * len(running))


def test_a_try_that_is_given_up_is_billed_and_keeps_its_slot() -> None:
    slow = truth(capacity=1, median_s=50.0, sigma=0.01)
    records, router = run(world({"a": slow}, rate=0.5, duration_s=40.0), Try("a", 2.0), GiveUp())
    first = router.sessions[0].heard[0]
    assert first.fault is Fault.TIMED_OUT
    assert (first.seconds, records[0].money) == pytest.approx((2.0, 0.05))
    assert {session.heard[0].fault for session in router.sessions[1:]} == {Fault.RATE_LIMITED}


def test_a_hang_that_is_given_up_costs_nothing() -> None:
    records, _ = run(world({"a": truth(0.0, failures=HANGS)}), Try("a", 9.0), GiveUp())
    assert {(record.fault, record.money) for record in records} == {(Fault.OVERLOADED, 0.0)}
    assert all(record.seconds == pytest.approx(9.0) for record in records)


def test_the_deadline_ends_a_try_and_says_that_it_was_the_deadline() -> None:
    hanging = truth(0.0, failures=HANGS)
    records, router = run(world({"a": hanging}, deadline_s=20.0), Try("a", 15.0), Try("a", 60.0))
    assert all(record.failed and record.seconds == pytest.approx(20.0) for record in records)
    first, second = router.sessions[0].heard
    assert (first.deadline_hit, second.deadline_hit) == (False, True)
    assert (first.seconds, second.seconds) == pytest.approx((15.0, 5.0))


def test_a_request_that_waits_for_ever_is_closed_at_its_deadline() -> None:
    records, _ = run(world({"a": truth()}, deadline_s=30.0, duration_s=60.0), Wait(1e9))
    assert all(record.failed and record.seconds == pytest.approx(30.0) for record in records)


def test_a_refused_prompt_is_refused_by_every_provider_and_is_no_failure() -> None:
    where = world({"a": truth(), "b": truth()}, refusals=0.3)
    at_a, _ = run(where, Try("a", 100.0))
    at_b, _ = run(where, Try("b", 100.0))
    refused = [record.fault is Fault.CONTENT_REFUSED for record in at_a]
    assert 0.2 < sum(refused) / len(refused) < 0.4
    assert [record.fault is Fault.CONTENT_REFUSED for record in at_b] == refused
    assert all(not record.failed and (record.money == 0.0) == was for record, was in zip(at_a, refused, strict=True))


def test_the_first_of_two_tries_wins_and_both_are_billed() -> None:
    where = world({"slow": truth(median_s=60.0, sigma=0.01), "fast": truth(median_s=5.0, sigma=0.01)})
    records, router = run(where, Try("slow", 200.0), Hedge("fast", 100.0), Wait(1e9), watches=True)
    assert all(record.seconds < 6.0 and record.hedges == 1 for record in records)
    assert all(record.money == pytest.approx(0.10) for record in records)
    assert {(each.provider, each.fault) for each in router.sessions[0].heard} == {
        ("slow", Fault.ABANDONED),
        ("fast", None),
    }


def test_waking_a_request_asks_it_again_at_the_same_moment() -> None:
    class Waking(Scripted):
        def arrive(self, request, now, wake):  # type: ignore[no-untyped-def]
            for earlier in self.sessions:
                earlier.wake()
            return super().arrive(request, now, wake)

    router = Waking([Wait(1e9), Try("a", 100.0)])
    where = world({"a": truth()}, duration_s=60.0)
    records = Engine(where, lambda _world, _yard: router).run()
    assert router.sessions[0].asked[:2] == [where.requests()[0].arrived, where.requests()[1].arrived]
    assert [record.failed for record in records[:-1]] == [False] * (len(records) - 1)
    assert records[-1].failed


def test_a_router_that_goes_in_circles_is_found_out() -> None:
    with pytest.raises(RuntimeError, match="steps"):
        run(world({"a": truth(0.0)}, deadline_s=1e9), Try("a", 0.0))
