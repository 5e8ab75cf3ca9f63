"""Input images come out upright, bare and in a type every vendor takes; what is none of that is refused."""

from __future__ import annotations

import base64
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from app.media.sniff import NotAnImageError
from app.media.upright import Upright, upright
from providers.blobs import Base64Blob, MemoryBlob
from providers.spec.blob import InlineBlob
from tests.unit.app.media.photographs import PLACE, bomb, chunk, difference, exif, opened, png_with, saved, scene

PASSED = ("PNG", "JPEG", "WEBP")
CONVERTED = ("GIF", "AVIF", "HEIC", "BMP", "TIFF")
LARGE = (1400, 1000)
"""More than a megapixel."""


def made(data: bytes) -> Upright:
    return upright(MemoryBlob(data, "application/octet-stream"))


def refused(data: bytes) -> str:
    with pytest.raises(NotAnImageError) as raised:
        made(data)
    return str(raised.value)


def test_a_large_upright_file_is_looked_at_without_a_copy() -> None:
    length = 8 * 1024 * 1024
    data = png_with(saved(scene(), "PNG"), chunk(b"IDAT", bytes(length)))
    tracemalloc.start()
    try:
        ready = upright(MemoryBlob(memoryview(data)))
        assert tracemalloc.get_traced_memory()[1] < length // 8
    finally:
        tracemalloc.stop()
    assert ready.blob.length == len(data)


@pytest.mark.parametrize("format", PASSED)
def test_an_upright_bare_file_goes_on_where_it_lies(format: str) -> None:
    data = saved(scene(), format)
    text = base64.b64encode(data)
    for blob in (MemoryBlob(data), MemoryBlob(memoryview(data), "x/y"), Base64Blob(text), InlineBlob(text.decode())):
        ready = upright(blob)
        assert type(ready.blob) is type(blob)
        assert ready.blob.read() == data
        assert ready.blob.media_type == f"image/{format.lower()}"
        assert (ready.width, ready.height) == (96, 64)


@pytest.mark.parametrize("format", PASSED)
def test_an_upright_file_loses_its_exif_and_no_pixel(format: str) -> None:
    data = saved(scene(), format, exif=exif(1))
    ready = made(data).blob
    assert PLACE in data
    assert PLACE not in ready.read()
    assert opened(ready.read()).tobytes() == opened(data).tobytes()
    assert ready.media_type == f"image/{format.lower()}"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", [*PASSED, "TIFF"])
def test_every_orientation_comes_out_upright(format: str, orientation: int) -> None:
    data = saved(scene(), format, exif=exif(orientation))
    seen = opened(data) if format == "TIFF" else ImageOps.exif_transpose(opened(data))
    ready = made(data)
    picture = opened(ready.blob.read())
    assert picture.size == (ready.width, ready.height) == seen.size
    assert picture.size == ((96, 64) if orientation < 5 else (64, 96))
    assert difference(picture, seen) < (2 if format == "JPEG" else 0.01)
    assert picture.getexif().get(0x0112) is None
    assert PLACE not in ready.blob.read()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_as_its_boxes_say(orientation: int) -> None:
    data = saved(scene(), "AVIF", exif=exif(orientation), quality=100)
    assert difference(opened(made(data).blob.read()), ImageOps.exif_transpose(opened(data))) < 0.01


def test_a_turned_jpeg_stays_jpeg_and_a_turned_png_stays_png_however_large() -> None:
    for format in ("JPEG", "PNG"):
        ready = made(saved(scene(*LARGE), format, exif=exif(6)))
        assert opened(ready.blob.read()).format == format
        assert (ready.width, ready.height) == LARGE[::-1]


def test_a_photograph_of_12_megabytes_comes_out_upright_and_without_exif() -> None:
    noise = Image.effect_noise((4000, 3000), 90)
    photograph = Image.merge("RGB", (noise, scene(4000, 3000, "L"), noise.transpose(Image.Transpose.ROTATE_180)))
    data = saved(photograph, "JPEG", quality=93, exif=exif(6))
    assert len(data) > 9_000_000
    ready = made(data)
    picture = opened(ready.blob.read())
    assert picture.size == (ready.width, ready.height) == (3000, 4000)
    assert not picture.getexif()
    assert PLACE not in ready.blob.read()
    seen = ImageOps.exif_transpose(opened(data))
    shrunken = (picture.resize((300, 400), Image.Resampling.BOX), seen.resize((300, 400), Image.Resampling.BOX))
    assert difference(*shrunken) < 1
    corners = [(0, 0, 300, 400), (2700, 3600, 3000, 4000)]
    assert all(difference(picture.crop(box), seen.crop(box)) < 6 for box in corners)


@pytest.mark.parametrize("format", CONVERTED)
def test_what_not_every_vendor_takes_is_converted(format: str) -> None:
    exact = {"quality": 100} if format in ("AVIF", "HEIC") else {}
    small, large = (saved(scene(*size), format, **exact) for size in ((96, 64), LARGE))
    ready = made(small)
    assert opened(ready.blob.read()).format == "PNG"
    assert difference(opened(ready.blob.read()), scene()) < 4
    ready = made(large)
    picture = opened(ready.blob.read())
    assert picture.format == ("PNG" if format == "GIF" else "JPEG")
    assert ready.blob.media_type == f"image/{picture.format.lower()}"
    assert picture.size == (ready.width, ready.height) == LARGE
    assert difference(picture, scene(*LARGE)) < 4


@pytest.mark.parametrize("format", ["GIF", "AVIF", "HEIC", "TIFF"])
def test_transparency_outlives_conversion(format: str) -> None:
    image = scene(*LARGE, "RGBA")
    image.paste((0, 0, 0, 0), (0, 0, LARGE[0], 500))
    picture = opened(made(saved(image, format)).blob.read())
    assert picture.format == "PNG"
    assert picture.has_transparency_data
    alpha = picture.convert("RGBA").getchannel("A")
    assert alpha.getpixel((5, 5)) == 0
    assert alpha.getpixel((5, 995)) in (254, 255)


@pytest.mark.parametrize("format", ["AVIF", "HEIC", "TIFF"])
def test_the_colour_profile_outlives_conversion_and_exif_does_not(format: str) -> None:
    profile = b"profile" * 100
    ready = made(saved(scene(*LARGE), format, icc_profile=profile, exif=exif(1))).blob.read()
    assert opened(ready).info["icc_profile"] == profile
    assert PLACE not in ready


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "I;16", "F", "I", "LAB", "YCbCr"])
def test_a_tiff_of_any_mode_becomes_a_png_that_looks_like_it(mode: str) -> None:
    grey = scene().convert("L")
    if mode == "I;16":
        image = grey.convert("I").point(lambda level: level * 257).convert("I;16")
    elif mode in ("LAB", "YCbCr"):
        image = Image.merge(mode, (grey, Image.new("L", grey.size, 128), Image.new("L", grey.size, 128)))
    else:
        image = scene().convert("RGB" if mode == "CMYK" else "L").convert(mode)
    picture = opened(made(saved(image, "TIFF")).blob.read())
    assert picture.format in ("PNG", "JPEG")
    if picture.mode == "I;16":
        picture = picture.convert("I").point(lambda level: level / 257).convert("L")
    seen = {"CMYK": scene(), "1": image}.get(mode, grey)
    assert difference(picture, seen) < (12 if mode == "LAB" else 2)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF"])
def test_of_an_animation_the_first_frame_is_used_and_that_is_told(format: str) -> None:
    frames = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    ready = made(saved(frames[0], format, save_all=True, append_images=frames[1:], duration=100, lossless=True))
    assert ready.one_of_many
    picture = opened(ready.blob.read())
    assert getattr(picture, "n_frames", 1) == 1
    assert difference(picture, frames[0]) < 3


def test_a_large_result_lies_in_a_mapped_file() -> None:
    noise = Image.effect_noise((1500, 1500), 90)
    for data in (saved(noise, "PNG", exif=exif(1)), saved(noise, "PNG", exif=exif(6))):
        blob = made(data).blob
        assert isinstance(blob, MemoryBlob)
        assert isinstance(blob.data, memoryview)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"%PDF-1.7", "no image"),
        (b"<html>not found</html>", "no image"),
        (b"plain text", "no image"),
        (bomb(), "50000 x 50000"),
        (bomb(30_001, 10), "30,000"),
        (bomb(8_200, 8_200), "67 megapixels"),
        (b"\x89PNG\r\n\x1a\n<html>" + b"x" * 100, "damaged"),
        (b"BM" + b"\0" * 12 + b"\x28\0\0\0" + b"\xff\xff\xff\x7f" * 2 + b"\0" * 40, "2147483647"),
    ],
    ids=range(11),
)
def test_what_is_no_image_or_too_large_is_refused_with_a_reason(data: bytes, said: str) -> None:
    assert said in refused(data)


def test_broken_base64_is_refused() -> None:
    for text in ("iVBO%%%%", "iVBORw0KGgo", "iVBO Rw0K"):
        with pytest.raises(NotAnImageError, match="base64"):
            upright(InlineBlob(text))


@pytest.mark.parametrize("format", [*PASSED, *CONVERTED])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_is_cut_off_is_refused(format: str, share: float) -> None:
    data = saved(scene(400, 300), format)
    assert refused(data[: int(len(data) * share)])


@pytest.mark.parametrize("format", ["BMP", "TIFF", "GIF", "AVIF", "HEIC"])
def test_what_stands_behind_a_converted_picture_is_left_behind(format: str) -> None:
    stowaway = b"PK\x03\x04<script>" * 500
    try:
        ready = made(saved(scene(), format) + stowaway)
    except NotAnImageError:
        return
    assert b"<script>" not in ready.blob.read()


FILES = [saved(scene(), format, **({"exif": exif(6)} if format in PASSED else {})) for format in (*PASSED, *CONVERTED)]


@pytest.mark.parametrize("marker", [0x02, 0xBF, 0xC8, 0xF0, 0xFD])
def test_a_segment_for_what_is_yet_to_be_invented_does_not_hide_anything(marker: int) -> None:
    data = saved(scene(), "JPEG")
    hidden = data[:2] + bytes((0xFF, marker, 0, 2 + len(PLACE))) + PLACE + data[2:]
    ready = made(hidden)
    assert PLACE not in ready.blob.read()
    assert opened(ready.blob.read()).size == (96, 64)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    file=st.sampled_from(FILES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.floats(0.5, 1),
)
def test_changed_bytes_are_refused_or_make_a_bare_image(
    file: bytes, changes: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(file[: int(len(file) * cut)] if cut < 0.7 else file)
    for position, value in changes:
        data[int(position**2 * (len(data) - 1))] ^= value
    try:
        ready = made(bytes(data))
    except NotAnImageError:
        return
    assert ready.width * ready.height > 0
    assert ready.blob.media_type in ("image/png", "image/jpeg", "image/webp")
    assert PLACE not in ready.blob.read()
