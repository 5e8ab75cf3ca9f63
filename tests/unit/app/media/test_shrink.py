"""Shrinking: never more than the limit, all pixels as long as they fit, transparency and colours kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.media.shrink import WEBP_EDGE, shrunk
from app.media.sniff import NotAnImageError
from providers.blobs import MemoryBlob
from tests.unit.app.media.photographs import PLACE, difference, exif, opened, saved, scene


def noisy(width: int = 900, height: int = 600, mode: str = "RGB") -> Image.Image:
    """A picture that compresses badly, with something to recognise."""
    noise = Image.effect_noise((width, height), 40)
    image = Image.blend(Image.merge("RGB", (noise, noise, noise)), scene(width, height), 0.6)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((width, height)))
    return image if image.mode == mode else image.convert(mode)


def made(data: bytes, limit: int) -> Image.Image:
    blob, changed = shrunk(MemoryBlob(data), limit)
    assert changed
    assert blob.length <= limit
    picture = opened(blob.read())
    assert blob.media_type == f"image/{(picture.format or '').lower()}"
    return picture


def test_what_fits_is_the_blob_itself() -> None:
    blob = MemoryBlob(saved(noisy(), "PNG"), "image/png")
    assert shrunk(blob, blob.length) == (blob, False)
    assert shrunk(blob, blob.length)[0] is blob


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_as_long_as_lower_quality_is_enough_all_pixels_stay(format: str) -> None:
    data = saved(noisy(), format, quality=100)
    picture = made(data, len(data) // 2)
    assert picture.format == "JPEG"
    assert picture.size == (900, 600)
    assert difference(picture, noisy()) < 30


def test_then_there_are_fewer_pixels_of_the_same_ratio() -> None:
    data = saved(noisy(), "PNG")
    picture = made(data, 20_000)
    assert picture.width < 900
    assert picture.width / picture.height == pytest.approx(1.5, rel=0.03)
    shown = picture.resize((30, 20), Image.Resampling.BOX)
    assert difference(shown, noisy().resize((30, 20), Image.Resampling.BOX)) < 8


@settings(max_examples=25, deadline=None)
@given(limit=st.integers(1_200, 400_000), mode=st.sampled_from(["RGB", "RGBA", "L", "P", "LA"]))
def test_no_limit_is_passed(limit: int, mode: str) -> None:
    blob, _ = shrunk(MemoryBlob(saved(noisy(300, 200, mode), "PNG")), limit)
    assert blob.length <= limit


@pytest.mark.parametrize("limit", [200_000, 20_000])
def test_transparency_stays(limit: int) -> None:
    picture = made(saved(noisy(mode="RGBA"), "PNG"), limit)
    assert picture.format == "WEBP"
    assert picture.mode == "RGBA"
    assert min(picture.getchannel("A").tobytes()) < 10


def test_a_transparent_picture_longer_than_webp_can_be_is_made_to_fit() -> None:
    long = Image.new("RGBA", (WEBP_EDGE + 500, 40))
    long.paste(noisy(WEBP_EDGE, 20).convert("RGBA"))
    picture = made(saved(long, "PNG", compress_level=0), 2_000_000)
    assert picture.width == WEBP_EDGE


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_grey_and_print_colours_can_be_shrunk(mode: str) -> None:
    data = saved(noisy(mode=mode), "JPEG", quality=100)
    picture = made(data, len(data) // 2)
    assert difference(picture, noisy(mode=mode)) < 30


def test_sixteen_bits_of_grey_can_be_shrunk() -> None:
    wide = noisy(mode="L").convert("I").point(lambda level: level * 257).convert("I;16")
    assert difference(made(saved(wide, "PNG"), 300_000), noisy(mode="L")) < 30


def test_the_colour_profile_stays_unless_it_takes_too_much_of_the_limit() -> None:
    data = saved(noisy(), "PNG", icc_profile=b"p" * 5_000, exif=exif(1))
    assert made(data, 100_000).info["icc_profile"] == b"p" * 5_000
    assert "icc_profile" not in made(data, 30_000).info
    assert PLACE not in shrunk(MemoryBlob(data), 100_000)[0].read()


def test_what_cannot_be_shrunk_is_told() -> None:
    with pytest.raises(NotAnImageError, match="cannot be made to fit"):
        shrunk(MemoryBlob(saved(noisy(60, 40), "PNG")), 10)
    with pytest.raises(NotAnImageError):
        shrunk(MemoryBlob(b"\x89PNG\r\n\x1a\n" + b"x" * 5_000), 1_000)
