"""Tests of the queue: first come first served for each caller, callers in turn, and one that is full."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from app.admission.queue import Place, Queue, Standing

ANNA, BERT, CARL = 1, 2, 3


def nothing() -> None:
    pass


def joined(queue: Queue, caller: int) -> Place:
    place = queue.join(caller, nothing)
    assert place is not None
    return place


def called(queue: Queue) -> list[int]:
    """The callers whose places are called, until nobody is left."""
    callers = []
    while (place := queue.call()) is not None:
        callers.append(place.caller)
    return callers


def test_the_requests_of_one_caller_are_called_in_the_order_in_which_they_came() -> None:
    queue = Queue(10)
    places = [joined(queue, ANNA) for _ in range(3)]
    assert [queue.call() for _ in range(4)] == [*places, None]
    assert {place.standing for place in places} == {Standing.CALLED}


def test_a_caller_with_one_request_waits_for_one_of_each_other_caller_however_many_they_have() -> None:
    queue = Queue(200)
    for _ in range(100):
        joined(queue, ANNA)
    joined(queue, BERT)
    joined(queue, CARL)
    assert called(queue)[:4] == [ANNA, BERT, CARL, ANNA]


def test_a_full_queue_takes_no_more_of_the_caller_who_filled_it() -> None:
    queue = Queue(2)
    joined(queue, ANNA)
    joined(queue, ANNA)
    assert queue.join(ANNA, nothing) is None
    assert len(queue) == 2


def test_a_full_queue_takes_a_newcomer_in_place_of_the_newest_of_whoever_has_most() -> None:
    queue = Queue(3)
    woken = []
    first = joined(queue, ANNA)
    joined(queue, ANNA)
    newest = queue.join(ANNA, lambda: woken.append("newest"))
    assert joined(queue, BERT).standing is Standing.WAITING
    assert newest is not None
    assert newest.standing is Standing.DROPPED
    assert woken == ["newest"]
    assert first.standing is Standing.WAITING
    assert len(queue) == 3


def test_a_newcomer_who_would_have_as_many_places_as_anybody_takes_nobodys() -> None:
    queue = Queue(2)
    joined(queue, ANNA)
    joined(queue, BERT)
    assert queue.join(CARL, nothing) is None


def test_in_a_queue_without_places_nobody_waits() -> None:
    assert Queue(0).join(ANNA, nothing) is None


def test_whoever_leaves_is_not_called_and_leaving_twice_is_leaving_once() -> None:
    queue = Queue(10)
    first, second = joined(queue, ANNA), joined(queue, ANNA)
    for _ in range(2):
        queue.leave(first)
    assert first.standing is Standing.LEFT
    assert len(queue) == 1
    assert queue.call() is second
    queue.leave(second)
    assert second.standing is Standing.CALLED
    assert len(queue) == 0


def test_a_caller_held_back_is_passed_over_and_keeps_its_places() -> None:
    queue = Queue(10)
    joined(queue, ANNA)
    joined(queue, BERT)
    queue.hold_back(ANNA)
    assert called(queue) == [BERT]
    joined(queue, ANNA)
    assert not queue.anybody
    queue.let_on(ANNA)
    assert called(queue) == [ANNA, ANNA]


def test_letting_on_one_that_does_not_wait_calls_nobody() -> None:
    queue = Queue(10)
    queue.hold_back(ANNA)
    queue.let_on(ANNA)
    assert not queue.anybody
    assert queue.call() is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(0, 4)),
        st.tuples(st.just("leave"), st.integers(0, 200)),
        st.tuples(st.just("call"), st.just(0)),
        st.tuples(st.just("hold back"), st.integers(0, 4)),
        st.tuples(st.just("let on"), st.integers(0, 4)),
    ),
    max_size=120,
)


@given(steps=STEPS, most=st.integers(0, 12))
def test_whatever_happens_places_are_counted_and_turns_are_kept(steps: list[tuple[str, int]], most: int) -> None:
    queue = Queue(most)
    ever: list[Place] = []
    held_back: set[int] = set()
    since_called: dict[int, int] = {}
    for what, which in steps:
        if what == "join":
            place = queue.join(which, nothing)
            ever += [] if place is None else [place]
        elif what == "leave" and ever:
            queue.leave(ever[which % len(ever)])
        elif what == "hold back":
            queue.hold_back(which)
            held_back.add(which)
        elif what == "let on":
            queue.let_on(which)
            held_back.discard(which)
        elif what == "call":
            may_be = {place.caller for place in ever if place.standing is Standing.WAITING} - held_back
            oldest = {
                caller: next(p for p in ever if p.caller == caller and p.standing is Standing.WAITING)
                for caller in may_be
            }
            place = queue.call()
            assert (place is None) == (not may_be)
            if place is not None:
                assert place is oldest[place.caller]
                # Nobody is passed over more often than there are other callers.
                for caller in may_be - {place.caller}:
                    since_called[caller] = since_called.get(caller, 0) + 1
                    assert since_called[caller] <= 5
                since_called.pop(place.caller, None)
        waiting = [place for place in ever if place.standing is Standing.WAITING]
        in_turn = {place.caller for place in waiting} - held_back
        since_called = {caller: times for caller, times in since_called.items() if caller in in_turn}
        assert len(queue) == len(waiting) <= most
        assert queue.anybody == any(place.caller not in held_back for place in waiting)


@given(backlog=st.integers(1, 60), others=st.integers(1, 6), places=st.integers(8, 20))
def test_one_caller_cannot_keep_others_out_of_a_full_queue(backlog: int, others: int, places: int) -> None:
    queue = Queue(places)
    greedy = deque(queue.join(0, nothing) for _ in range(backlog + places))
    for caller in range(1, others + 1):
        assert queue.join(caller, nothing) is not None
    served = Counter(called(queue)[: others + 1])
    assert all(served[caller] == 1 for caller in range(others + 1))
    assert greedy[0] is not None
