"""One flat colour is found in every format, and no picture with anything on it is taken for one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageDraw

from app.media.flat import is_flat
from app.media.plain import TooLargeError, UndecodableError
from tests.unit.app.media.pictures import picture

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF")


def file(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def flat(data: bytes) -> bool:
    return is_flat(data, *Image.open(io.BytesIO(data)).size)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("colour", ["black", "white", (13, 200, 99)])
@pytest.mark.parametrize("size", [(1024, 1024), (1376, 768), (37, 41)])
def test_one_colour_is_flat(format: str, colour: Any, size: tuple[int, int]) -> None:
    assert flat(file(Image.new("RGB", size, colour), format))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16"])
def test_one_colour_is_flat_in_every_mode(mode: str) -> None:
    assert flat(file(Image.new(mode, (256, 256)), "PNG"))


def test_lossy_noise_does_not_hide_a_flat_picture() -> None:
    # Shades of two levels, as an upscaled or recompressed placeholder has them.
    shades = Image.effect_noise((512, 512), 1).point(lambda level: 20 + (level > 128))
    assert flat(file(shades.convert("RGB"), "JPEG", quality=60))
    assert flat(file(shades.convert("RGB"), "WEBP", quality=40))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("ground", ["black", "white"])
def test_small_text_on_a_flat_ground_is_a_picture(format: str, ground: str) -> None:
    image = Image.new("RGB", (1024, 1024), ground)
    ImageDraw.Draw(image).text((500, 500), "a", fill="grey")
    assert not flat(file(image, format))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_single_dot_is_a_picture(format: str) -> None:
    image = Image.new("RGB", (1024, 1024), "black")
    image.putpixel((333, 777), (255, 255, 255))
    assert not flat(file(image, format, **({"lossless": True} if format == "WEBP" else {})))


def test_a_faint_gradient_is_a_picture() -> None:
    faint = Image.linear_gradient("L").resize((1024, 1024)).point(lambda level: 240 + level // 16)
    for format in ("PNG", "JPEG", "WEBP"):
        assert not flat(file(faint.convert("RGB"), format))


def test_a_shape_in_the_transparency_alone_is_a_picture() -> None:
    image = Image.new("RGBA", (512, 512), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (100, 100, 200, 200))
    assert not flat(file(image, "PNG"))


def test_a_palette_with_one_colour_twice_is_flat() -> None:
    image = Image.new("P", (512, 512))
    image.putpalette([9, 9, 9] * 256)
    image.paste(200, (100, 100, 200, 200))
    assert flat(file(image, "PNG"))


def test_metadata_does_not_hide_a_flat_picture() -> None:
    assert flat(file(Image.new("RGB", (512, 512)), "JPEG", icc_profile=b"p" * 60_000))


def test_a_file_with_many_bytes_is_not_decoded() -> None:
    assert not is_flat(b"\x00" * 200_000, 1024, 1024)


def test_a_small_damaged_file_and_one_too_large_are_told_apart() -> None:
    data = picture("PNG", 512, 512)
    with pytest.raises(UndecodableError):
        is_flat(data[:60] + b"\xff" * 200 + data[260:], 512, 512)
    with pytest.raises(TooLargeError):
        is_flat(file(Image.new("1", (10_000, 8_001)), "PNG"), 10_000, 8_001)
