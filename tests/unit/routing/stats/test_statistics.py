"""Statistics as a whole: priors, siblings, changes of level, tries under way, silence, refusals, stored slices."""

from __future__ import annotations

from math import exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.request import Operation, Resolution
from routing.knobs import Priors, StatisticsKnobs
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.statistics import Statistics

NOW = 1_790_000_000.0
KNOBS = StatisticsKnobs()
OFFER = "fal/pictura"
AT_1K = StatKey(OFFER, Operation.GENERATE, Resolution.R1K)
AT_4K = StatKey(OFFER, Operation.GENERATE, Resolution.R4K)
AT_2K = StatKey(OFFER, Operation.GENERATE, Resolution.R2K)
EDIT_1K = StatKey(OFFER, Operation.EDIT, Resolution.R1K)


def statistics(prior: Priors | None = None) -> Statistics:
    return Statistics(KNOBS, lambda _: prior or Priors())


def deliver(
    to: Statistics,
    key: StatKey,
    *,
    median_s: float,
    until: float,
    times: int,
    every_s: float = 2.0,
    sigma: float = 0.3,
    seed: int = 1,
) -> None:
    """So many deliveries, the last at ``until``, with latencies spread around a median."""
    dice = Random(seed)
    for number in range(times):
        at = until - every_s * (times - 1 - number)
        to.add(Outcome(key, OutcomeKind.DELIVERED, at, median_s * exp(dice.gauss(0.0, sigma))))


def test_an_offer_nobody_tried_has_its_priors_times_the_size_factor() -> None:
    of = statistics(Priors(seconds=20.0, success=0.8, failure_s=7.0))
    estimate = of.estimate(AT_4K, now=NOW)
    assert [estimate.median_s, estimate.long_run_median_s] == pytest.approx([20.0 * 1.9] * 2)
    assert [estimate.success, estimate.long_run_success] == pytest.approx([0.8, 0.8])
    assert [estimate.sigma, estimate.failure_s, estimate.samples] == pytest.approx([0.4, 7.0, 0])
    assert list(of.keys()) == []
    assert of.windows(AT_4K) is None


def test_a_model_without_tiers_takes_its_time_as_at_1k() -> None:
    untiered = StatKey(OFFER, Operation.GENERATE, None)
    assert statistics().estimate(untiered, now=NOW).median_s == pytest.approx(15.0)


def test_the_first_delivery_weighs_as_much_as_the_prior() -> None:
    of = statistics()
    of.add(Outcome(AT_1K, OutcomeKind.DELIVERED, NOW, 30.0))
    estimate = of.estimate(AT_1K, now=NOW)
    assert estimate.long_run_median_s == pytest.approx((15.0 * 30.0) ** 0.5)
    assert 20.0 < estimate.median_s < 30.0
    assert estimate.samples == 1


def test_many_deliveries_give_their_median_and_spread() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=30.0, until=NOW, times=400, sigma=0.25)
    estimate = of.estimate(AT_1K, now=NOW)
    assert estimate.median_s == pytest.approx(30.0, rel=0.06)
    assert estimate.sigma == pytest.approx(0.25, abs=0.04)


def test_a_sibling_tier_shifts_the_expectation_by_the_size_factor() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=30.0, until=NOW, times=400)
    assert of.estimate(AT_4K, now=NOW).median_s == pytest.approx(30.0 * 1.9, rel=0.1)
    assert of.estimate(AT_4K, now=NOW).samples == 0
    assert of.estimate(EDIT_1K, now=NOW).median_s == pytest.approx(15.0)


def test_a_tier_whose_size_factor_is_wrong_is_not_drawn_to_its_siblings() -> None:
    of = statistics()
    for step in range(40):
        until = NOW - 60.0 * (39 - step)
        deliver(of, AT_1K, median_s=15.0, until=until, times=30, sigma=0.2, seed=step)
        deliver(of, AT_4K, median_s=60.0, until=until, times=1, sigma=0.2, seed=step + 100)
    assert of.estimate(AT_4K, now=NOW).median_s == pytest.approx(60.0, rel=0.15)


@pytest.mark.parametrize(("before_s", "after_s"), [(12.0, 48.0), (48.0, 12.0)])
def test_a_few_samples_of_a_new_level_are_enough(before_s: float, after_s: float) -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=before_s, until=NOW, times=3000, every_s=1.0)
    deliver(of, AT_1K, median_s=after_s, until=NOW + 8.0, times=5)
    shift = log(of.estimate(AT_1K, now=NOW + 8.0).median_s / before_s) / log(after_s / before_s)
    assert shift > 0.6


def test_steady_latencies_never_cut_the_window() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=12.0, until=NOW, times=2000, sigma=0.4)
    for seed in range(20):
        deliver(of, AT_1K, median_s=12.0, until=NOW + 100.0 * (seed + 1), times=50, sigma=0.4, seed=seed)
        assert of.estimate(AT_1K, now=NOW + 100.0 * (seed + 1)).median_s == pytest.approx(12.0, rel=0.2)


def test_one_outlier_does_not_cut_the_window() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=12.0, until=NOW, times=200)
    of.add(Outcome(AT_1K, OutcomeKind.DELIVERED, NOW + 1.0, 200.0))
    assert of.estimate(AT_1K, now=NOW + 1.0).median_s == pytest.approx(12.0, rel=0.1)


def test_two_good_deliveries_bring_a_slow_offer_back_to_its_long_run() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=12.0, until=NOW, times=5000)
    deliver(of, AT_1K, median_s=60.0, until=NOW + 300.0, times=100, every_s=3.0)
    assert of.estimate(AT_1K, now=NOW + 300.0).median_s > 45.0
    for number in range(2):
        of.add(Outcome(AT_1K, OutcomeKind.DELIVERED, NOW + 301.0 + number, 12.0))
    assert of.estimate(AT_1K, now=NOW + 303.0).median_s == pytest.approx(12.0, rel=0.15)


def test_siblings_do_not_keep_an_old_level_alive() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=12.0, until=NOW, times=3000, every_s=1.0)
    deliver(of, AT_4K, median_s=12.0 * 1.9, until=NOW, times=300, every_s=10.0)
    deliver(of, AT_4K, median_s=48.0 * 1.9, until=NOW + 10.0, times=6)
    assert of.estimate(AT_4K, now=NOW + 10.0).median_s > 30.0 * 1.9


def test_a_tier_without_traffic_follows_a_change_seen_at_a_sibling() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=12.0, until=NOW, times=3000, every_s=1.0)
    assert of.estimate(AT_4K, now=NOW).median_s == pytest.approx(12.0 * 1.9, rel=0.1)
    deliver(of, AT_1K, median_s=48.0, until=NOW + 20.0, times=20, every_s=1.0)
    assert of.estimate(AT_4K, now=NOW + 20.0).median_s > 24.0 * 1.9


def test_after_a_long_silence_the_latency_falls_back_to_the_long_run() -> None:
    of = statistics()
    deliver(of, AT_1K, median_s=12.0, until=NOW, times=5000)
    deliver(of, AT_1K, median_s=40.0, until=NOW + 60.0, times=30)
    medians = [of.estimate(AT_1K, now=NOW + 60.0 + silence).median_s for silence in (0, 600, 1800, 3600, 7200)]
    assert medians == sorted(medians, reverse=True)
    assert medians[0] > 30.0
    assert medians[-1] == pytest.approx(of.estimate(AT_1K, now=NOW + 7260.0).long_run_median_s, rel=0.01)


class TestTriesUnderWay:
    """What has not ended yet."""

    def late(self, *ages: float, settled: int = 200) -> float:
        of = statistics()
        deliver(of, AT_1K, median_s=12.0, until=NOW, times=settled)
        return of.estimate(AT_1K, now=NOW, running=[NOW - age for age in ages]).median_s

    def test_several_late_ones_raise_the_median_before_any_ends(self) -> None:
        assert self.late(40.0, 50.0, 60.0) > 1.5 * self.late()
        assert self.late(80.0, 100.0, 120.0) > self.late(40.0, 50.0, 60.0)

    def test_more_late_ones_raise_it_further(self) -> None:
        assert self.late(*[60.0] * 10) > self.late(*[60.0] * 3)

    def test_two_late_ones_say_nothing(self) -> None:
        assert self.late(60.0, 60.0, 1.0, 2.0) == self.late()

    def test_a_small_share_of_late_ones_says_nothing(self) -> None:
        assert self.late(*[60.0] * 3, *[2.0] * 10) == self.late()
        assert self.late(*[60.0] * 3, *[2.0] * 9) > self.late()

    def test_young_ones_say_nothing(self) -> None:
        assert self.late(*[10.0] * 8) == self.late()

    def test_a_try_of_any_age_leaves_the_median_finite(self) -> None:
        assert 12.0 < self.late(*[1e7] * 5) < 1e9

    def test_an_estimate_changes_nothing(self) -> None:
        of = statistics()
        deliver(of, AT_1K, median_s=12.0, until=NOW, times=50)
        before = of.estimate(AT_1K, now=NOW)
        of.estimate(AT_1K, now=NOW, running=[NOW - 100.0] * 9)
        assert of.estimate(AT_1K, now=NOW) == before


def test_the_time_of_failures_belongs_to_the_offer_as_a_whole() -> None:
    of = statistics()
    for number in range(8):
        of.add(Outcome((AT_1K, EDIT_1K)[number % 2], OutcomeKind.FAILED, NOW, 40.0))
    assert of.estimate(AT_4K, now=NOW).failure_s == pytest.approx((8 * 40 + 2 * 5) / 10)
    assert of.estimate(AT_1K, now=NOW).median_s == pytest.approx(15.0)


def test_the_breaker_closing_forgets_the_outage_at_all_keys_of_that_offer_alone() -> None:
    of = statistics()
    elsewhere = StatKey("gemini/pictura", Operation.GENERATE, Resolution.R1K)
    for key in (AT_1K, AT_4K, EDIT_1K, elsewhere):
        for ago in range(200):
            of.add(Outcome(key, OutcomeKind.DELIVERED, NOW - 3600.0 - ago, 12.0))
        for _ in range(20):
            of.add(Outcome(key, OutcomeKind.FAILED, NOW, 5.0))
    of.reset_fast(OFFER)
    for key in (AT_1K, AT_4K, EDIT_1K):
        estimate = of.estimate(key, now=NOW)
        assert estimate.success == pytest.approx(estimate.long_run_success)
        assert estimate.success > 0.85
    assert of.estimate(elsewhere, now=NOW).success < 0.3


outcomes = st.builds(
    lambda key, kind, ago, seconds: Outcome(key, kind, NOW - ago, seconds),
    st.sampled_from([AT_1K, AT_2K, AT_4K, EDIT_1K]),
    st.sampled_from(OutcomeKind),
    st.floats(0, 4000),
    st.floats(0.5, 300),
)


@given(st.lists(outcomes, max_size=25), st.randoms(use_true_random=False))
def test_refusals_leave_success_and_latency_untouched(counted: list[Outcome], dice: Random) -> None:
    with_refusals, without = statistics(), statistics()
    for outcome in counted:
        with_refusals.add(outcome)
        if outcome.kind is not OutcomeKind.REFUSED:
            without.add(outcome)
    for key in (AT_1K, AT_2K, AT_4K):
        one, other = (of.estimate(key, now=NOW, running=[NOW - dice.uniform(0, 90)]) for of in (with_refusals, without))
        refused = sum(each.kind is OutcomeKind.REFUSED and each.key == key for each in counted)
        assert (one.refusal_share > 0.0) is (refused > 0)
        for name in ("success", "success_low", "success_high", "median_s", "sigma", "failure_s"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9)
        assert one.samples == other.samples


@given(
    st.lists(outcomes, max_size=25).flatmap(lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))),
)
def test_success_failures_and_the_long_run_do_not_depend_on_the_order(
    orders: tuple[list[Outcome], list[Outcome]],
) -> None:
    one, other = (statistics() for _ in range(2))
    for of, counted in zip((one, other), orders, strict=True):
        for outcome in counted:
            of.add(outcome)
    for key in (AT_1K, AT_2K, AT_4K, EDIT_1K):
        first, second = one.estimate(key, now=NOW), other.estimate(key, now=NOW)
        for name in ("success", "success_low", "long_run_success", "long_run_median_s", "failure_s", "refusal_share"):
            assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-6)


def test_slow_figures_start_from_stored_hours() -> None:
    before = statistics()
    dice = Random(3)
    for key, factor in ((AT_1K, 1.0), (AT_4K, 1.9)):
        for second in range(0, 6 * 3600, 60):
            at = NOW - second
            if dice.random() < 0.8:
                before.add(Outcome(key, OutcomeKind.DELIVERED, at, factor * dice.lognormvariate(log(25.0), 0.3)))
            else:
                before.add(Outcome(key, OutcomeKind.FAILED, at, 20.0))
    after = statistics()
    for key in list(before.keys()):
        stored = before.windows(key)
        assert stored is not None
        after.seed(key, [(start + 1800.0, found) for _, start, found in stored.slices("1h")])
        for granularity, start, found in stored.slices():
            after.load(key, granularity, start, found)
    for key in (AT_1K, AT_4K):
        old, new = before.estimate(key, now=NOW), after.estimate(key, now=NOW)
        assert new.long_run_success == pytest.approx(old.long_run_success, abs=0.01)
        assert new.long_run_median_s == pytest.approx(old.long_run_median_s, rel=0.01)
        assert new.median_s == pytest.approx(new.long_run_median_s)
        assert new.failure_s == pytest.approx(old.failure_s, rel=0.05)
        assert new.samples == old.samples
        windows = after.windows(key)
        assert windows is not None
        assert windows.figures("24h", NOW).samples == old.samples
    assert set(after.keys()) == {AT_1K, AT_4K}


def test_what_another_replica_counted_gives_the_figures_of_one_process() -> None:
    one, here, there = statistics(), statistics(), statistics()
    dice = Random(5)
    for number in range(40):
        kind = OutcomeKind.FAILED if number % 9 == 0 else OutcomeKind.DELIVERED
        outcome = Outcome((AT_1K, AT_4K)[number % 2], kind, NOW, dice.lognormvariate(log(20.0), 0.2))
        one.add(outcome)
        (here if number % 3 else there).add(outcome)
    for key in (AT_1K, AT_4K):
        counted = there.windows(key)
        assert counted is not None
        for _, _, found in counted.slices("10s"):
            here.absorb(key, NOW, found)
    for key in (AT_1K, AT_4K):
        apart, together = here.estimate(key, now=NOW), one.estimate(key, now=NOW)
        for name in ("success", "long_run_success", "median_s", "sigma", "long_run_median_s", "failure_s", "samples"):
            assert getattr(apart, name) == pytest.approx(getattr(together, name), rel=1e-3)
