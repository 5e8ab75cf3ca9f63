"""Tests of the attempt limit: how long silence is borne."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.request import Resolution
from routing.attempt_limit import SLOWER_AT_MOST, attempt_limit_s, ceiling_s
from tests.unit.routing.making import POLICY, estimate


def test_silence_is_borne_for_three_deviations_above_the_median() -> None:
    assert attempt_limit_s(estimate(14.0, sigma=0.4), Resolution.R1K, POLICY) == pytest.approx(14.0 * exp(1.2))


def test_an_offer_nobody_has_measured_gets_the_longest_limit_of_its_resolution() -> None:
    assert attempt_limit_s(None, Resolution.R1K, POLICY) == POLICY.attempt_limit_s[Resolution.R1K]


def test_a_model_without_tiers_gets_the_longest_limit_of_all() -> None:
    assert ceiling_s(None, POLICY) == max(POLICY.attempt_limit_s.values())


def test_the_limit_follows_a_slower_provider_only_so_far() -> None:
    slower = estimate(40.0, sigma=0.3, long_run_median_s=12.0)
    limit = attempt_limit_s(slower, Resolution.R4K, POLICY)
    assert limit == pytest.approx(SLOWER_AT_MOST * 12.0 * exp(0.9))


def test_the_limit_follows_a_faster_provider_down() -> None:
    faster = estimate(8.0, sigma=0.3, long_run_median_s=12.0)
    assert attempt_limit_s(faster, Resolution.R1K, POLICY) == pytest.approx(8.0 * exp(0.9))


@pytest.mark.parametrize("median_s", [3.0, 60.0])
def test_a_probe_is_held_to_the_long_run_level(median_s: float) -> None:
    known = estimate(median_s, sigma=0.3, long_run_median_s=12.0)
    assert attempt_limit_s(known, Resolution.R1K, POLICY, probe=True) == pytest.approx(12.0 * exp(0.9))


@given(
    median_s=st.floats(0.01, 1000.0),
    long_run_s=st.floats(0.01, 1000.0),
    sigma=st.floats(0.15, 1.0),
    resolution=st.none() | st.sampled_from(Resolution),
    probe=st.booleans(),
)
def test_no_limit_is_below_the_least_or_above_the_longest(
    median_s: float, long_run_s: float, sigma: float, resolution: Resolution | None, probe: bool
) -> None:
    known = estimate(median_s, sigma=sigma, long_run_median_s=long_run_s)
    limit = attempt_limit_s(known, resolution, POLICY, probe=probe)
    assert POLICY.min_attempt_limit_s <= limit <= ceiling_s(resolution, POLICY)
