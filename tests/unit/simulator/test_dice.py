"""Dice: luck is the seed's, and has the shape of the published figures."""

import statistics

import pytest

from simulator.dice import Dice
from simulator.vendors import Tier, Vendor


def total(vendor: Vendor, number: int, tier: Tier = Tier.ONE, seed: int = 1) -> float:
    return sum(Dice(seed, vendor, number).latency(tier, quick=False))


def test_the_same_request_under_the_same_seed_has_the_same_luck() -> None:
    assert total(Vendor.FAL, 7) == total(Vendor.FAL, 7)
    assert Dice(1, Vendor.FAL, 7).uuid() == Dice(1, Vendor.FAL, 7).uuid()


def test_seed_vendor_and_number_each_change_the_luck() -> None:
    luck = {Dice(1, Vendor.FAL, 7).token(20), Dice(2, Vendor.FAL, 7).token(20)}
    luck |= {Dice(1, Vendor.REPLICATE, 7).token(20), Dice(1, Vendor.FAL, 8).token(20)}
    assert len(luck) == 4


@pytest.mark.parametrize(
    ("vendor", "p50", "p95"),
    [(Vendor.GEMINI, 13.3, 24.7), (Vendor.VERTEX, 29.9, 59.4), (Vendor.FAL, 12, 22), (Vendor.REPLICATE, 18, 38)],
)
def test_latency_has_the_median_and_tail_it_should(vendor: Vendor, p50: float, p95: float) -> None:
    seconds = sorted(total(vendor, number) for number in range(4000))
    assert statistics.median(seconds) == pytest.approx(p50, rel=0.05)
    assert seconds[3800] == pytest.approx(p95, rel=0.08)


def test_larger_tiers_take_longer_by_the_stated_factors() -> None:
    one = total(Vendor.GEMINI, 3)
    assert total(Vendor.GEMINI, 3, Tier.HALF) == pytest.approx(one * 0.8)
    assert total(Vendor.GEMINI, 3, Tier.FOUR) == pytest.approx(one * 1.9)


def test_success_rate_is_kept_on_average() -> None:
    failures = sum(Dice(1, Vendor.VERTEX, number).natural_fault(0.75) is not None for number in range(2000))
    assert failures / 2000 == pytest.approx(0.25, abs=0.03)
    assert all(Dice(1, Vendor.VERTEX, number).natural_fault(1.0) is None for number in range(200))
