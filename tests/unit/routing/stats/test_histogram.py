"""The histogram: quantiles within two per cent, merged by addition, small when packed."""

from __future__ import annotations

from math import floor, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.stats.histogram import ACCURACY, BINS, MAX_S, MIN_S, Histogram, bin_of

seconds = st.floats(MIN_S, MAX_S)
samples = st.lists(seconds, min_size=1, max_size=60)


def histogram(values: list[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


@given(samples, st.floats(0, 1))
def test_a_quantile_is_within_two_per_cent_of_the_sample(values: list[float], share: float) -> None:
    exact = sorted(values)[floor(share * (len(values) - 1))]
    found = histogram(values).quantile(share)
    assert found == pytest.approx(exact, rel=ACCURACY * (1 + 1e-9))


def test_a_smooth_quantile_of_many_latencies_is_within_half_a_per_cent_of_the_sample() -> None:
    dice = Random(4)
    values = sorted(dice.lognormvariate(log(13.3), 0.4) for _ in range(20_000))
    found = histogram(values)
    for share in (0.5, 0.95):
        assert found.smooth_quantile(share) == pytest.approx(values[floor(share * 19_999)], rel=0.005)


@given(samples, st.floats(0, 1))
def test_a_smooth_quantile_never_leaves_the_bin_of_the_sample(values: list[float], share: float) -> None:
    exact = sorted(values)[floor(share * (len(values) - 1))]
    assert histogram(values).smooth_quantile(share) == pytest.approx(exact, rel=2.1 * ACCURACY)


def test_without_samples_there_is_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram().smooth_quantile(0.5) is None


def test_about_240_bins_cover_50_milliseconds_to_600_seconds() -> None:
    assert 230 <= BINS <= 240
    assert (bin_of(0.0), bin_of(MIN_S), bin_of(MAX_S), bin_of(1e9)) == (0, 0, BINS - 1, BINS - 1)
    assert bin_of(MAX_S - 0.001) <= BINS - 1


@given(samples, samples)
def test_merging_agrees_with_counting_in_one(first: list[float], second: list[float]) -> None:
    merged = histogram(first)
    merged.merge(histogram(second))
    assert merged.bins == histogram(second + first).bins


@given(st.dictionaries(st.integers(0, BINS - 1), st.integers(1, 2**40)))
def test_packing_loses_nothing(bins: dict[int, int]) -> None:
    packed = Histogram()
    packed.bins = dict(bins)
    assert Histogram.unpack(packed.pack()).bins == bins


def test_a_packed_histogram_takes_two_bytes_per_bin_of_few_samples() -> None:
    assert len(histogram([1.0, 5.0, 20.0]).pack()) == 2 + 2 * 3


def test_a_bin_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="not between 0 and"):
        Histogram().add_bin(BINS)
