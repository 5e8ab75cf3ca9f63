"""Sizes: every spelling, the exact table before the nearest, precedence, and what becomes a warning or a 400."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.models import PublicModel
from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.sizes import Settled, SizeWishes, settle, value_of
from app.doors.openai_images.spellings import Spelling, spelling
from providers.spec.request import Resolution
from tests.unit.app.public_models import NANO_BANANA_2, ONE_TIER, TWO_FAR_TIERS

R512, R1K, R2K, R4K = Resolution


def settled(
    model: PublicModel = NANO_BANANA_2,
    suffix: Resolution | None = None,
    size: object = None,
    **extras: object,
) -> Settled:
    return settled_by(extras, model, suffix, size)


def settled_by(
    extras: Mapping[str, object],
    model: PublicModel = NANO_BANANA_2,
    suffix: Resolution | None = None,
    size: object = None,
) -> Settled:
    said = [spelling(name, value) for name, value in extras.items()]
    wishes = SizeWishes(
        spelling("size", size) if size is not None else None, tuple(extra for extra in said if extra is not None)
    )
    return settle(model, wishes, suffix)


def warned(settled: Settled) -> dict[str, str]:
    assert len({warning.parameter for warning in settled.warnings}) == len(settled.warnings)
    return {warning.parameter: warning.message for warning in settled.warnings}


@pytest.mark.parametrize(
    ("size", "ratio", "tier", "exact"),
    [
        ("1024x1024", "1:1", R1K, True),
        ("512x512", "1:1", R512, True),
        ("2048x2048", "1:1", R2K, True),
        ("4096x4096", "1:1", R4K, True),
        ("1264x848", "3:2", R1K, True),
        ("5504x3072", "16:9", R4K, True),
        ("384x3072", "1:8", R1K, True),
        ("1536x12288", "1:8", R4K, True),
        ("792x336", "21:9", R512, True),
        ("792x168", "21:9", R512, False),  # seen at a vendor; the table says 792x336
        ("1024x1536", "2:3", R1K, False),
        ("1536x1024", "3:2", R1K, False),
        ("1792x1024", "16:9", R1K, False),
        ("1024x1792", "9:16", R1K, False),
        ("256x256", "1:1", R512, False),
        ("767x767", "1:1", R512, False),
        ("768x768", "1:1", R1K, False),
        ("1536x1536", "1:1", R2K, False),
        ("3072x3072", "1:1", R4K, False),
        ("1920x1080", "16:9", R1K, False),
        ("3840x2160", "16:9", R2K, False),
        ("16384x16384", "1:1", R4K, False),
        ("2000x100", "8:1", R512, False),
    ],
)
def test_pixels_in_size_find_their_ratio_and_tier(size: str, ratio: str, tier: Resolution, exact: bool) -> None:
    result = settled(size=size)
    assert (result.aspect_ratio, result.resolution) == (ratio, tier)
    assert result.pixels == NANO_BANANA_2.pixels[tier][ratio]
    assert (warned(result) == {}) is exact


def test_the_warning_says_what_will_be_delivered() -> None:
    assert warned(settled(size="1024x1536")) == {"size": "1024x1536 is delivered as 848x1264 (2:3 at 1K)"}


@pytest.mark.parametrize("model", [NANO_BANANA_2, ONE_TIER])
def test_every_size_of_the_models_own_table_is_found_exactly(model: PublicModel) -> None:
    for tier, table in model.pixels.items():
        for ratio, (width, height) in table.items():
            assert settled(model, size=f"{width}x{height}") == Settled(ratio, tier, (width, height))


def test_the_table_is_asked_before_the_nearest_is_sought() -> None:
    odd = replace(TWO_FAR_TIERS, aspect_ratios=("1:1", "2:1"), pixels={R512: {"2:1": (900, 900)}, R2K: {}})
    assert settled(odd, size="900x900") == Settled("2:1", R512, (900, 900))
    assert settled(odd, size="901x901").aspect_ratio == "1:1"


@pytest.mark.parametrize("text", ["1264X848", "1264×848", "1264*848", " 1264 x 848 ", "1264px x 848px"])
def test_pixels_may_be_written_in_many_ways(text: str) -> None:
    assert settled(size=text) == Settled("3:2", R1K, (1264, 848))


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        ("512", R512), ("512px", R512), ("0.5K", R512), ("0.5k", R512), (512, R512), ("1k", R1K), ("1024", R1K),
        (1024, R1K), (1024.0, R1K), ("2K", R2K), ("2k", R2K), (2048, R2K), ("4 K", R4K), (4096, R4K), ("4096px", R4K),
    ],
)  # fmt: skip
@pytest.mark.parametrize("param", ["resolution", "image_size", "aspect_ratio"])
def test_a_tier_is_understood_in_every_spelling_and_parameter(value: object, tier: Resolution, param: str) -> None:
    assert settled_by({param: value}) == Settled(None, tier, None)


@pytest.mark.parametrize("value", ["16:9", "16/9", "16x9", "16 : 9", "1920:1080", "1.78:1", "32x18"])
@pytest.mark.parametrize("param", ["resolution", "imageSize", "aspect_ratio"])
def test_a_ratio_is_understood_in_every_spelling_and_parameter(value: str, param: str) -> None:
    assert settled_by({param: value}) == Settled("16:9", R1K, (1376, 768))


def test_an_object_of_width_and_height_is_a_size() -> None:
    assert settled(image_size={"width": 2752, "height": 1536}) == Settled("16:9", R2K, (2752, 1536))


@pytest.mark.parametrize("value", ["auto", "AUTO", " auto ", "default", "match_input_image"])
def test_auto_leaves_the_choice_to_the_model(value: str) -> None:
    assert settled(size=value, aspect_ratio=value, resolution=value) == Settled(None, R1K, None)


@pytest.mark.parametrize(
    "value",
    [
        "foo", "0x0", "-1x5", "99999999x1", "16385x16385", "1024x", "x1024", "1024x1024x3", "0:1", "1:0", "16:", "21:1",
        "1:21", "1000x49", "3K", "1023", 0, -1, 1.5, True, [], {}, ["1024x1024"], {"width": 5}, "9" * 5000,
        "１024x1024", "1e3x1e3", "nan:nan", "inf:1", "\x00", {"width": None, "height": 1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("param", ["size", "image_config.aspectRatio"])
def test_what_is_no_size_is_refused_by_name_with_what_would_be_right(value: object, param: str) -> None:
    with pytest.raises(ParameterError) as refused:
        spelling(param, value)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, param, "invalid_value")
    assert param in refused.value.message
    assert any(right in refused.value.message for right in ('"1024x1024"', '"16:9"', "20:1"))
    assert len(refused.value.message) < 300


def test_nothing_said_leaves_the_ratio_open_and_takes_the_default_tier() -> None:
    assert settle(TWO_FAR_TIERS, SizeWishes()) == Settled(None, R512, None)


def test_extras_rule_over_the_suffix_and_the_suffix_over_size() -> None:
    by_all = settled(suffix=R2K, size="512x512", resolution="4K")
    assert (by_all.aspect_ratio, by_all.resolution, by_all.pixels) == ("1:1", R4K, (4096, 4096))
    assert set(warned(by_all)) == {"model", "size"}
    assert "resolution" in warned(by_all)["model"]
    assert "resolution" in warned(by_all)["size"]

    by_suffix = settled(suffix=R2K, size="1024x1024")
    assert (by_suffix.aspect_ratio, by_suffix.resolution) == ("1:1", R2K)
    assert warned(by_suffix) == {"size": "1024x1024 is overruled by model"}


def test_a_ratio_in_an_extra_overrules_the_one_in_size() -> None:
    result = settled(size="1024x1024", aspect_ratio="16:9")
    assert (result.aspect_ratio, result.resolution, result.pixels) == ("16:9", R1K, (1376, 768))
    assert warned(result) == {"size": "1024x1024 is overruled by aspect_ratio"}


def test_size_and_extras_that_agree_warn_of_nothing() -> None:
    assert settled(suffix=R2K, size="2528x1696", aspect_ratio="3:2", resolution="2k").warnings == ()


def test_size_may_give_the_ratio_and_an_extra_the_tier() -> None:
    assert settled(size="16:9", resolution="4K") == Settled("16:9", R4K, (5504, 3072))


def test_extras_that_say_the_same_in_other_words_are_no_conflict() -> None:
    result = settled(aspect_ratio="16:9", resolution="1376x768", image_size="1k")
    assert result == Settled("16:9", R1K, (1376, 768))


@pytest.mark.parametrize(
    ("extras", "at_fault"),
    [
        ({"aspect_ratio": "16:9", "image_config.aspect_ratio": "1:1"}, "image_config.aspect_ratio"),
        ({"resolution": "1K", "image_size": "2K"}, "image_size"),
        ({"aspect_ratio": "16:9", "resolution": "1024x1024"}, "resolution"),
        ({"aspect_ratio": "1376x768", "resolution": "4K"}, "resolution"),
    ],
)
def test_two_extras_that_differ_are_refused(extras: dict[str, object], at_fault: str) -> None:
    with pytest.raises(ParameterError) as refused:
        settled_by(extras)
    assert (refused.value.param, refused.value.code) == (at_fault, "invalid_value")
    assert all(name in refused.value.message for name in extras)


@pytest.mark.parametrize("value", ["2K", "512", "2048x2048"])
def test_a_tier_in_an_extra_is_a_demand(value: str) -> None:
    with pytest.raises(ParameterError) as refused:
        settled(ONE_TIER, resolution=value)
    assert (refused.value.param, refused.value.code) == ("resolution", "unsupported_value")
    assert "1K" in refused.value.message


@pytest.mark.parametrize(("size", "said"), [("2K", "no 2K"), ("2048x2048", "1024x1024 (1:1 at 1K)")])
def test_a_tier_in_size_is_a_wish(size: str, said: str) -> None:
    result = settled(ONE_TIER, size=size)
    assert result.resolution is R1K
    assert said in warned(result)["size"]


def test_of_two_tiers_equally_near_the_larger_is_taken() -> None:
    assert settled(TWO_FAR_TIERS, size="1024x1024").resolution is R2K


def test_a_ratio_in_an_extra_is_a_demand_and_the_refusal_lists_the_ratios() -> None:
    with pytest.raises(ParameterError) as refused:
        settled(ONE_TIER, aspect_ratio="21:9")
    assert (refused.value.param, refused.value.code) == ("aspect_ratio", "unsupported_value")
    assert "1:1, 2:3, 3:2, 16:9" in refused.value.message


def test_a_ratio_in_size_is_a_wish() -> None:
    result = settled(ONE_TIER, size="21:9")
    assert result.aspect_ratio == "16:9"
    assert warned(result) == {"size": "gemini-2.5-flash-image has no 21:9; the image is delivered as 16:9"}


def test_pixels_in_an_extra_take_the_nearest_ratio_and_say_so() -> None:
    result = settled(resolution="1920x1080")
    assert (result.aspect_ratio, result.resolution) == ("16:9", R1K)
    assert warned(result) == {"resolution": "1920x1080 is delivered as 1376x768 (16:9 at 1K)"}


def test_a_suffix_the_model_has_not_is_refused() -> None:
    with pytest.raises(ParameterError) as refused:
        settled(ONE_TIER, suffix=R4K)
    assert refused.value.param == "model"


edges = st.integers(min_value=33, max_value=16_384)


@given(width=edges, height=edges)
def test_any_pixels_settle_on_something_the_model_has(width: int, height: int) -> None:
    if not 1 / 20 <= width / height <= 20:
        with pytest.raises(ParameterError):
            spelling("size", f"{width}x{height}")
        return
    result = settled(size=f"{width}x{height}")
    assert result.aspect_ratio in NANO_BANANA_2.aspect_ratios
    assert result.resolution in NANO_BANANA_2.resolutions
    assert result.pixels == NANO_BANANA_2.pixels[result.resolution][result.aspect_ratio]
    assert (result.warnings == ()) is (result.pixels == (width, height))


@given(width=edges, height=edges)
def test_no_ratio_of_the_model_lies_nearer_than_the_one_taken(width: int, height: int) -> None:
    said = Spelling("size", "", pixels=(width, height))
    if any((width, height) in table.values() for table in NANO_BANANA_2.accepted_pixels.values()):
        return
    ratio = settle(NANO_BANANA_2, SizeWishes(said)).aspect_ratio
    assert ratio is not None
    if any((width, height) in table.values() for table in NANO_BANANA_2.pixels.values()):
        return

    def distance(of: str) -> float:
        return abs(math.log(value_of(of)) - math.log(width / height))

    assert distance(ratio) <= min(map(distance, NANO_BANANA_2.aspect_ratios)) + 1e-12


@given(st.one_of(st.text(max_size=12), st.from_regex(r"\A[0-9]{0,6}[x:/*.]?[0-9]{0,6}[kKp]?[x]?\Z"), st.integers()))
def test_whatever_is_written_is_understood_or_refused(value: object) -> None:
    try:
        said = spelling("size", value)
    except ParameterError:
        return
    if said is not None:
        assert sum(part is not None for part in (said.ratio, said.tier, said.pixels)) == 1
        settle(ONE_TIER, SizeWishes(size=said))
