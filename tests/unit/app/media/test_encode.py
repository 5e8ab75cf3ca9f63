"""Encoding: every format gives back the picture it was given, as far as the format can, and says where it cannot."""

from __future__ import annotations

import io
import mmap
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from app.media.encode import Encoded, encoded
from app.media.provenance import Carried
from app.media.sniff import is_complete, measure
from providers.spec.request import OutputFormat
from providers.spool import SPOOL_THRESHOLD

PNG, JPEG, WEBP, AVIF, GIF = OutputFormat
NOTHING = Carried()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">trainedAlgorithmicMedia</x:xmpmeta>'


def scene(mode: str = "RGB", size: tuple[int, int] = (301, 203)) -> Image.Image:
    """Soft colours and a few shapes; as RGBA with clear, half clear and opaque parts."""
    wave = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (wave, wave.rotate(180), Image.radial_gradient("L").resize(size)))
    ImageDraw.Draw(image).ellipse((40, 30, 120, 90), fill=(200, 30, 40))
    if mode == "RGBA":
        alpha = Image.new("L", size, 255)
        ImageDraw.Draw(alpha).rectangle((0, 0, 99, 99), fill=0)
        ImageDraw.Draw(alpha).rectangle((100, 0, 150, 99), fill=120)
        image.putalpha(alpha)
    return image


def made(image: Image.Image, format: OutputFormat, quality: int | None = None, kept: Carried = NOTHING) -> Encoded:
    return encoded(image, format, quality, kept, spool=None)


def read(file: Encoded) -> Image.Image:
    image = Image.open(io.BytesIO(file.blob.read()))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of the channels, in levels of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.parametrize("format", OutputFormat)
def test_every_format_gives_back_about_the_picture(format: OutputFormat) -> None:
    file = made(scene(), format)
    data = file.blob.read()
    assert (measure(data).format.value, measure(data).width, measure(data).height) == (format.value, 301, 203)
    assert is_complete(data, measure(data).format)
    assert file.blob.media_type == format.media_type
    # A dithered picture is right from a distance.
    near = 8 if format is GIF else 1
    assert difference(read(file).convert("RGB").reduce(near), scene().reduce(near)) < 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(("format", "quality"), [(PNG, None), (PNG, 10), (WEBP, 100)])
def test_png_and_webp_at_100_are_exact(mode: str, format: OutputFormat, quality: int | None) -> None:
    back = read(made(scene(mode), format, quality))
    assert back.mode == mode
    assert back.tobytes() == scene(mode).tobytes()


@pytest.mark.parametrize("format", [JPEG, WEBP, AVIF])
def test_a_lower_quality_is_a_smaller_file_and_zero_is_taken(format: OutputFormat) -> None:
    sizes = [made(scene(), format, quality).blob.length for quality in (0, 1, 30, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 2


@pytest.mark.parametrize("format", [PNG, WEBP, AVIF])
def test_transparency_is_kept_where_the_format_has_it(format: OutputFormat) -> None:
    file = made(scene("RGBA"), format)
    assert file.warnings == ()
    alpha = read(file).getchannel("A")
    assert max(ImageStat.Stat(ImageChops.difference(alpha, scene("RGBA").getchannel("A"))).mean) < 1


def test_jpeg_is_white_where_the_picture_was_clear_and_says_so() -> None:
    file = made(scene("RGBA"), JPEG)
    (told,) = file.warnings
    assert told.parameter == "output_format"
    back = read(file)
    assert min(back.getpixel((50, 50))) > 250  # type: ignore[arg-type]
    assert difference(back.crop((160, 110, 301, 203)), scene().crop((160, 110, 301, 203))) < 2


def test_an_alpha_channel_that_hides_nothing_is_no_loss() -> None:
    whole = scene()
    whole.putalpha(255)
    assert made(whole, JPEG).warnings == ()
    assert made(whole, GIF).warnings == made(scene(), GIF).warnings


def test_gif_keeps_a_few_colours_exactly() -> None:
    image = Image.new("RGB", (120, 80), (1, 2, 3))
    for number in range(255):
        image.putpixel((number % 120, number // 120), (number, 255 - number, number * 7 % 256))
    file = made(image, GIF)
    assert file.warnings == ()
    assert read(file).convert("RGB").tobytes() == image.tobytes()


def test_gif_reduces_many_colours_and_says_so() -> None:
    (told,) = made(scene(), GIF).warnings
    assert "256" in told.message


def test_gif_is_clear_or_opaque_and_says_so() -> None:
    file = made(scene("RGBA"), GIF)
    assert [warning.parameter for warning in file.warnings] == ["output_format", "output_format"]
    alpha = read(file).convert("RGBA").getchannel("A")
    assert [alpha.getpixel(at) for at in ((50, 50), (125, 50), (200, 150))] == [0, 0, 255]


def test_a_gif_of_few_colours_can_be_clear_in_places() -> None:
    image = Image.new("RGBA", (60, 40), (10, 20, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 20))
    file = made(image, GIF)
    assert file.warnings == ()
    back = read(file).convert("RGBA")
    assert back.getpixel((5, 5))[3] == 0  # type: ignore[index]
    assert back.getpixel((50, 30)) == (10, 20, 30, 255)


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP, AVIF])
def test_metadata_is_written_where_it_can_be_read_again(format: OutputFormat) -> None:
    exif = Image.Exif()
    exif[0x0131] = "painter"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    back = read(made(scene(), format, None, Carried(XMP, exif.tobytes(), profile)))
    assert back.info["xmp"] == XMP
    assert back.info["icc_profile"] == profile
    assert back.getexif()[0x0131] == "painter"


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP, AVIF])
def test_what_the_picture_object_still_holds_is_not_written(format: OutputFormat) -> None:
    image = scene()
    image.info |= {"icc_profile": b"stale", "xmp": b"stale", "exif": b"stale"}
    assert b"stale" not in made(image, format).blob.read()
    assert "icc_profile" not in read(made(image, format)).info


def test_xmp_stands_in_a_gif_as_an_extension_that_readers_pass_over() -> None:
    file = made(scene(), GIF, None, Carried(XMP))
    assert b"\x21\xff\x0bXMP DataXMP" + XMP + b"\x01\xff\xfe" in file.blob.read()
    assert file.blob.read().startswith(b"GIF89a")
    assert read(file).convert("RGB").tobytes() == read(made(scene(), GIF)).convert("RGB").tobytes()


def test_a_large_file_is_mapped_and_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    noise = Image.effect_noise((900, 900), 100)
    file = encoded(Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180))), PNG, None, NOTHING, spool=tmp_path)
    assert file.blob.length > SPOOL_THRESHOLD
    assert isinstance(file.blob.data, memoryview)
    assert isinstance(file.blob.data.obj, mmap.mmap)
    assert list(tmp_path.iterdir()) == []
    assert read(file).size == (900, 900)
