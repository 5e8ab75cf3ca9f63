"""Finishing: what needs nothing is passed on to the byte, what needs something has it exactly; nothing is silent."""

from __future__ import annotations

import contextlib
import io
import mmap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat
from PIL.PngImagePlugin import PngInfo

from app.media.finish import finish
from app.media.masks import Emulation, emulated
from app.media.verify import Check, Delivered, NotDeliveredError
from providers.blobs import Base64Blob, MemoryBlob
from providers.spec.request import ImageRequest, OutputFormat
from providers.spec.result import Warning
from tests.unit.app.media.manifests import with_c2pa
from tests.unit.app.media.pictures import VARIANTS, picture

PNG, JPEG, WEBP, AVIF, GIF = OutputFormat
REQUEST = ImageRequest("banana", "fox")
XMP = b"<x:xmpmeta>digitalsourcetype/trainedAlgorithmicMedia</x:xmpmeta>"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def came(data: bytes, format: OutputFormat) -> Delivered:
    with Image.open(io.BytesIO(data)) as image:
        return Delivered(MemoryBlob(data), format, *image.size, len(data))


def file(image: Image.Image, format: OutputFormat = PNG, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format.value, **options)
    return out.getvalue()


def read(delivered: Delivered) -> Image.Image:
    image = Image.open(io.BytesIO(delivered.blob.read()))
    image.load()
    return image


def parameters(delivered: Delivered) -> list[str]:
    return [warning.parameter for warning in delivered.warnings]


def a_mask_edit(size: tuple[int, int] = (120, 80)) -> Emulation:
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (10, 10, 60, 50))
    images = (MemoryBlob(picture("PNG", *size)),)
    return emulated(images, MemoryBlob(file(mask)), "night", ratio=None, canvas=None)


@pytest.mark.parametrize("format", OutputFormat)
@pytest.mark.parametrize(
    "wish",
    [{}, {"output_format": None}, {"output_compression": 100}, {"exact_pixels": (120, 80)}],
)
def test_bytes_that_need_nothing_are_passed_on_as_they_are(format: OutputFormat, wish: dict[str, Any]) -> None:
    delivered = came(with_c2pa(picture(format.value, 120, 80), format), format)
    assert finish(delivered, replace(REQUEST, **{"output_format": format} | wish)) is delivered


@pytest.mark.parametrize("source", OutputFormat)
@pytest.mark.parametrize("target", OutputFormat)
def test_every_format_becomes_every_other(source: OutputFormat, target: OutputFormat) -> None:
    delivered = came(picture(source.value, 121, 83), source)
    made = finish(delivered, replace(REQUEST, output_format=target))
    image = read(made)
    assert image.format == target.value.upper()
    assert (made.format, made.width, made.height, made.length) == (target, 121, 83, made.blob.length)
    assert image.size == (121, 83)
    near = 8 if GIF in (source, target) else 1
    apart = ImageChops.difference(image.convert("RGB").reduce(near), read(delivered).convert("RGB").reduce(near))
    assert max(ImageStat.Stat(apart).mean) < 3


@pytest.mark.parametrize("format", [JPEG, WEBP, AVIF])
def test_a_compression_the_vendor_was_not_asked_for_is_made_up_for(format: OutputFormat) -> None:
    delivered = came(picture(format.value, 400, 300, quality=95), format)
    wish = replace(REQUEST, output_compression=20)
    made = finish(delivered, wish)
    assert made.length < delivered.length
    assert made.format is format
    assert finish(delivered, wish, asked=wish) is delivered
    assert finish(delivered, wish, asked=REQUEST).length == made.length


@pytest.mark.parametrize("format", [PNG, GIF])
def test_compression_means_nothing_to_png_and_gif(format: OutputFormat) -> None:
    delivered = came(picture(format.value, 120, 80), format)
    assert finish(delivered, replace(REQUEST, output_compression=20)) is delivered


def test_compression_holds_for_the_format_that_is_converted_to() -> None:
    delivered = came(picture("PNG", 400, 300), PNG)
    sizes = [
        finish(delivered, replace(REQUEST, output_format=JPEG, output_compression=quality)).length
        for quality in (0, 10, 50, 100)
    ]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("source", [(1024, 1024), (1376, 768), (384, 3072), (99, 101)])
@pytest.mark.parametrize("target", [(1024, 1024), (1000, 1001), (1920, 1080), (1, 1), (33, 700), (128, 16)])
def test_the_size_is_exact_to_the_pixel(source: tuple[int, int], target: tuple[int, int]) -> None:
    made = finish(came(picture("PNG", *source), PNG), replace(REQUEST, exact_pixels=target))
    assert (made.width, made.height) == read(made).size == target
    assert made.format is PNG


def test_an_exact_size_crops_both_sides_alike_and_distorts_nothing() -> None:
    image = Image.new("RGB", (400, 200), "black")
    ImageDraw.Draw(image).ellipse((150, 50, 250, 150), fill="white")
    cropped = read(finish(came(file(image), PNG), replace(REQUEST, exact_pixels=(200, 200))))
    assert cropped.tobytes() == image.crop((100, 0, 300, 200)).tobytes()
    scaled = read(finish(came(file(image), PNG), replace(REQUEST, exact_pixels=(300, 300))))
    left, top, right, bottom = scaled.convert("L").point(lambda level: 255 * (level > 128)).getbbox() or (0, 0, 0, 0)
    assert (left, top) == pytest.approx((75, 75), abs=2)
    assert (right - left, bottom - top) == pytest.approx((150, 150), abs=2)


def test_a_mask_is_enforced_and_the_answer_is_png_unless_another_format_is_asked_for() -> None:
    emulation = a_mask_edit()
    painted = came(file(Image.new("RGB", (240, 160), "red"), JPEG), JPEG)
    made = finish(painted, REQUEST, emulation)
    expected = Image.open(io.BytesIO(picture("PNG", 120, 80)))
    image = read(made)
    assert (made.format, image.size) == (PNG, (120, 80))
    assert image.getpixel((30, 30)) == (254, 0, 0)
    expected.paste((254, 0, 0), (10, 10, 60, 50))
    assert image.tobytes() == expected.tobytes()
    assert made.warnings == (emulation.warning,)


def test_a_mask_with_webp_is_lossless_unless_a_compression_is_asked_for() -> None:
    painted = came(file(Image.new("RGB", (120, 80), "red")), PNG)
    exact = finish(painted, replace(REQUEST, output_format=WEBP), a_mask_edit())
    assert read(exact).tobytes() == read(finish(painted, REQUEST, a_mask_edit())).tobytes()
    assert parameters(exact) == ["mask"]
    lossy = finish(painted, replace(REQUEST, output_format=WEBP, output_compression=50), a_mask_edit())
    assert parameters(lossy) == ["mask", "output_format"]


@pytest.mark.parametrize("format", [JPEG, AVIF])
def test_a_mask_with_a_lossy_format_says_what_it_costs(format: OutputFormat) -> None:
    painted = came(file(Image.new("RGB", (120, 80), "red")), PNG)
    made = finish(painted, replace(REQUEST, output_format=format), a_mask_edit())
    assert parameters(made) == ["mask", "output_format"]
    assert "loss" in made.warnings[-1].message


@pytest.mark.parametrize("source", OutputFormat)
@pytest.mark.parametrize(
    ("wish", "parameter"),
    [
        ({"output_format": None}, "resize"),
        ({"output_format": WEBP, "exact_pixels": (60, 60)}, "resize"),
        ({"output_format": JPEG}, "output_format"),
        ({"output_format": PNG}, "output_format"),
    ],
)
def test_a_manifest_that_is_dropped_is_told_with_its_cause(
    source: OutputFormat, wish: dict[str, Any], parameter: str
) -> None:
    if parameter == "resize":
        wish = {"exact_pixels": (64, 64)} | wish
    elif wish["output_format"] is source:
        return
    made = finish(came(with_c2pa(picture(source.value, 120, 80), source), source), replace(REQUEST, **wish))
    told = [warning for warning in made.warnings if "C2PA" in warning.message]
    assert [warning.parameter for warning in told] == [parameter]
    assert "SynthID" in told[0].message


def test_a_manifest_dropped_for_a_mask_or_a_compression_names_those() -> None:
    sealed = came(with_c2pa(picture("JPEG", 120, 80), JPEG), JPEG)
    assert parameters(finish(sealed, REQUEST, a_mask_edit())) == ["mask", "mask"]
    assert parameters(finish(sealed, replace(REQUEST, output_compression=10))) == ["output_compression"]


@pytest.mark.parametrize("source", [PNG, JPEG, WEBP, AVIF])
@pytest.mark.parametrize("target", [PNG, JPEG, WEBP, AVIF])
def test_xmp_and_profile_go_along_into_the_new_file(source: OutputFormat, target: OutputFormat) -> None:
    options: dict[str, Any] = {"xmp": XMP, "icc_profile": SRGB}
    if source is PNG:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP)
    image = Image.open(io.BytesIO(picture("PNG", 120, 80)))
    wish = replace(REQUEST, output_format=target, exact_pixels=(64, 64))
    made = finish(came(file(image, source, **options), source), wish)
    back = read(made)
    assert (back.info["xmp"], back.info["icc_profile"]) == (XMP, SRGB)
    assert made.warnings == ()


def test_earlier_warnings_stay_in_front() -> None:
    earlier = Warning("seed", "ignored")
    delivered = replace(came(picture("PNG", 120, 80), PNG), warnings=(earlier,))
    made = finish(delivered, REQUEST, a_mask_edit())
    assert made.warnings[0] is earlier
    assert len(made.warnings) == 2


def test_a_large_result_is_mapped_from_the_spool_folder(tmp_path: Path) -> None:
    noise = Image.effect_noise((1200, 1200), 100).convert("RGB")
    made = finish(came(file(noise, JPEG), JPEG), replace(REQUEST, output_format=PNG), spool=tmp_path)
    assert isinstance(made.blob, MemoryBlob)
    assert isinstance(made.blob.data, memoryview)
    assert isinstance(made.blob.data.obj, mmap.mmap)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "wish"),
    [
        ((16_385, 10), {"output_format": PNG}),
        ((9000, 9000), {"output_format": PNG}),
        ((10, 10), {"exact_pixels": (20_000, 10)}),
        ((16_384, 10), {"output_format": WEBP}),
    ],
)
def test_a_picture_too_large_to_work_on_is_not_delivered(size: tuple[int, int], wish: dict[str, Any]) -> None:
    delivered = Delivered(MemoryBlob(b"never read"), JPEG, *size, 10)
    with pytest.raises(NotDeliveredError) as missed:
        finish(delivered, replace(REQUEST, **wish))
    assert missed.value.check is Check.BOUNDS


def test_broken_base64_is_unreadable() -> None:
    with pytest.raises(NotDeliveredError) as missed:
        finish(Delivered(Base64Blob(b"a!!="), JPEG, 8, 8, 2), replace(REQUEST, output_format=PNG))
    assert missed.value.check is Check.READABLE


@settings(deadline=None)
@given(
    st.sampled_from(list(VARIANTS)),
    st.sampled_from([PNG, JPEG, WEBP, AVIF, GIF]),
    st.integers(0, 2**31),
    st.binary(min_size=1, max_size=30),
    st.booleans(),
)
def test_damaged_bytes_are_finished_or_not_delivered(
    variant: str, target: OutputFormat, at: int, noise: bytes, cut: bool
) -> None:
    format, options = VARIANTS[variant]
    data = picture(format, 64, 48, **options)
    at %= len(data)
    damaged = data[:at] if cut else data[:at] + noise + data[at + len(noise) :]
    delivered = Delivered(MemoryBlob(damaged), OutputFormat(format.lower()), 64, 48, len(damaged))
    with contextlib.suppress(NotDeliveredError):
        assert read(finish(delivered, replace(REQUEST, output_format=target, exact_pixels=(32, 32)))).size == (32, 32)


@pytest.mark.parametrize("format", [PNG, WEBP, GIF])
def test_a_cut_off_file_is_damaged(format: OutputFormat) -> None:
    data = picture(format.value, 300, 200)
    delivered = Delivered(MemoryBlob(data[: len(data) // 2]), format, 300, 200, len(data) // 2)
    with pytest.raises(NotDeliveredError) as missed:
        finish(delivered, replace(REQUEST, output_format=AVIF))
    assert missed.value.check is Check.DECODABLE
    assert str(missed.value)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("target", OutputFormat)
def test_of_several_frames_the_first_is_taken(format: str, target: OutputFormat) -> None:
    out = io.BytesIO()
    first, second = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    first.save(out, format, save_all=True, append_images=[second], duration=50)
    delivered = came(out.getvalue(), OutputFormat(format.lower()))
    made = finish(delivered, replace(REQUEST, output_format=target, exact_pixels=(40, 28)))
    red, _, blue = read(made).convert("RGB").getpixel((20, 15))  # type: ignore[misc]
    assert getattr(read(made), "n_frames", 1) == 1
    assert red > 240 > 20 > blue
