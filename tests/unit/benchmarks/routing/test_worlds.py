"""Worlds: the same every time, with the traffic they promise, and somebody who can serve."""

from __future__ import annotations

import pytest

from benchmarks.routing.worlds import RANDOM, REPORT_SEEDS, TUNING_SEEDS, make_world
from benchmarks.routing.worlds.changes import BASE, brown_out, decay, outage, storm, timelines
from benchmarks.routing.worlds.named import NAMED


@pytest.mark.parametrize("name", [*NAMED, RANDOM])
def test_a_world_is_the_same_every_time_and_another_with_another_seed(name: str) -> None:
    one, again, other = make_world(name, 3), make_world(name, 3), make_world(name, 4)
    assert one.requests() == again.requests() != other.requests()
    assert {each: (line.starts, line.truths) for each, line in one.providers.items()} == {
        each: (line.starts, line.truths) for each, line in again.providers.items()
    }


@pytest.mark.parametrize("name", [*NAMED, RANDOM])
def test_somebody_can_serve_at_every_moment(name: str) -> None:
    for seed in (1, 2, 3):
        world = make_world(name, seed)
        for now in range(0, int(world.duration_s), 30):
            assert max(world.truth(provider, now).success for provider in world.providers) > 0.5


def test_all_shares_of_failures_sum_to_one() -> None:
    for name in [*NAMED, RANDOM]:
        for timeline in make_world(name, 5).providers.values():
            for truth in timeline.truths:
                mix = truth.failures
                assert mix.rate_limited + mix.overloaded + mix.empty + mix.hang == pytest.approx(1.0)
                assert 0.0 < truth.success <= 1.0


def test_the_spike_is_tenfold() -> None:
    world = make_world("tenfold_spike", 1)
    (_, usual), (start, high), (end, _) = world.traffic.rates
    inside = sum(start <= request.arrived < end for request in world.requests())
    assert high == pytest.approx(10 * usual)
    assert inside == pytest.approx(high * (end - start), rel=0.1)


def test_changes_that_overlap_are_both_in_force() -> None:
    lines = timelines(BASE, [brown_out("fal", 100.0, 300.0, 2.0, 1.0), outage("fal", 200.0, 400.0)])
    usual = BASE["fal"]
    seen = [
        (lines["fal"].at(now).median_s / usual.median_s, lines["fal"].at(now).success) for now in (0, 150, 250, 350)
    ]
    assert seen == [(1.0, usual.success), (2.0, usual.success), (2.0, 0.02), (1.0, 0.02)]
    assert lines["fal"].at(400.0) == usual


def test_a_decay_goes_down_little_by_little() -> None:
    line = timelines(BASE, [decay("gemini", 0.0, 3600.0, 3.0, 0.5)])["gemini"]
    medians = [line.at(now).median_s for now in range(0, 3600, 60)]
    assert medians == sorted(medians)
    assert len(set(medians)) == 60
    assert medians[-1] == pytest.approx(3.0 * BASE["gemini"].median_s, rel=0.02)


def test_a_storm_answers_its_share_with_429_and_leaves_the_rest_as_it_was() -> None:
    truth = timelines(BASE, [storm("fal", 0.0, 10.0, 0.6, 5.0)])["fal"].at(1.0)
    usual = BASE["fal"]
    refused = (1.0 - truth.success) * truth.failures.rate_limited
    assert truth.success == pytest.approx(0.4 * usual.success)
    assert refused == pytest.approx(0.6 + 0.4 * (1.0 - usual.success) * usual.failures.rate_limited)
    hanging = (1.0 - truth.success) * truth.failures.hang
    assert hanging == pytest.approx(0.4 * (1.0 - usual.success) * usual.failures.hang)


def test_seeds_to_report_on_are_never_tuned_on() -> None:
    assert not set(TUNING_SEEDS) & set(REPORT_SEEDS)
