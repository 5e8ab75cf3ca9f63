"""Tests of exploration: how many probes, how often, and by which replica."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.exploration import Exploration
from routing.knobs import ExplorationKnobs

KNOBS = ExplorationKnobs(likely_s=30.0, hopeful_s=120.0)
NOW = 1_790_000_000.0
FAL = "fal/pictura"
VERTEX = "vertex/pictura"


def saved_up(requests: int = 100, knobs: ExplorationKnobs = KNOBS) -> Exploration:
    exploration = Exploration(knobs)
    for _ in range(requests):
        exploration.request_seen()
    return exploration


def probe(exploration: Exploration, *, seconds: float, delivered: bool = True) -> None:
    exploration.probe_started(FAL, now=NOW)
    exploration.probe_ended(FAL, delivered=delivered, now=NOW + seconds)


def test_nothing_is_saved_up_at_the_start_and_the_first_probe_waits_for_its_share() -> None:
    exploration = saved_up(16)
    assert not exploration.due(FAL, now=NOW).likely
    exploration.request_seen()
    assert exploration.due(FAL, now=NOW).likely


@pytest.mark.parametrize("share", [0.1, 0.05, 0.02])
def test_a_share_that_divides_one_is_paid_exactly_in_time(share: float) -> None:
    assert saved_up(round(1 / share), ExplorationKnobs(share=share)).due(FAL, now=NOW).likely


@given(st.lists(st.floats(0.01, 20.0), min_size=1, max_size=300))
def test_probes_never_take_more_than_their_share_of_traffic(gaps: list[float]) -> None:
    exploration, probes, now = Exploration(KNOBS), 0, NOW
    for number, gap in enumerate(gaps, start=1):
        now += gap
        exploration.request_seen()
        for offer in (FAL, VERTEX, "replicate/pictura"):
            if exploration.due(offer, now=now).likely:
                exploration.probe_started(offer, now=now)
                exploration.probe_ended(offer, delivered=True, now=now)
                probes += 1
        assert probes <= KNOBS.share * number + 1e-6


def test_a_quiet_night_saves_up_no_more_than_the_burst() -> None:
    exploration = saved_up(10_000)
    offers = [f"offer{number}" for number in range(10)]
    started = 0
    for offer in offers:
        if exploration.due(offer, now=NOW).likely:
            exploration.probe_started(offer, now=NOW)
            started += 1
    assert started == KNOBS.burst


@pytest.mark.parametrize(("hopeful", "interval_s"), [(False, KNOBS.likely_s), (True, KNOBS.hopeful_s)])
def test_an_offer_is_looked_at_once_per_interval(hopeful: bool, interval_s: float) -> None:
    exploration = saved_up()
    probe(exploration, seconds=60.0)
    assert not exploration.due(FAL, now=NOW + interval_s - 0.1)[hopeful]
    assert exploration.due(FAL, now=NOW + interval_s)[hopeful]


def test_an_ordinary_try_puts_the_next_probe_off() -> None:
    exploration = saved_up()
    exploration.tried(FAL, now=NOW)
    assert not exploration.due(FAL, now=NOW + 29).likely
    assert exploration.due(VERTEX, now=NOW + 29).likely
    assert exploration.due(FAL, now=NOW + 30).likely


def test_an_offer_has_one_probe_in_flight_however_long_it_takes() -> None:
    exploration = saved_up()
    exploration.probe_started(FAL, now=NOW)
    assert not exploration.due(FAL, now=NOW + 500).likely


def test_however_fast_a_probe_was_the_next_one_waits_for_its_interval() -> None:
    exploration = saved_up()
    probe(exploration, seconds=0.5)
    assert not exploration.due(FAL, now=NOW + 29).likely
    assert exploration.due(FAL, now=NOW + 30).likely


def test_the_interval_of_a_probe_that_fails_runs_from_its_end() -> None:
    exploration = saved_up()
    probe(exploration, seconds=40.0, delivered=False)
    assert not exploration.due(FAL, now=NOW + 40 + 29).likely
    assert exploration.due(FAL, now=NOW + 40 + 30).likely


def test_without_the_lease_a_replica_wants_and_does_not_probe() -> None:
    exploration = saved_up()
    exploration.shared = True
    assert not exploration.due(FAL, now=NOW).likely
    assert exploration.wanted(NOW + 1) == {FAL}
    exploration.grant(FAL, NOW + 61)
    assert exploration.wanted(NOW + 1) == set()
    assert exploration.due(FAL, now=NOW + 2).likely
    assert not exploration.due(VERTEX, now=NOW + 2).likely


def test_a_lease_ends_with_its_time() -> None:
    exploration = saved_up()
    exploration.shared = True
    exploration.grant(FAL, NOW + 60)
    assert exploration.due(FAL, now=NOW + 59.9).likely
    assert not exploration.due(FAL, now=NOW + 60).likely


def test_a_lease_is_wanted_only_where_nothing_else_is_missing() -> None:
    exploration = saved_up(3)
    exploration.shared = True
    exploration.due(FAL, now=NOW)
    assert exploration.wanted(NOW) == set()


def test_whoever_only_looks_wants_no_lease() -> None:
    exploration = saved_up()
    exploration.shared = True
    assert not exploration.due(FAL, now=NOW, asking=False).likely
    assert exploration.wanted(NOW) == set()


def test_a_wish_for_the_lease_is_dropped_when_nobody_repeats_it_or_an_ordinary_try_has_come() -> None:
    exploration = saved_up()
    exploration.shared = True
    for offer in (FAL, VERTEX):
        exploration.due(offer, now=NOW)
    exploration.tried(VERTEX, now=NOW + 1)
    assert exploration.wanted(NOW + 2) == {FAL}
    assert exploration.wanted(NOW + KNOBS.lease_s) == set()
