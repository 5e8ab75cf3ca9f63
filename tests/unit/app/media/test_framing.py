"""Framing: nothing is distorted, nothing reaches beyond the picture, and what need not move stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media.framing import PAD_TOLERANCE, Box, bounded, covering, framed

EDGES = st.integers(1, 5000)
SIZES = st.tuples(EDGES, EDGES)
RATIOS = ("1:1", "16:9", "9:16", "21:9", "1:8", "8:1", "4:5", "3:2")


@given(SIZES, SIZES)
def test_the_covering_part_has_the_targets_ratio_and_fills_one_direction(
    size: tuple[int, int], target: tuple[int, int]
) -> None:
    box = covering(size, target)
    assert 0 <= box.left < box.right <= size[0]
    assert 0 <= box.top < box.bottom <= size[1]
    assert box.width / box.height == pytest.approx(target[0] / target[1], rel=1e-6)
    assert box.width == pytest.approx(size[0]) or box.height == pytest.approx(size[1])


@given(SIZES, st.integers(0, 40))
def test_a_part_that_is_only_cropped_begins_at_a_whole_pixel(size: tuple[int, int], less: int) -> None:
    width = max(1, size[0] - less)
    left = (size[0] - width) // 2
    assert covering(size, (width, size[1])) == (left, 0, left + width, size[1])


def test_a_box_within_another_never_reaches_beyond_it() -> None:
    assert Box(1, 2, 30, 40).within(Box(5, 5, 20, 100)) == (6, 7, 20, 45)


@given(SIZES, st.sampled_from(RATIOS))
def test_a_frame_has_its_ratio_and_holds_the_whole_picture_in_the_middle(size: tuple[int, int], ratio: str) -> None:
    frame = framed(size, ratio, area=10**12, edge=10**6)
    left, top, right, bottom = frame.inner
    assert (right - left, bottom - top) == size
    assert abs(left - (frame.size[0] - right)) <= 1
    assert abs(top - (frame.size[1] - bottom)) <= 1
    across, _, down = ratio.partition(":")
    asked = float(across) / float(down)
    if frame.padded:
        assert left == 0 or top == 0
        # rounded by half a pixel at most
        assert abs(frame.size[0] - frame.size[1] * asked) <= max(1.0, asked)
    else:
        assert max(asked * size[1] / size[0], size[0] / size[1] / asked) <= 1 + PAD_TOLERANCE + 2 / min(size)


@given(SIZES, st.sampled_from(RATIOS))
def test_a_padded_frame_keeps_its_bounds(size: tuple[int, int], ratio: str) -> None:
    frame = framed(size, ratio, area=1_000_000, edge=2000)
    if frame.padded:
        assert max(frame.size) <= 2001
        assert frame.size[0] * frame.size[1] <= 1_010_000
        left, top, right, bottom = frame.inner
        assert 0 <= left < right <= frame.size[0]
        assert 0 <= top < bottom <= frame.size[1]


@pytest.mark.parametrize("size", [(1376, 768), (1584, 672), (848, 1264), (1024, 1024)])
def test_a_models_own_sizes_are_not_padded_to_their_own_ratios(size: tuple[int, int]) -> None:
    ratio = {1376: "16:9", 1584: "21:9", 848: "2:3", 1024: "1:1"}[size[0]]
    assert not framed(size, ratio, area=1000, edge=10).padded


def test_without_a_ratio_the_frame_is_the_picture() -> None:
    assert framed((777, 33), None, area=1, edge=1).size == (777, 33)


@given(SIZES)
def test_a_bounded_size_keeps_its_bounds_and_stays_what_it_is_within_them(size: tuple[int, int]) -> None:
    width, height = bounded(size, area=1_000_000, edge=1500)
    assert width * height <= 1_000_000
    assert max(width, height) <= 1500
    if size[0] * size[1] <= 1_000_000 and max(size) <= 1500:
        assert (width, height) == size
