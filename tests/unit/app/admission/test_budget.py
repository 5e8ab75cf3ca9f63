"""Tests of the budget: what is counted, who may read on, and that uploads never wait for each other for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admission.budget import PIECE, Budget, Holder, Phase, Room


class Told:
    """What uploads that wait were told, by their number."""

    def __init__(self) -> None:
        self.rooms: list[tuple[int, Room]] = []

    def wait(self, budget: Budget, holder: Holder) -> None:
        budget.wait(holder, lambda room: self.rooms.append((holder.number, room)))


def holding(budget: Budget, number: int, count: int, phase: Phase = Phase.ARRIVING) -> Holder:
    holder = Holder(number)
    budget.moved(holder, phase)
    budget.took(holder, count)
    return holder


def test_bytes_are_counted_by_how_far_their_request_has_come_and_go_with_it() -> None:
    budget = Budget(1000)
    holder = holding(budget, 1, 100)
    budget.took(holder, 50)
    budget.gave_back(holder, 30)
    assert [budget.held(phase) for phase in Phase] == [120, 0, 0]
    budget.moved(holder, Phase.IN_FLIGHT)
    assert [budget.held(phase) for phase in Phase] == [0, 120, 0]
    budget.moved(holder, Phase.ANSWERING)
    assert [budget.held(phase) for phase in Phase] == [0, 0, 120]
    budget.gone(holder)
    assert [budget.held(phase) for phase in Phase] == [0, 0, 0]


def test_an_upload_may_be_read_on_while_there_is_room() -> None:
    budget = Budget(1000)
    upload = holding(budget, 1, 999)
    assert budget.may_read(upload)
    budget.took(upload, 1)
    assert not budget.may_read(upload)


def test_a_reply_is_taken_though_there_is_no_room_and_nobody_is_admitted_until_it_is_gone() -> None:
    budget = Budget(1000)
    paid = holding(budget, 1, 5000, Phase.IN_FLIGHT)
    assert not budget.admits()
    assert not budget.may_read(holding(budget, 2, 1))
    budget.gone(paid)
    assert budget.admits()


def test_uploads_that_fill_the_budget_keep_nobody_from_being_admitted() -> None:
    budget = Budget(1000)
    holding(budget, 1, 1000)
    assert budget.admits()


def test_answers_that_slow_clients_read_count_for_half_of_the_budget_at_most() -> None:
    budget = Budget(1000)
    holding(budget, 1, 900_000, Phase.ANSWERING)
    assert budget.admits()
    assert budget.may_read(holding(budget, 2, 1))
    holding(budget, 3, 500, Phase.IN_FLIGHT)
    assert not budget.admits()


@pytest.mark.parametrize("phase", Phase)
def test_half_full_counts_everything(phase: Phase) -> None:
    budget = Budget(1000)
    holding(budget, 1, 499, phase)
    assert not budget.half_full
    holding(budget, 2, 1, phase)
    assert budget.half_full


def test_room_goes_to_the_oldest_upload_that_waits_and_to_as_many_as_it_is_for() -> None:
    budget, told = Budget(10 * PIECE), Told()
    paid = holding(budget, 1, 10 * PIECE, Phase.IN_FLIGHT)
    uploads = [holding(budget, number, PIECE) for number in (4, 2, 3)]
    for upload in uploads:
        told.wait(budget, upload)
    assert told.rooms == []
    budget.gave_back(paid, 5 * PIECE)  # 8 of 10 are held
    assert told.rooms == [(2, Room.THERE_IS), (3, Room.THERE_IS)]
    assert budget.waiting == 1


def test_a_younger_upload_does_not_read_on_while_an_older_one_waits() -> None:
    budget, told = Budget(10 * PIECE), Told()
    paid = holding(budget, 1, 11 * PIECE, Phase.IN_FLIGHT)
    old, young = holding(budget, 2, 1), holding(budget, 3, 1)
    told.wait(budget, old)
    assert not budget.may_read(young)
    budget.gone(paid)
    assert told.rooms == [(2, Room.THERE_IS)]
    assert budget.may_read(young)


def test_when_all_wait_for_each_other_the_youngest_is_told_and_what_it_held_goes_to_the_oldest() -> None:
    budget, told = Budget(1000), Told()
    old, young = holding(budget, 1, 500), holding(budget, 2, 500)
    told.wait(budget, young)
    assert told.rooms == []
    told.wait(budget, old)
    assert told.rooms == [(2, Room.NONE_WILL_BE)]
    budget.gone(young)
    assert told.rooms == [(2, Room.NONE_WILL_BE), (1, Room.THERE_IS)]


def test_an_upload_that_waits_no_longer_is_told_nothing() -> None:
    budget, told = Budget(1000), Told()
    paid = holding(budget, 1, 1000, Phase.IN_FLIGHT)
    upload = holding(budget, 2, 10)
    told.wait(budget, upload)
    for _ in range(2):
        budget.stop_waiting(upload)
    budget.gone(paid)
    assert told.rooms == []
    assert budget.waiting == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["upload", "bring", "admit", "reply", "answer", "end", "drop"]), st.integers(0, 99)),
    max_size=150,
)


@given(steps=STEPS, most=st.integers(PIECE, 8 * PIECE))
def test_no_upload_waits_with_nobody_to_wait_for_and_all_ends_at_nothing(
    steps: list[tuple[str, int]], most: int
) -> None:
    budget, told = Budget(most), Told()
    here: dict[int, Holder] = {}
    for number, (what, which) in enumerate(steps, start=1):
        holder = here[list(here)[which % len(here)]] if here else None
        if what == "upload":
            here[number] = holding(budget, number, 1 + which * 1000)
        elif holder is None:
            continue
        elif what == "bring" and holder.phase is Phase.ARRIVING and holder.wake is None:
            if budget.may_read(holder):
                assert sum(budget.held(phase) for phase in (Phase.ARRIVING, Phase.IN_FLIGHT)) < most
                budget.took(holder, PIECE)
            else:
                told.wait(budget, holder)
        elif what == "admit" and holder.phase is Phase.ARRIVING and holder.wake is None:
            budget.moved(holder, Phase.IN_FLIGHT)
        elif what == "reply" and holder.phase is Phase.IN_FLIGHT:
            budget.took(holder, which * 10_000)
        elif what == "answer" and holder.phase is Phase.IN_FLIGHT:
            budget.moved(holder, Phase.ANSWERING)
        elif what == "drop" and holder.held > 1 and holder.wake is None:
            budget.gave_back(holder, holder.held - 1)
        elif what == "end":
            budget.gone(here.pop(holder.number))
        for refused in [number for number, room in told.rooms if room is Room.NONE_WILL_BE and number in here]:
            budget.gone(here.pop(refused))
        waiting = [each for each in here.values() if each.wake is not None]
        assert budget.waiting == len(waiting)
        assert sum(each.held for each in here.values()) == sum(budget.held(phase) for phase in Phase)
        assert not waiting or any(each.wake is None and each.held for each in here.values()), "nobody moves"
    for left in list(here.values()):
        budget.gone(left)
    assert [budget.held(phase) for phase in Phase] == [0, 0, 0]
    assert budget.waiting == 0
