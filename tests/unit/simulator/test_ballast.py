"""Ballast: heavy files that show what the light ones showed."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from simulator.ballast import weighted
from simulator.paint import Format, Painter, Recipe
from simulator.vendors import Vendor

SIZE = (320, 200)


def painted(format_: Format, bytes_per_pixel: float = 0.0) -> bytes:
    return Painter(bytes_per_pixel).paint(Recipe(Vendor.GEMINI, "model", SIZE, format_, "a red fox"))


@pytest.mark.parametrize("format_", [Format.PNG, Format.JPEG])
@pytest.mark.parametrize("bytes_per_pixel", [1.0, 1.9, 4.0])
def test_a_weighted_picture_is_as_heavy_as_asked_and_shows_the_same(format_: Format, bytes_per_pixel: float) -> None:
    heavy, light = painted(format_, bytes_per_pixel), painted(format_)
    least = bytes_per_pixel * SIZE[0] * SIZE[1]
    assert least <= len(heavy) < least + 100
    with Image.open(io.BytesIO(heavy)) as one, Image.open(io.BytesIO(light)) as other:
        assert one.tobytes() == other.tobytes()


def test_what_is_heavy_enough_or_has_no_room_stays_as_it_is() -> None:
    assert weighted(painted(Format.PNG), 10) == painted(Format.PNG)
    webp = painted(Format.WEBP)
    assert weighted(webp, 1e6) == webp
