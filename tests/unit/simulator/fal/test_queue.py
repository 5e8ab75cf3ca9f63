"""fal's queue: starts, ends, limits and cancels, by the clock alone."""

from __future__ import annotations

from simulator.books import Account, Operation
from simulator.dice import Dice
from simulator.fal.queue import Job, Queue
from simulator.vendors import Tier, Vendor
from simulator.world import Turn

ACCOUNT = Account(Vendor.FAL, "fal-ai/nano-banana-2", Tier.ONE, Operation.GENERATE)


def job(name: str, ready: float, working: float, start_by: float | None = None) -> Job:
    turn = Turn(Dice(1, Vendor.FAL, 1), None, 0.0, working)
    return Job(name, "a/b", "a/b", turn, ACCOUNT, None, None, ready, working, start_by)


def test_a_job_waits_runs_and_ends_at_its_times() -> None:
    ended: list[str] = []
    queue = Queue(lambda: None, lambda done: ended.append(done.id))
    one = job("one", ready=1.0, working=2.0)
    queue.submit(one, 0.0)
    queue.advance(0.9)
    assert queue.waiting() == 1
    queue.advance(2.9)
    started, ended_at = one.started, one.ended
    assert started == 1.0
    assert ended_at is None
    queue.advance(10.0)
    assert one.ended == 3.0
    assert ended == ["one"]


def test_beyond_the_limit_jobs_wait_for_a_place_in_their_order() -> None:
    queue = Queue(lambda: 1, lambda done: None)
    jobs = [job(name, ready=0.0, working=2.0) for name in ("one", "two", "three")]
    for each in jobs:
        queue.submit(each, 0.0)
    assert queue.ahead(jobs[2]) == 1, "the first has started"
    queue.advance(100.0)
    assert [(each.started, each.ended) for each in jobs] == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]


def test_a_cancelled_job_makes_room_and_is_not_told_as_ended() -> None:
    ended: list[str] = []
    queue = Queue(lambda: 1, lambda done: ended.append(done.id))
    one, two = job("one", 0.0, 50.0), job("two", 0.0, 2.0)
    queue.submit(one, 0.0)
    queue.submit(two, 0.0)
    assert queue.cancel(one, 5.0)
    queue.advance(20.0)
    assert (two.started, two.ended) == (5.0, 7.0)
    assert ended == ["two"]
    assert not queue.cancel(two, 21.0)


def test_a_job_that_cannot_start_in_time_fails_as_the_callers_timeout() -> None:
    queue = Queue(lambda: 1, lambda done: None)
    queue.submit(job("one", 0.0, 50.0), 0.0)
    late = job("late", 0.0, 1.0, start_by=3.0)
    queue.submit(late, 0.0)
    queue.advance(10.0)
    assert late.ended == 3.0
    assert late.failure is not None
    assert (late.failure.status, late.failure.headers["x-fal-request-timeout-type"]) == (504, "user")
