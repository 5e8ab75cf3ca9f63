"""Decoding within bounds: too many pixels are refused before a decoder sees them, 16 bits become 8 by scaling."""

from __future__ import annotations

import struct

import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from app.media.decoding import MAX_EDGE, MAX_PIXELS, check_pixels, decoded, eight_bit, has_transparency
from app.media.sniff import ImageFormat, NotAnImageError
from tests.unit.app.media.photographs import bomb, difference, saved, scene


@pytest.mark.parametrize("size", [(MAX_EDGE, 2_000), (8192, 8192), (1, 1)])
def test_a_picture_within_the_bounds_is_worked_on(size: tuple[int, int]) -> None:
    check_pixels(*size)


@pytest.mark.parametrize("size", [(MAX_EDGE + 1, 1), (1, MAX_EDGE + 1), (8192, 8193), (2**31, 2**31)])
def test_a_picture_beyond_them_is_not(size: tuple[int, int]) -> None:
    with pytest.raises(NotAnImageError, match=f"{size[0]} x {size[1]}"):
        check_pixels(*size)


def test_a_bomb_is_refused_by_its_header_though_nobody_measured_it_before() -> None:
    with pytest.raises(NotAnImageError, match="67 megapixels"):
        decoded(bomb(9_000, 9_000), ImageFormat.PNG)


def test_the_library_would_not_warn_of_what_is_let_through() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_PIXELS < Image.MAX_IMAGE_PIXELS


def test_another_format_than_the_one_named_is_not_tried() -> None:
    with pytest.raises(NotAnImageError, match="damaged"):
        decoded(saved(scene(), "BMP"), ImageFormat.TIFF)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_grey_of_many_bits_is_scaled_and_not_cut_off(mode: str) -> None:
    wide = Image.linear_gradient("L").convert("I").point(lambda level: level * 257)
    narrow = eight_bit(wide.convert(mode))
    assert narrow.mode == "L"
    levels = narrow.tobytes()
    assert max(abs(a - b) for a, b in zip(levels, Image.linear_gradient("L").tobytes(), strict=True)) <= 1


def test_transparency_is_seen_in_an_alpha_channel_and_in_a_transparent_colour() -> None:
    clear = scene().convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 30, 30))
    for data, kind in ((saved(clear, "PNG"), "png"), (saved(clear, "GIF"), "gif"), (saved(clear, "AVIF"), "avif")):
        assert has_transparency(decoded(data, ImageFormat(kind))[0])
    assert not has_transparency(decoded(saved(scene(), "PNG"), ImageFormat.PNG)[0])
    first = Image.new("P", (9, 9))
    assert has_transparency(decoded(saved(first, "PNG", transparency=0), ImageFormat.PNG)[0])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg", "packbits"])
def test_a_tiff_of_the_usual_compressions_is_read(compression: str) -> None:
    image, _ = decoded(saved(scene(), "TIFF", compression=compression), ImageFormat.TIFF)
    assert difference(image, scene()) < 4


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_fax_is_refused_with_what_is_taken(compression: str) -> None:
    with pytest.raises(NotAnImageError, match="unusual compression; LZW"):
        decoded(saved(scene(mode="1"), "TIFF", compression=compression), ImageFormat.TIFF)


@pytest.mark.parametrize("compression", [1, 2])
def test_a_bmp_of_run_lengths_is_refused_with_what_is_taken(compression: int) -> None:
    """The library reads them a pixel at a time: 10 KB can keep it busy for seventeen seconds."""
    head = struct.pack("<IHHI", 58, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 8, compression, 4, 0, 0, 0, 0)
    with pytest.raises(NotAnImageError, match="uncompressed ones are taken"):
        decoded(b"BM" + head + b"\2\1\0\1", ImageFormat.BMP)


def chain_of_directories(count: int) -> bytes:
    """A TIFF in which each picture of one pixel is followed by another; 54 bytes each."""
    tags = struct.pack("<HHIIHHIIHHIIHHII", 256, 3, 1, 1, 257, 3, 1, 1, 273, 4, 1, 8, 279, 4, 1, 1)
    size = len(tags) + 6
    places = [16 + size * number for number in range(1, count)]
    return (
        b"II*\0"
        + struct.pack("<II4x", 16, 0)
        + b"".join(struct.pack("<H", 4) + tags + struct.pack("<I", next) for next in [*places, 0])
    )


def test_of_a_tiff_with_many_pictures_only_as_much_is_read_as_tells_that_there_are_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is compared with all before it when they are counted: for a million, which 50 MB hold, that takes hours."""
    read: list[object] = []
    load = ImageFileDirectory_v2.load

    def counted(directory: ImageFileDirectory_v2, file: object) -> None:
        read.append(file)
        load(directory, file)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageFileDirectory_v2, "load", counted)
    image, several = decoded(chain_of_directories(1000), ImageFormat.TIFF)
    assert (image.size, several) == ((1, 1), True)
    assert len(read) < 10
    assert not decoded(chain_of_directories(1), ImageFormat.TIFF)[1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_colour_profile_of_three_megabytes_is_kept(kind: str) -> None:
    profile = b"profile" * 430_000
    image, _ = decoded(saved(scene(), kind, icc_profile=profile), ImageFormat(kind.lower()))
    assert image.info["icc_profile"] == profile


def test_a_colour_profile_that_unpacks_to_far_more_is_not_unpacked() -> None:
    with pytest.raises(NotAnImageError, match="damaged"):
        decoded(saved(scene(), "PNG", icc_profile=bytes(9 * 1024 * 1024)), ImageFormat.PNG)
