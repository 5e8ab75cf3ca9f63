"""Masks: outside the mask the caller's picture stands to the bit, inside it the answer; the guide tells them apart."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw

from app.media.masks import GUIDE_SENTENCE, MAX_PADDED_PIXELS, Emulation, emulated
from providers.blobs import MemoryBlob

RED = (255, 0, 0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OTHER = MemoryBlob(b"another reference, passed on unread")


def file(image: Image.Image, format: str = "PNG", **options: Any) -> MemoryBlob:
    out = io.BytesIO()
    image.save(out, format, **options)
    return MemoryBlob(out.getvalue(), f"image/{format.lower()}")


def read(blob: Any) -> Image.Image:
    image = Image.open(io.BytesIO(blob.read()))
    image.load()
    return image


def photo(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    wave = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (wave, wave.rotate(180), Image.effect_noise(size, 60)))
    if mode == "RGBA":
        image.putalpha(Image.radial_gradient("L").resize(size))
    return image.quantize(64) if mode == "P" else image.convert(mode)


def mask(size: tuple[int, int], *hole: int) -> Image.Image:
    """Opaque but for a clear rectangle (left, top, right, bottom; the last two not included)."""
    picture = Image.new("RGBA", size, (0, 0, 0, 255))
    if hole:
        picture.paste((0, 0, 0, 0), (hole[0], hole[1], hole[2], hole[3]))
    return picture


def emulation(original: Image.Image, mask: Image.Image, **options: Any) -> Emulation:
    chosen = {"ratio": None, "canvas": None} | options
    return emulated((file(original), OTHER), file(mask), "make it night", **chosen)


def equal(one: Image.Image, other: Image.Image) -> bool:
    return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


def test_what_is_sent_is_the_first_image_the_others_and_last_the_guide() -> None:
    first = file(photo((301, 203)))
    made = emulated((first, OTHER), file(mask((301, 203), 10, 20, 110, 90)), "make it night", ratio=None, canvas=None)
    assert made.images[:2] == (first, OTHER)
    guide = read(made.images[2])
    expected = Image.new("RGB", (301, 203))
    expected.paste((255, 255, 255), (10, 20, 110, 90))
    assert equal(guide, expected)
    assert made.prompt == f"make it night\n\n{GUIDE_SENTENCE}"
    assert made.warning.parameter == "mask"
    assert "emulated" in made.warning.message
    assert "night" not in repr(made)


@pytest.mark.parametrize("size", [(300, 200), (301, 203), (17, 999)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
@pytest.mark.parametrize("scale", [1, 0.37, 2.5])
def test_outside_the_mask_every_pixel_is_the_callers_and_inside_none(
    size: tuple[int, int], mode: str, scale: float
) -> None:
    original = photo(size, mode)
    hole = (5, 7, size[0] // 2 + 5, size[1] // 2)
    answer = Image.new("RGB", (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), RED)
    result = emulation(original, mask(size, *hole)).composite(answer)
    plain = original.convert("RGBA" if mode == "RGBA" else "RGB")
    expected = plain.copy()
    expected.paste(RED if mode != "RGBA" else (*RED, 255), hole)
    assert equal(result, expected)


def test_the_answer_is_not_changed_by_putting_it_together() -> None:
    answer = Image.new("RGB", (60, 40), RED)
    emulation(photo((60, 40)), mask((60, 40), 0, 0, 10, 10)).composite(answer)
    assert answer.getcolors() == [(2400, RED)]


def test_a_jpeg_original_is_the_callers_pixels_as_decoded() -> None:
    first = file(photo((200, 120)), "JPEG", quality=80)
    made = emulated((first,), file(mask((200, 120), 50, 50, 90, 90)), "x", ratio=None, canvas=None)
    result = made.composite(Image.new("RGB", (1024, 614), RED))
    expected = read(first)
    expected.paste(RED, (50, 50, 90, 90))
    assert equal(result, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_soft_edges_mix_and_both_ends_are_exact(mode: str) -> None:
    size = (256, 40)
    original = photo(size, mode)
    soft = Image.new("RGBA", size)
    soft.putalpha(Image.linear_gradient("L").rotate(90).resize(size))
    alpha = soft.getchannel("A")
    result = emulation(original, soft).composite(Image.new("RGB", size, RED))
    for x in range(256):
        kept, was, now = alpha.getpixel((x, 9)), original.getpixel((x, 9)), result.getpixel((x, 9))
        assert isinstance(kept, int)
        assert isinstance(was, tuple)
        assert isinstance(now, tuple)
        if kept == 255:
            assert now == was
        elif kept == 0:
            assert now == (RED if mode == "RGB" else (*RED, 255))
        elif mode == "RGB":
            share = kept / 255
            assert now == pytest.approx([w * share + r * (1 - share) for w, r in zip(was, RED, strict=True)], abs=1)
        else:
            assert now[3] == pytest.approx(was[3] * kept / 255 + 255 - kept, abs=1)


def test_colours_under_full_transparency_do_not_bleed_into_a_soft_edge() -> None:
    original = Image.new("RGBA", (8, 8), (0, 255, 0, 0))
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    result = emulation(original, half).composite(Image.new("RGB", (8, 8), RED))
    assert result.getpixel((4, 4)) == (255, 0, 0, 127)


def test_colours_under_full_transparency_stay_outside_the_mask() -> None:
    original = Image.new("RGBA", (8, 8), (1, 2, 3, 0))
    result = emulation(original, mask((8, 8), 0, 0, 4, 8)).composite(Image.new("RGB", (8, 8), RED))
    assert result.getpixel((6, 4)) == (1, 2, 3, 0)
    assert result.getpixel((1, 4)) == (*RED, 255)


def test_a_transparent_answer_stays_transparent_inside() -> None:
    original = photo((60, 40))
    answer = Image.new("RGBA", (60, 40), (9, 9, 9, 0))
    expected = original.convert("RGBA")
    expected.paste((9, 9, 9, 0), (0, 0, 10, 10))
    assert equal(emulation(original, mask((60, 40), 0, 0, 10, 10)).composite(answer), expected)


@pytest.mark.parametrize(("size", "ratio"), [((300, 200), "1:1"), ((301, 203), "1:1"), ((99, 301), "16:9")])
@pytest.mark.parametrize("edge", [64, 700, 1024])
def test_padding_keeps_the_geometry_of_what_is_sent_and_is_cut_off_the_answer(
    size: tuple[int, int], ratio: str, edge: int
) -> None:
    original = photo(size)
    ImageDraw.Draw(original).rectangle((40, 60, 59, 89), fill="blue")
    made = emulation(original, mask(size, 20, 40, 80, 120), ratio=ratio)
    sent, guide = read(made.images[0]), read(made.images[-1])
    across, _, down = ratio.partition(":")
    assert sent.size == guide.size
    assert sent.width / sent.height == pytest.approx(float(across) / float(down), rel=0.01)
    left, top, right, bottom = made.frame.inner
    assert equal(sent.crop((left, top, right, bottom)), original)
    assert guide.getbbox() == (left + 20, top + 40, left + 80, top + 120)
    # A provider that paints exactly what it was sent, at a size of its own: inside the mask the picture is the same.
    answer = sent.resize((edge, round(edge * sent.height / sent.width)), Image.Resampling.LANCZOS)
    result = made.composite(answer)
    assert result.size == size
    marked = result.crop((44, 66, 56, 84)).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert marked == pytest.approx((0, 0, 255), abs=40)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_png_is_padded_without_loss(mode: str) -> None:
    made = emulation(photo((300, 200), mode), mask((300, 200), 0, 0, 9, 9), ratio="1:1")
    assert made.images[0].media_type == "image/png"
    assert equal(read(made.images[0]).crop(made.frame.inner), read(made.original))


def test_a_photograph_is_padded_as_a_photograph() -> None:
    first = file(photo((300, 200)), "JPEG", icc_profile=SRGB)
    made = emulated((first,), file(mask((300, 200), 0, 0, 9, 9)), "x", ratio="1:1", canvas=None)
    sent = read(made.images[0])
    assert (made.images[0].media_type, sent.format, sent.info["icc_profile"]) == ("image/jpeg", "JPEG", SRGB)


def test_a_picture_of_the_ratio_is_sent_as_it_is() -> None:
    first = file(photo((688, 384)))
    made = emulated((first,), file(mask((688, 384), 0, 0, 9, 9)), "x", ratio="16:9", canvas=None)
    assert made.images[0] is first


def test_padding_for_an_extreme_ratio_is_bounded() -> None:
    made = emulation(Image.new("L", (3000, 2000), 9), mask((3000, 2000), 0, 0, 900, 900), ratio="1:8")
    width, height = read(made.images[0]).size
    assert width * height <= MAX_PADDED_PIXELS
    assert height / width == pytest.approx(8, rel=0.01)
    assert made.composite(Image.new("RGB", (384, 3072), RED)).size == (3000, 2000)


def test_an_answer_of_another_ratio_is_cropped_and_not_distorted() -> None:
    original = photo((400, 400))
    answer = Image.new("RGB", (800, 400), "black")
    answer.paste(RED, (200, 0, 600, 400))
    result = emulation(original, mask((400, 400), 0, 0, 400, 400)).composite(answer)
    assert result.getcolors() == [(160_000, RED)]


@pytest.mark.parametrize("canvas", [(150, 100), (600, 400), (200, 200), (333, 77)])
def test_a_canvas_of_another_size_shows_the_picture_resized_once(canvas: tuple[int, int]) -> None:
    original = photo((300, 200))
    result = emulation(original, mask((300, 200)), canvas=canvas).composite(Image.new("RGB", (30, 20), RED))
    width, height = (
        (300, 300 * canvas[1] / canvas[0]) if canvas[0] / canvas[1] > 1.5 else (200 * canvas[0] / canvas[1], 200)
    )
    left, top = (300 - width) / 2, (200 - height) / 2
    expected = original.resize(canvas, Image.Resampling.LANCZOS, box=(left, top, left + width, top + height))
    assert result.size == canvas
    assert max(high for _, high in ImageChops.difference(result, expected).getextrema()) <= 1  # type: ignore[misc]


def test_the_callers_profile_is_kept_and_the_answers_is_not() -> None:
    original = photo((60, 40))
    answer = Image.new("RGB", (60, 40), RED)
    answer.info = {"icc_profile": b"the answer's", "xmp": b"x"}
    made = emulated((file(original, icc_profile=SRGB),), file(mask((60, 40))), "x", ratio=None, canvas=None)
    assert made.composite(answer).info == {"icc_profile": SRGB}
    assert emulation(original, mask((60, 40))).composite(answer).info == {}


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="mask"):
        emulation(photo((60, 40)), mask((40, 60)))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([None, "1:1", "21:9", "1:8", "8:1", "4:5"]),
    st.one_of(st.none(), st.tuples(st.integers(1, 90), st.integers(1, 90))),
    st.integers(0, 2**32),  # a seed: as drawn bytes, the pixels would be more than an example may hold
)
def test_whatever_the_sizes_opaque_mask_pixels_are_the_callers(
    size: tuple[int, int], answer: tuple[int, int], ratio: str | None, canvas: tuple[int, int] | None, seed: int
) -> None:
    draw = random.Random(seed)
    original = Image.frombytes("RGB", size, draw.randbytes(size[0] * size[1] * 3))
    alpha = Image.frombytes("L", size, bytes(draw.choice((0, 90, 255, 255)) for _ in range(size[0] * size[1])))
    cover = Image.new("RGBA", size)
    cover.putalpha(alpha)
    result = emulation(original, cover, ratio=ratio, canvas=canvas).composite(Image.new("RGB", answer, RED))
    assert result.size == (canvas or size)
    if canvas in (None, size):
        opaque = alpha.point(lambda level: 255 if level == 255 else 0)
        apart = ImageChops.multiply(ImageChops.difference(result, original), opaque.convert("RGB"))
        assert apart.getbbox() is None
