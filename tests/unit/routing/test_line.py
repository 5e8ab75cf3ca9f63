"""Tests of the line: order of arrival over several offers, and together with limits nobody starves or overbooks."""

from __future__ import annotations

import heapq
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.caps import Caps
from routing.knobs import LimitKnobs
from routing.limits import Limit, Token
from routing.line import Line, Place

NOW = 1_790_000_000.0
A = "gemini/pictura"
B = "fal/pictura"


def joined(line: Line, *keys: str, woken: list[str] | None = None, name: str = "") -> Place:
    place = line.join(keys, now=NOW, wake=None if woken is None else lambda: woken.append(name))
    assert place is not None
    return place


def test_nobody_is_ahead_in_an_empty_line() -> None:
    line = Line(10)
    assert not line.ahead(A, None)
    assert not line.wake_first(A)
    assert len(line) == 0


def test_a_newcomer_is_behind_whoever_waits_for_the_same_offer_and_for_no_other() -> None:
    line = Line(10)
    joined(line, A)
    assert line.ahead(A, None)
    assert not line.ahead(B, None)


def test_who_came_first_is_ahead_at_every_offer_both_wait_for() -> None:
    line = Line(10)
    first, second = joined(line, A, B), joined(line, B, A)
    for key in (A, B):
        assert not line.ahead(key, first)
        assert line.ahead(key, second)


def test_who_waits_for_another_offer_holds_nobody_up() -> None:
    line = Line(10)
    joined(line, A)
    assert not line.ahead(B, joined(line, A, B))


def test_the_first_that_waits_for_the_offer_is_woken_and_keeps_its_place() -> None:
    line = Line(10)
    woken: list[str] = []
    joined(line, B, woken=woken, name="other")
    place = joined(line, A, woken=woken, name="first")
    joined(line, A, woken=woken, name="second")
    assert line.wake_first(A)
    assert line.wake_first(A)
    assert woken == ["first", "first"]
    line.leave(place)
    assert line.wake_first(A)
    assert woken[-1] == "second"


def test_who_is_woken_may_leave_at_once_and_take_others_along() -> None:
    line = Line(10)
    woken: list[str] = []
    places: list[Place] = []

    def wake() -> None:
        woken.append("woken")
        for place in places:
            line.leave(place)

    for _ in range(3):
        place = line.join({A}, now=NOW, wake=wake)
        assert place is not None
        places.append(place)
    assert line.wake_first(A)
    assert not line.wake_first(A)
    assert woken == ["woken"]
    assert len(line) == 0


def test_leaving_twice_is_leaving_once() -> None:
    line = Line(10)
    place = joined(line, A, B)
    other = joined(line, A)
    line.leave(place)
    line.leave(place)
    assert len(line) == 1
    assert not line.ahead(A, other)
    assert not line.ahead(B, None)


def test_a_full_line_takes_nobody_until_someone_leaves() -> None:
    line = Line(2)
    place = joined(line, A)
    joined(line, B)
    assert line.join({A}, now=NOW) is None
    line.leave(place)
    assert line.join({A}, now=NOW) is not None


PATIENT = LimitKnobs(raise_after_s=15.0, max_raise_after_s=240.0, forget_s=900.0, accepted_within_s=300.0)
"""Few refusals matter more than a vendor's spare room."""
EAGER = LimitKnobs(raise_after_s=2.0, max_raise_after_s=30.0, forget_s=60.0, accepted_within_s=60.0)
"""Spare room matters more than refusals that cost a third of a second each."""


class Crowd:
    """Requests before offers with real capacities, in virtual time, as the gateway would carry them through."""

    def __init__(self, capacities: dict[str, int], caps: dict[str, int], knobs: LimitKnobs) -> None:
        self.capacities = capacities
        self.limits = {key: Limit(knobs) for key in capacities}
        self.caps = Caps(caps)
        self.line = Line(10_000)
        self.held = dict.fromkeys(capacities, 0)
        self.events: list[tuple[float, int, str, int, Token | None, bool]] = []
        self.numbers = count()
        self.served: dict[str, list[int]] = {key: [] for key in capacities}
        self.waiting: dict[int, Place] = {}
        self.keys: dict[int, tuple[str, ...]] = {}
        self.refusals = 0

    def arrive(self, request: int, keys: tuple[str, ...], at: float) -> None:
        self.keys[request] = keys
        heapq.heappush(self.events, (at, next(self.numbers), "", request, None, False))

    def seek(self, request: int, now: float) -> None:
        place = self.waiting.get(request)
        waited = 0.0 if place is None else now - place.since
        for key in self.keys[request]:
            free = self.caps.below(key) and self.limits[key].room(now=now, waited_s=waited)
            if free and not self.line.ahead(key, place):
                self.start(request, key, now, waited)
                return
        if place is None:
            place = self.line.join(self.keys[request], now=now)
            assert place is not None
            self.waiting[request] = place

    def start(self, request: int, key: str, now: float, waited: float) -> None:
        place = self.waiting.pop(request, None)
        others = [other.number for other in self.waiting.values() if key in other.keys]
        assert all(place is not None and place.number < number for number in others), "somebody was overtaken"
        if place is not None:
            self.line.leave(place)
        limit = self.limits[key]
        token = limit.started(now=now, waited_s=waited)
        assert self.caps.below(key), "a slot was booked twice"
        self.caps.began(key)
        refused = self.held[key] >= self.capacities[key]
        self.refusals += refused
        self.held[key] += not refused
        ends = now + (0.3 if refused else 10.0)
        heapq.heappush(self.events, (ends, next(self.numbers), key, request, token, refused))

    def run(self, until: float) -> None:
        ticks = NOW
        while self.events or self.waiting:
            ticks += 1.0
            assert ticks < until, f"{len(self.waiting)} requests were never served"
            while self.events and self.events[0][0] <= ticks:
                now, _, key, request, token, refused = heapq.heappop(self.events)
                if token is not None:
                    self.caps.ended(key)
                if token is not None and refused:
                    self.limits[key].refused(token, now=now)
                elif token is not None:
                    self.limits[key].finished(token, now=now)
                    self.held[key] -= 1
                    self.served[key].append(request)
                if token is None or refused:
                    self.seek(request, now)
                self.seat(now)
            self.seat(ticks)

    def seat(self, now: float) -> None:
        for request in sorted(self.waiting, key=lambda waiting: self.waiting[waiting].number):
            self.seek(request, now)


@given(
    st.lists(st.tuples(st.sampled_from([(A,), (B,), (A, B), (B, A)]), st.floats(0.0, 20.0)), max_size=40),
    st.integers(1, 5),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(1, 4)),
)
def test_in_a_crowd_nobody_starves_or_is_overtaken_and_no_slot_is_booked_twice(
    crowd: list[tuple[tuple[str, ...], float]], room_a: int, room_b: int, cap: int | None
) -> None:
    simulated = Crowd({A: room_a, B: room_b}, {} if cap is None else {A: cap}, EAGER)
    for request, (keys, after_s) in enumerate(crowd):
        simulated.arrive(request, keys, NOW + after_s)
    simulated.run(until=NOW + 2000)
    assert sorted(simulated.served[A] + simulated.served[B]) == list(range(len(crowd)))


@pytest.mark.parametrize(("knobs", "refused_share"), [(PATIENT, 1 / 3), (EAGER, 1 / 2)], ids=["patient", "eager"])
@pytest.mark.parametrize("capacity", [1, 4, 10])
def test_a_spike_is_served_at_nearly_the_vendors_capacity_and_with_few_refusals(
    capacity: int, knobs: LimitKnobs, refused_share: float
) -> None:
    simulated = Crowd({A: capacity}, {}, knobs)
    for request in range(60):
        simulated.arrive(request, (A,), NOW + request * 0.5)
    simulated.run(until=NOW + 30 + 1.5 * 60 * 10 / capacity)
    assert len(simulated.served[A]) == 60
    assert simulated.refusals <= 60 * refused_share
