"""Pixel tables: tiers double, ratios are what they say, extremes and old models as published."""

import pytest

from simulator.pixels import (
    ALL_RATIOS,
    GEMINI_25,
    REPLICATE_FLUX,
    gemini_3_size,
    nearest_ratio,
    replicate_flux_size,
    tier_by_area,
)
from simulator.vendors import Tier


@pytest.mark.parametrize(
    ("ratio", "tier", "size"),
    [
        ("1:1", Tier.HALF, (512, 512)),
        ("2:3", Tier.HALF, (424, 632)),
        ("16:9", Tier.HALF, (688, 384)),
        ("21:9", Tier.HALF, (792, 336)),
        ("3:4", Tier.ONE, (896, 1200)),
        ("16:9", Tier.TWO, (2752, 1536)),
        ("4:5", Tier.FOUR, (3712, 4608)),
        ("8:1", Tier.FOUR, (12288, 1536)),
    ],
)
def test_gemini_3_sizes_are_those_of_the_published_table(ratio: str, tier: Tier, size: tuple[int, int]) -> None:
    assert gemini_3_size(ratio, tier) == size


@pytest.mark.parametrize("ratio", ALL_RATIOS)
@pytest.mark.parametrize("tier", list(Tier))
def test_every_size_is_within_eight_per_cent_of_its_ratio(ratio: str, tier: Tier) -> None:
    width, height = gemini_3_size(ratio, tier)
    across, down = map(int, ratio.split(":"))
    assert width / height == pytest.approx(across / down, rel=0.08)


def test_the_older_model_has_a_table_of_its_own() -> None:
    assert GEMINI_25["16:9"] == (1344, 768)
    assert GEMINI_25["21:9"] == (1536, 672)
    assert "4:1" not in GEMINI_25


def test_flux_at_a_quarter_megapixel_has_half_of_each_edge() -> None:
    assert replicate_flux_size("16:9", "1") == (1344, 768)
    assert replicate_flux_size("16:9", "0.25") == (672, 384)
    assert "9:21" in REPLICATE_FLUX


@pytest.mark.parametrize(
    ("size", "ratio"), [((640, 480), "4:3"), ((1000, 1010), "1:1"), ((300, 3000), "1:8"), ((1920, 1080), "16:9")]
)
def test_the_nearest_ratio_of_an_input_is_found(size: tuple[int, int], ratio: str) -> None:
    assert nearest_ratio(size, ALL_RATIOS) == ratio


@pytest.mark.parametrize(
    ("size", "tier"),
    [((512, 512), Tier.HALF), ((1024, 576), Tier.ONE), ((1024, 1024), Tier.ONE), ((2048, 2048), Tier.TWO)],
)
def test_pixels_alone_tell_the_tier(size: tuple[int, int], tier: Tier) -> None:
    assert tier_by_area(size) is tier
