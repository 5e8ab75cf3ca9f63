"""Success: the fast window, the slow rate it starts from, and what the tiers of an offer tell each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.knobs import StatisticsKnobs
from routing.stats.success import SuccessFigures, SuccessSums, interval, success_figures

NOW = 1_790_000_000.0
KNOBS = StatisticsKnobs()
PRIOR = 0.93


class Tiers:
    """Two tiers of an offer."""

    def __init__(self) -> None:
        self.own, self.sibling = (SuccessSums(KNOBS) for _ in range(2))

    def tried(self, sums: SuccessSums, at: float, times: int, *, delivered: bool) -> None:
        for _ in range(times):
            sums.tried(at, delivered=delivered)

    def figures(self, now: float = NOW) -> SuccessFigures:
        return success_figures(self.own, (self.own, self.sibling), PRIOR, KNOBS, now)


def test_a_tier_nobody_tried_has_the_prior_and_a_wide_interval() -> None:
    figures = Tiers().figures()
    assert figures.success == figures.long_run == pytest.approx(PRIOR)
    assert figures.low < 0.6 < PRIOR < figures.high <= 1.0
    assert figures.refusal_share == 0.0


def test_six_failures_halve_the_rate_and_move_the_long_run_by_less() -> None:
    tiers = Tiers()
    tiers.tried(tiers.own, NOW, 6, delivered=False)
    figures = tiers.figures()
    assert figures.long_run == pytest.approx(8 * PRIOR / 14)
    assert figures.success == pytest.approx(figures.long_run / 2)


def test_failures_are_forgotten_within_minutes_when_deliveries_were_many_before() -> None:
    tiers = Tiers()
    tiers.tried(tiers.own, NOW - 3600, 500, delivered=True)
    tiers.tried(tiers.own, NOW, 6, delivered=False)
    assert tiers.figures(NOW).success < 0.6
    assert tiers.figures(NOW + 1200).success > 0.95


def test_an_outage_at_one_tier_is_expected_at_its_siblings() -> None:
    tiers = Tiers()
    tiers.tried(tiers.sibling, NOW - 1000, 200, delivered=True)
    tiers.tried(tiers.sibling, NOW, 20, delivered=False)
    assert tiers.figures().success < 0.35


def test_a_tier_broken_alone_is_found_out_however_healthy_its_siblings_are() -> None:
    tiers = Tiers()
    tiers.tried(tiers.sibling, NOW, 10_000, delivered=True)
    tiers.tried(tiers.own, NOW, 12, delivered=False)
    assert tiers.figures().success < 0.25


def test_healthy_siblings_do_not_hide_that_a_tier_is_worse_in_the_long_run() -> None:
    tiers = Tiers()
    for minute in range(600):
        tiers.tried(tiers.sibling, NOW - 60 * minute, 10, delivered=True)
        tiers.tried(tiers.own, NOW - 60 * minute, 1, delivered=minute % 10 < 7)
    figures = tiers.figures()
    assert figures.long_run == pytest.approx(0.7, abs=0.02)
    assert figures.success == pytest.approx(0.7, abs=0.15)


def test_a_tier_nobody_tried_starts_from_the_long_run_of_its_siblings() -> None:
    tiers = Tiers()
    for minute in range(600):
        tiers.tried(tiers.sibling, NOW - 60 * minute, 4, delivered=minute % 4 > 0)
    assert tiers.figures().long_run == pytest.approx(0.75, abs=0.01)


def test_refusals_count_into_their_own_share_only() -> None:
    tiers = Tiers()
    tiers.tried(tiers.own, NOW, 92, delivered=True)
    before = tiers.figures()
    for _ in range(100):
        tiers.own.refused(NOW)
    after = tiers.figures()
    assert after.refusal_share == pytest.approx(0.5)
    assert (after.success, after.long_run, after.low) == (before.success, before.long_run, before.low)


def test_sums_from_elsewhere_count_like_tries() -> None:
    one_by_one, at_once = Tiers(), Tiers()
    one_by_one.tried(one_by_one.own, NOW, 7, delivered=True)
    one_by_one.tried(one_by_one.own, NOW, 3, delivered=False)
    one_by_one.own.refused(NOW)
    at_once.own.absorb(NOW, 7, 3, 1, fast=True)
    assert at_once.figures() == one_by_one.figures()


@given(st.floats(0, 1), st.floats(1e-3, 1e6))
def test_an_interval_holds_its_rate_and_stays_between_zero_and_one(rate: float, count: float) -> None:
    low, high = interval(rate, count)
    assert 0.0 <= low <= rate <= high <= 1.0


def test_an_interval_is_the_one_of_the_textbook() -> None:
    assert interval(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 5000)), max_size=60))
def test_figures_are_probabilities_whatever_happens(tries: list[tuple[bool, bool, float]]) -> None:
    tiers = Tiers()
    for mine, delivered, ago in tries:
        tiers.tried(tiers.own if mine else tiers.sibling, NOW - ago, 1, delivered=delivered)
    figures = tiers.figures()
    assert 0.0 <= figures.low <= figures.success <= figures.high <= 1.0
    assert 0.0 < figures.long_run <= 1.0
