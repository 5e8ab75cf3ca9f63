"""Tests of figures: how long they are kept, what makes them new, and the tries under way beside them."""

from __future__ import annotations

import pytest

from providers.spec.request import Operation, Resolution
from routing.figures import Figures
from routing.knobs import Priors, StatisticsKnobs
from routing.stats.outcome import Outcome, OutcomeKind, StatKey

NOW = 1_790_000_000.0
KNOBS = StatisticsKnobs()
KEPT_S = KNOBS.fast_half_life_s / 120
FAL = StatKey("fal/pictura", Operation.GENERATE, Resolution.R1K)
AT_4K = StatKey("fal/pictura", Operation.GENERATE, Resolution.R4K)
OTHER = StatKey("gemini/pictura", Operation.GENERATE, Resolution.R1K)


def figures() -> Figures:
    return Figures(KNOBS, lambda offer: Priors())


def failing(key: StatKey, count: int, *, at: float = NOW) -> list[Outcome]:
    return [Outcome(key, OutcomeKind.FAILED, at, 1.0) for _ in range(count)]


def test_figures_are_the_same_value_until_they_are_old() -> None:
    own = figures()
    first = own.estimate(FAL, now=NOW)
    assert own.estimate(FAL, now=NOW + KEPT_S * 0.99) is first
    assert own.estimate(FAL, now=NOW + KEPT_S) is not first


def test_an_outcome_is_in_the_very_next_figures_and_leaves_those_of_others_alone() -> None:
    own = figures()
    before, other = own.estimate(FAL, now=NOW), own.estimate(OTHER, now=NOW)
    for outcome in failing(FAL, 5):
        own.add(outcome)
    assert own.estimate(FAL, now=NOW).success < before.success - 0.1
    assert own.estimate(OTHER, now=NOW) is other


def test_what_was_counted_elsewhere_shows_when_estimates_are_forgotten() -> None:
    own = figures()
    before = own.estimate(FAL, now=NOW)
    for outcome in failing(FAL, 5):
        own.statistics.add(outcome)
    assert own.estimate(FAL, now=NOW) is before
    own.forget_estimates()
    assert own.estimate(FAL, now=NOW).success < before.success


def test_an_offer_that_came_back_is_believed_at_once_at_every_resolution() -> None:
    own = figures()
    for key in (FAL, AT_4K):
        for outcome in failing(key, 10):
            own.add(outcome)
    failed = {key: own.estimate(key, now=NOW).success for key in (FAL, AT_4K)}
    own.came_back("fal/pictura")
    assert all(own.estimate(key, now=NOW).success > failed[key] for key in failed)


def test_the_tries_under_way_are_an_offers_own_of_all_resolutions_and_none_that_ended() -> None:
    own = figures()
    own.began(FAL, 1, now=NOW)
    own.began(FAL, 2, now=NOW + 1)
    own.began(AT_4K, 3, now=NOW + 2)
    own.began(OTHER, 4, now=NOW + 3)
    assert sorted(own.running("fal/pictura")) == [NOW, NOW + 1, NOW + 2]
    own.ended(FAL, 1)
    own.ended(AT_4K, 3)
    assert own.running("fal/pictura") == [NOW + 1]
    own.ended(FAL, 2)
    assert own.running("fal/pictura") == []
    assert own.running("gemini/pictura") == [NOW + 3]


@pytest.mark.parametrize(("tries", "slower"), [(KNOBS.censor_min_running - 1, False), (10, True)])
def test_several_tries_that_stay_silent_for_long_make_an_offer_look_slower(tries: int, slower: bool) -> None:
    own, idle = figures(), figures()
    for number in range(tries):
        own.began(FAL, number, now=NOW)
    later = NOW + 100
    assert (own.estimate(FAL, now=later).median_s > idle.estimate(FAL, now=later).median_s) is slower
