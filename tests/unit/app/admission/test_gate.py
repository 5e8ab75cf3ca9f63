"""Tests of the gate: who gets in, who waits, and that no way out loses a place inside."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.admission.gate import Gate
from app.admission.queue import Place, Queue, Standing

ANNA, BERT = 1, 2


class Doorkeeper:
    """Says whether anybody may enter at all."""

    def __init__(self) -> None:
        self.opens = True

    def admits(self) -> bool:
        return self.opens


def gate_of(most: int, *, per_caller: int | None = None, keeper: Doorkeeper | None = None, queue: int = 100) -> Gate:
    return Gate(most=most, per_caller=per_caller, queue=Queue(queue), admits=(keeper or Doorkeeper()).admits)


def joined(gate: Gate, caller: int, woken: list[int] | None = None) -> Place:
    place = gate.join(caller, lambda: None if woken is None else woken.append(caller))
    assert place is not None
    return place


def test_as_many_get_in_as_there_is_room_for() -> None:
    gate = gate_of(2)
    assert [gate.enter(ANNA) for _ in range(3)] == [True, True, False]
    assert gate.in_flight == 2


def test_whoever_leaves_lets_the_next_in_before_any_newcomer() -> None:
    gate = gate_of(1)
    assert gate.enter(ANNA)
    woken: list[int] = []
    waits = joined(gate, BERT, woken)
    gate.leave(ANNA)
    assert woken == [BERT]
    assert waits.standing is Standing.CALLED
    assert gate.in_flight == 1
    assert not gate.enter(ANNA)


def test_a_caller_at_its_limit_waits_and_keeps_nobody_else_out() -> None:
    gate = gate_of(10, per_caller=1)
    assert gate.enter(ANNA)
    assert gate.at_limit(ANNA)
    assert not gate.enter(ANNA)
    woken: list[int] = []
    joined(gate, ANNA, woken)
    assert gate.enter(BERT)
    assert woken == []
    gate.leave(BERT)
    assert woken == []
    gate.leave(ANNA)
    assert woken == [ANNA]


def test_while_nobody_is_admitted_all_wait_and_are_let_in_when_told() -> None:
    keeper = Doorkeeper()
    gate = gate_of(10, keeper=keeper)
    keeper.opens = False
    assert not gate.enter(ANNA)
    woken: list[int] = []
    joined(gate, ANNA, woken)
    joined(gate, BERT, woken)
    gate.call()
    assert woken == []
    keeper.opens = True
    gate.call()
    assert woken == [ANNA, BERT]
    assert gate.in_flight == 2


def test_a_place_that_was_called_is_inside_whatever_is_withdrawn_later() -> None:
    gate = gate_of(1)
    assert gate.enter(ANNA)
    place = joined(gate, BERT)
    gate.leave(ANNA)
    gate.withdraw(place)
    assert gate.in_flight == 1
    gate.leave(BERT)
    assert gate.in_flight == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "give up", "open", "close"]), st.integers(0, 50)), max_size=150
)


@given(steps=STEPS, most=st.integers(1, 6), per_caller=st.none() | st.integers(1, 4), places=st.integers(0, 8))
def test_limits_hold_nobody_waits_without_need_and_all_ends_at_nothing(
    steps: list[tuple[str, int]], most: int, per_caller: int | None, places: int
) -> None:
    keeper = Doorkeeper()
    gate = gate_of(most, per_caller=per_caller, keeper=keeper, queue=places)
    inside: list[int] = []
    waiting: list[Place] = []

    def tidy() -> None:
        inside.extend(place.caller for place in waiting if place.standing is Standing.CALLED)
        waiting[:] = [place for place in waiting if place.standing is Standing.WAITING]

    for what, which in steps:
        if what == "come":
            caller = which % 4
            if gate.enter(caller):
                inside.append(caller)
            elif (place := gate.join(caller, lambda: None)) is not None:
                waiting.append(place)
        elif what == "leave" and inside:
            gate.leave(inside.pop(which % len(inside)))
        elif what == "give up" and waiting:
            gate.withdraw(waiting[which % len(waiting)])
        elif what in ("open", "close"):
            keeper.opens = what == "open"
            gate.call()
        tidy()
        assert gate.in_flight == len(inside) <= most
        assert gate.waiting == len(waiting) <= places
        counted = Counter(inside)
        assert per_caller is None or max(counted.values(), default=0) <= per_caller
        if keeper.opens and len(inside) < most:
            assert all(per_caller is not None and counted[place.caller] >= per_caller for place in waiting)
    keeper.opens = True
    gate.call()
    tidy()
    while inside:
        gate.leave(inside.pop())
        tidy()
    assert (gate.in_flight, gate.waiting, waiting) == (0, 0, [])
