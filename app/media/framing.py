"""Framing: which part of a picture fills another shape, and which frame of a ratio holds a picture whole."""

from __future__ import annotations

import math
from typing import NamedTuple

Pixels = tuple[int, int]

PAD_TOLERANCE = 0.02
"""Relative difference of ratios up to which a picture is not padded. Models' own pictures miss their nominal ratio by
up to 1 % (1376x768 for 16:9, 1584x672 for 21:9); editing one again must not put bars on it."""


class Box(NamedTuple):
    """A part of a picture, in pixels from its upper left corner; not always whole ones."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels."""
        return self.bottom - self.top

    def within(self, outer: Box) -> Box:
        """This box, given inside ``outer``, from where ``outer`` is given."""
        left, top, right, bottom = self
        moved = Box(left + outer.left, top + outer.top, right + outer.left, bottom + outer.top)
        return Box(moved.left, moved.top, min(moved.right, outer.right), min(moved.bottom, outer.bottom))


class Frame(NamedTuple):
    """A frame of a ratio, and where a picture lies in it."""

    size: Pixels
    inner: tuple[int, int, int, int]
    """Left, top, right and bottom of the picture, whole pixels of the frame."""

    @property
    def padded(self) -> bool:
        """Whether anything of the frame shows beside the picture."""
        return self.inner != (0, 0, *self.size)


def alike(ratio: float, other: float) -> bool:
    """Whether two ratios differ by so little that a picture of one is taken as one of the other, slightly stretched."""
    return max(ratio / other, other / ratio) <= 1 + PAD_TOLERANCE


def covering(size: tuple[float, float], target: tuple[float, float]) -> Box:
    """The largest part of ``size``, around its centre, that has the ratio of ``target``.

    Where nothing would have to be scaled the part begins at a whole pixel, so that its pixels are copied as they are.
    """
    width, height = size
    scale = max(target[0] / width, target[1] / height)
    across, down = min(target[0] / scale, width), min(target[1] / scale, height)
    left, top = (width - across) / 2, (height - down) / 2
    if scale == 1:
        left, top = math.floor(left), math.floor(top)
    return Box(left, top, min(left + across, width), min(top + down, height))


def framed(size: Pixels, ratio: str | None, *, area: int, edge: int) -> Frame:
    """The frame of ``ratio`` (``"W:H"``) that holds a picture of ``size`` whole and in its middle.

    Without a ratio, or with one that ``size`` has within ``PAD_TOLERANCE``, the frame is the picture itself, however
    large. Otherwise frame and picture are scaled down together to ``area`` pixels and to edges of ``edge``.
    """
    width, height = size
    if ratio is None:
        return Frame(size, (0, 0, width, height))
    across, _, down = ratio.partition(":")
    asked = float(across) / float(down)
    actual = width / height
    if alike(asked, actual):
        return Frame(size, (0, 0, width, height))
    outer = (height * asked, float(height)) if asked > actual else (float(width), width / asked)
    scale = min(1.0, math.sqrt(area / (outer[0] * outer[1])), edge / max(outer))
    inner_width, inner_height = _scaled(size, scale)
    # The edge that the picture fills decides; the other one is rounded like any size.
    frame_width, frame_height = (max(1, round(value * scale)) for value in outer)
    frame_width, frame_height = max(frame_width, inner_width), max(frame_height, inner_height)
    left, top = (frame_width - inner_width) // 2, (frame_height - inner_height) // 2
    return Frame((frame_width, frame_height), (left, top, left + inner_width, top + inner_height))


def bounded(size: Pixels, *, area: int, edge: int) -> Pixels:
    """``size``, scaled down to at most ``area`` pixels and edges of ``edge`` where it is larger."""
    scale = min(1.0, math.sqrt(area / (size[0] * size[1])), edge / max(size))
    return size if scale == 1.0 else _floored(size, scale)


def _scaled(size: Pixels, scale: float) -> Pixels:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _floored(size: Pixels, scale: float) -> Pixels:
    return max(1, math.floor(size[0] * scale)), max(1, math.floor(size[1] * scale))
