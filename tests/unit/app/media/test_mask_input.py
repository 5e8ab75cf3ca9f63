"""Masks: what marks something in the first image's size is taken as PNG; all else is refused, saying what is right."""

from __future__ import annotations

import pytest
from PIL import Image

from app.media.mask_input import checked_mask
from app.media.sniff import NotAnImageError
from providers.blobs import MemoryBlob
from tests.unit.app.media.photographs import PLACE, bomb, exif, opened, saved, scene

SIZE = (96, 64)


def hole(size: tuple[int, int] = SIZE, mode: str = "RGBA") -> Image.Image:
    """White, with a transparent rectangle in the upper left corner."""
    image = Image.new("RGBA", size, "white")
    image.paste((0, 0, 0, 0), (0, 0, 20, 10))
    return image.convert(mode)


def made(data: bytes, size: tuple[int, int] = SIZE) -> Image.Image:
    blob = checked_mask(MemoryBlob(data), size)
    assert blob.media_type == "image/png"
    picture = opened(blob.read())
    assert picture.format == "PNG"
    assert PLACE not in blob.read()
    return picture


def refused(data: bytes, size: tuple[int, int] = SIZE) -> str:
    with pytest.raises(NotAnImageError) as raised:
        checked_mask(MemoryBlob(data), size)
    return str(raised.value)


def alpha(picture: Image.Image) -> bytes:
    return picture.convert("RGBA").getchannel("A").tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_png_with_alpha_passes_as_it_is(mode: str) -> None:
    data = saved(hole(mode=mode), "PNG")
    assert checked_mask(MemoryBlob(data), SIZE).read() == data
    assert alpha(made(data)) == alpha(hole())


def test_a_palette_with_a_transparent_colour_marks_too() -> None:
    assert alpha(made(saved(hole().quantize(), "PNG"))) == alpha(hole())
    keyed = Image.new("L", SIZE, 255)
    keyed.paste(0, (0, 0, 20, 10))
    assert alpha(made(saved(keyed, "PNG", transparency=0))) == alpha(hole())


def test_a_webp_becomes_png() -> None:
    assert alpha(made(saved(hole(), "WEBP", lossless=True))) == alpha(hole())


def test_exif_goes_and_turns_the_mask_it_stands_in() -> None:
    data = saved(hole(), "PNG", exif=exif(6))
    assert PLACE in data
    assert alpha(made(data, (64, 96))) == alpha(hole().transpose(Image.Transpose.ROTATE_270))
    assert made(saved(hole(), "PNG", exif=exif(1))).size == SIZE


def test_a_soft_mask_marks_by_its_partly_transparent_pixels() -> None:
    soft = Image.new("RGBA", SIZE, (0, 0, 0, 255))
    soft.putpixel((3, 3), (0, 0, 0, 128))
    made(saved(soft, "PNG"))


def test_another_size_is_refused_with_both() -> None:
    said = refused(saved(hole((64, 96)), "PNG"))
    assert "64x96" in said
    assert "96x64" in said


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_black_and_white_without_transparency_is_refused(mode: str) -> None:
    assert "alpha 0" in refused(saved(scene().convert(mode), "PNG"))


def test_a_mask_that_is_all_opaque_marks_nothing() -> None:
    assert "marks nothing" in refused(saved(Image.new("RGBA", SIZE, "white"), "PNG"))


@pytest.mark.parametrize("format", ["JPEG", "GIF", "BMP", "HEIC"])
def test_another_format_is_refused(format: str) -> None:
    assert f"it is {format}" in refused(saved(scene(), format))


def test_a_mask_is_held_to_what_images_are_held_to() -> None:
    data = saved(hole(), "PNG")
    assert "ends before" in refused(data[:-20])
    assert "behind the end" in refused(data + b"PK\x03\x04")
    assert "50000" in refused(bomb())
    assert "empty" in refused(b"")
