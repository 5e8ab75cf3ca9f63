"""Plain pixels: whatever a file's mode, colours and rotation, RGB or RGBA comes out, and damage has one name."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from app.media.plain import MAX_PIXELS, TooLargeError, UndecodableError, check_bounds, decoded, in_srgb
from tests.unit.app.media.pictures import VARIANTS, picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def file(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("image", "options", "pixel"),
    [
        (Image.new("L", (4, 3), 77), {}, (77, 77, 77)),
        (Image.new("LA", (4, 3), (77, 30)), {}, (77, 77, 77, 30)),
        (Image.new("1", (4, 3), 1), {}, (255, 255, 255)),
        (Image.new("I;16", (4, 3), 0x4D4D), {}, (77, 77, 77)),
        (Image.new("RGB", (4, 3), (1, 2, 3)), {"transparency": (1, 2, 3)}, (1, 2, 3, 0)),
        (Image.new("RGB", (4, 3), (1, 2, 3)).quantize(4), {}, (1, 2, 3)),
    ],
)
def test_every_mode_becomes_rgb_or_rgba(image: Image.Image, options: dict[str, Any], pixel: tuple[int, ...]) -> None:
    plain = decoded(file(image, **options))
    assert plain.mode == ("RGBA" if len(pixel) == 4 else "RGB")
    assert plain.getpixel((1, 1)) == pixel


def test_cmyk_becomes_rgb() -> None:
    plain = decoded(file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = plain.getpixel((4, 4))  # type: ignore[misc]
    assert plain.mode == "RGB"
    assert (red, green, blue) == pytest.approx((255, 0, 0), abs=3)


def test_a_rotation_in_exif_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (8, 4), "white")
    image.putpixel((0, 0), (0, 0, 0))
    plain = decoded(file(image, exif=exif.tobytes()))
    assert plain.size == (4, 8)
    assert plain.getpixel((3, 0)) == (0, 0, 0)
    assert plain.getexif().get(0x0112, 1) == 1


def test_damaged_exif_costs_the_exif_and_not_the_picture() -> None:
    plain = decoded(file(Image.new("RGB", (8, 4)), exif=b"Exif\x00\x00not a tiff at all"))
    assert plain.size == (8, 4)
    assert "exif" not in plain.info


def test_damaged_exif_that_the_reader_has_looked_at_before_is_dropped_too() -> None:
    data = file(Image.new("RGB", (16, 16)), "JPEG", exif=b"Exif\x00\x00not a tiff at all")
    plain = decoded(data[:2] + data[20:])  # without the JFIF segment the reader asks EXIF for the resolution
    assert plain.size == (16, 16)
    assert "exif" not in plain.info


def test_a_profile_is_kept_only_where_it_is_for_rgb() -> None:
    assert decoded(file(Image.new("RGB", (4, 4)), icc_profile=SRGB)).info["icc_profile"] == SRGB
    assert "icc_profile" not in decoded(file(Image.new("RGB", (4, 4)), icc_profile=LAB)).info
    assert "icc_profile" not in decoded(file(Image.new("L", (4, 4)), icc_profile=b"damaged" * 30)).info


def test_colours_of_a_profile_become_srgb_and_a_damaged_one_changes_nothing() -> None:
    image = Image.new("RGB", (4, 4), (10, 100, 200))
    assert in_srgb(image) is image
    for profile in (SRGB, b"damaged" * 30):
        image.info["icc_profile"] = profile
        converted = in_srgb(image)
        assert converted.getpixel((0, 0)) == (10, 100, 200)
        assert "icc_profile" not in converted.info


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    header = struct.pack(">II5B", 10_000, MAX_PIXELS // 10_000 + 1, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    body = b"IDAT" + zlib.compress(b"")
    data += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(TooLargeError):
        decoded(data)


@pytest.mark.parametrize(("size", "fits"), [((16_384, 4000), True), ((16_385, 1), False), ((8945, 8945), False)])
def test_bounds_are_of_edges_and_of_pixels(size: tuple[int, int], fits: bool) -> None:
    if fits:
        check_bounds(*size)
    else:
        with pytest.raises(TooLargeError):
            check_bounds(*size)


@given(st.sampled_from(list(VARIANTS)), st.integers(0, 2**31), st.binary(min_size=1, max_size=30), st.booleans())
def test_damage_has_one_name(variant: str, at: int, noise: bytes, cut: bool) -> None:
    format, options = VARIANTS[variant]
    data = picture(format, 64, 48, **options)
    at %= len(data)
    damaged = data[:at] if cut else data[:at] + noise + data[at + len(noise) :]
    with contextlib.suppress(UndecodableError, TooLargeError):
        assert decoded(damaged).mode in ("RGB", "RGBA")
