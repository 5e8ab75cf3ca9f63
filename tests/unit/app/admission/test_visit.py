"""Tests of visits: one request's way through admission, and that every way out gives everything back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest

from app.admission.budget import Phase
from app.admission.limits import AdmissionLimits
from app.admission.visit import FREE_BYTES, LONGEST_RETRY_S, Admission, NotAdmittedError, Reason, Visit

ANNA, BERT = 1, 2
KIB = 1024
LONG_S = 60.0


class Instruments:
    """What was measured."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.reasons: list[Reason] = []

    def queued(self, seconds: float, outcome: str) -> None:
        assert seconds >= 0
        self.outcomes.append(outcome)

    def not_admitted(self, reason: Reason) -> None:
        self.reasons.append(reason)


class Clock:
    """Seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admission_of(instruments: Instruments | None = None, clock: Clock | None = None, **limits: Any) -> Admission:
    of = {"max_in_flight": 1, "queue_limit": 10, "queue_s": LONG_S, "body_budget": 1024 * KIB, **limits}
    return Admission(AdmissionLimits(**of), instruments, clock=clock or Clock(), draw=lambda: 0.0)


def entered(admission: Admission, caller: int = ANNA) -> Visit:
    visit = admission.visit()
    assert visit.enter(caller)
    return visit


def empty(admission: Admission) -> bool:
    """Whether nothing is left inside."""
    counts = [admission.gate.in_flight, admission.gate.waiting, admission.budget.waiting]
    return counts + [admission.budget.held(phase) for phase in Phase] == [0] * 6


async def refused(waiting: Awaitable[float]) -> NotAdmittedError:
    with pytest.raises(NotAdmittedError) as caught:
        await waiting
    return caught.value


async def begun(work: Coroutine[Any, Any, float]) -> asyncio.Task[float]:
    """The work as a task that has come as far as it can by itself."""
    task = asyncio.create_task(work)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def queued(admission: Admission, caller: int = BERT) -> tuple[Visit, asyncio.Task[float]]:
    """A visit that waits in the queue, and its waiting."""
    visit = admission.visit()
    assert not visit.enter(caller)
    return visit, await begun(visit.wait(caller, LONG_S))


def test_where_there_is_room_nobody_waits() -> None:
    admission = admission_of(max_in_flight=2)
    first, second = entered(admission), entered(admission)
    assert not admission.visit().enter(ANNA)
    for visit in (first, second):
        visit.close()
    assert empty(admission)


async def test_an_answer_being_read_takes_nobodys_place_and_holds_its_bytes() -> None:
    admission = admission_of()
    reading = entered(admission)
    reading.took(100)
    next_one, waiting = await queued(admission)
    reading.answered()
    await waiting
    assert admission.gate.in_flight == 1
    assert admission.budget.held(Phase.ANSWERING) == 100
    for visit in (reading, next_one):
        visit.close()
        visit.close()
    assert empty(admission)


async def test_who_waits_is_admitted_in_turn_and_told_how_long_it_took() -> None:
    instruments, clock = Instruments(), Clock()
    admission = admission_of(instruments, clock)
    first = entered(admission)
    second, waiting = await queued(admission)
    clock.now += 3
    first.close()
    assert await waiting == 3
    assert instruments.outcomes == ["admitted"]
    second.close()
    assert empty(admission)


async def test_past_the_queue_a_request_is_refused_at_once() -> None:
    instruments = Instruments()
    admission = admission_of(instruments, queue_limit=1)
    first = entered(admission)
    second, waiting = await queued(admission, ANNA)
    third = admission.visit()
    assert (await refused(third.wait(ANNA, LONG_S))).reason is Reason.QUEUE_FULL
    for visit in (third, second, first):
        visit.close()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert instruments.reasons == [Reason.QUEUE_FULL]
    assert empty(admission)


async def test_the_newest_of_a_caller_with_many_makes_room_for_another_caller() -> None:
    admission = admission_of(queue_limit=2)
    first = entered(admission)
    second, second_waits = await queued(admission, ANNA)
    third, third_waits = await queued(admission, ANNA)
    fourth, fourth_waits = await queued(admission, BERT)
    assert (await refused(third_waits)).reason is Reason.QUEUE_FULL
    third.close()
    first.close()
    await second_waits
    second.close()
    await fourth_waits
    fourth.close()
    assert empty(admission)


@pytest.mark.parametrize(("queue_s", "limit_s"), [(0.0, LONG_S), (0.01, LONG_S), (LONG_S, 0.01)])
async def test_at_its_deadline_a_request_leaves_the_queue(queue_s: float, limit_s: float) -> None:
    instruments = Instruments()
    admission = admission_of(instruments, queue_s=queue_s)
    first, second = entered(admission), admission.visit()
    assert (await refused(second.wait(BERT, limit_s))).reason is Reason.QUEUE_TIME
    second.close()
    assert admission.gate.waiting == 0
    assert instruments.outcomes == ["refused"]
    first.close()
    assert empty(admission)


async def test_a_caller_at_its_own_limit_is_told_so_and_others_are_admitted() -> None:
    admission = admission_of(max_in_flight=10, max_in_flight_per_key=1, queue_s=0.0)
    first, second = entered(admission, ANNA), admission.visit()
    assert not second.enter(ANNA)
    assert (await refused(second.wait(ANNA, LONG_S))).reason is Reason.KEY_LIMIT
    other = entered(admission, BERT)
    for visit in (first, second, other):
        visit.close()
    assert empty(admission)


async def test_a_caller_that_hangs_up_in_the_queue_leaves_it() -> None:
    instruments = Instruments()
    admission = admission_of(instruments)
    first = entered(admission)
    second, waiting = await queued(admission)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert admission.gate.waiting == 0
    assert instruments.outcomes == ["left"]
    second.close()
    first.close()
    assert empty(admission)


async def test_one_that_hangs_up_in_the_moment_it_is_called_gives_its_place_on() -> None:
    admission = admission_of()
    first = entered(admission)
    second, waiting = await queued(admission)
    first.close()  # calls the second
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert admission.gate.in_flight == 1
    second.close()
    assert empty(admission)


async def test_while_paid_replies_hold_everything_requests_queue_and_go_on_as_answers_are_read() -> None:
    admission = admission_of(max_in_flight=10)
    paid = entered(admission)
    paid.took(5000 * KIB)
    late = admission.visit()
    assert not late.enter(BERT)
    assert (await refused(late.wait(BERT, 0.01))).reason is Reason.BODY_BUDGET
    late.close()
    second, waiting = await queued(admission)
    paid.answered()
    await waiting
    for visit in (paid, second):
        visit.close()
    assert empty(admission)


async def test_a_reply_that_was_dropped_lets_the_next_in() -> None:
    admission = admission_of(max_in_flight=10)
    paid = entered(admission)
    paid.took(5000 * KIB)
    second, waiting = await queued(admission)
    paid.gave_back(5000 * KIB)
    await waiting
    for visit in (paid, second):
        visit.close()
    assert empty(admission)


async def test_small_bodies_are_read_whatever_the_budget_says_and_large_ones_wait_for_room() -> None:
    admission = admission_of(max_in_flight=10)
    paid, upload = entered(admission), admission.visit()
    paid.took(5000 * KIB)
    upload.took(FREE_BYTES - 1)
    assert upload.may_read()
    upload.took(1)
    assert not upload.may_read()
    waiting = await begun(upload.room())
    paid.close()
    await waiting
    assert upload.may_read()
    upload.close()
    assert empty(admission)


async def test_an_upload_for_which_there_is_no_room_in_time_is_refused() -> None:
    admission = admission_of(max_in_flight=10, queue_s=0.01)
    paid, upload = entered(admission), admission.visit()
    paid.took(5000 * KIB)
    upload.took(FREE_BYTES)
    assert (await refused(upload.room())).reason is Reason.BODY_BUDGET
    for visit in (upload, paid):
        visit.close()
    assert empty(admission)


async def test_uploads_that_would_wait_for_each_other_do_not() -> None:
    admission = admission_of(max_in_flight=10)
    old, young = admission.visit(), admission.visit()
    for upload in (old, young):
        upload.took(512 * KIB)
    waiting = await begun(old.room())
    assert (await refused(young.room())).reason is Reason.BODY_BUDGET
    young.close()
    await waiting
    old.close()
    assert empty(admission)


async def test_time_spent_waiting_for_room_is_missing_in_the_queue() -> None:
    clock = Clock()
    admission = admission_of(clock=clock, queue_s=10.0)
    first, second = entered(admission), admission.visit()
    second.took(2000 * KIB)
    waiting = await begun(second.room())
    await refused(waiting)  # it is alone with what it holds
    clock.now += 11
    assert (await refused(second.wait(BERT, LONG_S))).reason is Reason.QUEUE_TIME
    for visit in (first, second):
        visit.close()
    assert empty(admission)


def test_after_the_end_nothing_is_counted() -> None:
    admission = admission_of()
    visit = entered(admission)
    visit.took(10)
    visit.close()
    visit.took(100)  # a cancel call that outlives the request
    visit.gave_back(100)
    visit.answered()
    assert empty(admission)


def test_a_refusal_says_to_come_back_when_those_ahead_will_have_been_served() -> None:
    clock = Clock()
    admission = admission_of(clock=clock, max_in_flight=4)
    for _ in range(200):
        visit = entered(admission)
        clock.now += 8
        visit.close()
    assert admission.refusal(Reason.QUEUE_FULL).retry_after_s == 2 + 1  # 8 s / 4, and the mean is not quite there yet
    swift = Admission(AdmissionLimits(max_in_flight=100_000), draw=lambda: 0.0)
    assert swift.refusal(Reason.QUEUE_FULL).retry_after_s == 1
    slow = Admission(AdmissionLimits(max_in_flight=1), draw=lambda: 1.0)
    assert slow.refusal(Reason.QUEUE_FULL).retry_after_s == 30
    clock.now += 10_000
    visit = entered(admission)
    clock.now += 100_000
    visit.close()
    assert admission.refusal(Reason.QUEUE_FULL).retry_after_s == LONGEST_RETRY_S


async def test_whatever_ends_a_hundred_visits_at_any_moment_nothing_stays_behind() -> None:
    dice = random.Random(5)
    admission = admission_of(max_in_flight=3, max_in_flight_per_key=2, queue_limit=12, queue_s=0.02)
    outcomes: list[str] = []

    async def one(caller: int) -> None:
        visit = admission.visit()
        try:
            for _ in range(dice.randrange(6)):
                if not visit.may_read():
                    await visit.room()
                visit.took(100 * KIB)
                await asyncio.sleep(0)
            if not visit.enter(caller):
                await visit.wait(caller, LONG_S)
            visit.took(dice.randrange(900) * KIB)
            await asyncio.sleep(dice.random() / 500)
            visit.answered()
            await asyncio.sleep(dice.random() / 500)
            outcomes.append("served")
        except NotAdmittedError as error:
            outcomes.append(error.reason.value)
        finally:
            visit.close()

    visits = [asyncio.create_task(one(dice.randrange(4))) for _ in range(100)]
    for _ in range(15):
        await asyncio.sleep(0.002)
        dice.choice(visits).cancel()
    async with asyncio.timeout(30):
        ended = await asyncio.gather(*visits, return_exceptions=True)
    assert all(each is None or isinstance(each, asyncio.CancelledError) for each in ended), ended
    assert {"served", Reason.QUEUE_FULL.value} <= set(outcomes)
    assert empty(admission)
