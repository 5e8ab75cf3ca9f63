"""What goes from a file and what stays, and which files are refused for what else they hold."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from app.media.sniff import ImageFormat, NotAnImageError, is_complete, measure
from app.media.stripping import (
    MAX_FILL,
    MAX_PARTS,
    MAX_SCANNED,
    MAX_SCANS,
    SEARCHED,
    Stripped,
    orientation_of,
    stripped,
)
from tests.unit.app.media.photographs import (
    PLACE,
    chunk,
    exif,
    jpeg_with,
    opened,
    png_with,
    saved,
    scene,
    segment,
    webp_with,
)

PNG, JPEG, WEBP = ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP
BARE = {PNG: saved(scene(), "PNG"), JPEG: saved(scene(), "JPEG"), WEBP: saved(scene(), "WEBP")}
XMP = b"<x:xmpmeta>" + PLACE + b"</x:xmpmeta>"
PROFILE = b"profile" * 20_000
"""Long enough to need three segments of a JPEG."""
MANIFEST = b"\0\0\0\x20jumb c2pa claim"


def archive(length: int = 0) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as file:
        file.writestr("page.html", "<script>" + "x" * length)
    return kept.getvalue()


def result(data: bytes, format: ImageFormat) -> tuple[bytes, Stripped]:
    found = stripped(data, format)
    in_place = stripped(memoryview(data), format)
    assert in_place == found
    return b"".join(found.pieces), found


def refused(data: bytes, format: ImageFormat) -> str:
    with pytest.raises(NotAnImageError) as raised:
        stripped(memoryview(data), format)
    with pytest.raises(NotAnImageError, match=f"^{re.escape(str(raised.value))}$"):
        stripped(data, format)
    return str(raised.value)


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
def test_a_bare_file_stays_as_it_is(format: ImageFormat) -> None:
    bare, found = result(BARE[format], format)
    assert bare == BARE[format]
    assert (found.changed, found.orientation, found.animated) == (False, 1, False)


DRESSED = {
    "jpeg": (JPEG, saved(scene(), "JPEG", exif=exif(1), xmp=XMP, comment=PLACE)),
    "jpeg of an editor": (
        JPEG,
        jpeg_with(
            BARE[JPEG],
            segment(0xED, b"Photoshop 3.0\x008BIM" + PLACE),
            segment(0xE0, b"JFXX\0\x10" + PLACE),
            segment(0xE7, PLACE),
        ),
    ),
    "progressive jpeg": (JPEG, saved(scene(), "JPEG", progressive=True, exif=exif(1))),
    "png": (PNG, png_with(saved(scene(), "PNG", exif=exif(1)), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))),
    "png of a tool": (
        PNG,
        png_with(BARE[PNG], chunk(b"tEXt", b"Raw profile type exif\0" + PLACE), chunk(b"zzZz", b"<html>" + PLACE)),
    ),
    "webp": (WEBP, saved(scene(), "WEBP", exif=exif(1), xmp=XMP)),
    "webp without a header for it": (WEBP, webp_with(BARE[WEBP], (b"EXIF", exif(1)), (b"JUNK", PLACE + b"!"))),
    "webp with transparency": (WEBP, saved(scene(mode="RGBA"), "WEBP", exif=exif(1))),
}


@pytest.mark.parametrize("name", DRESSED)
def test_metadata_goes_and_the_pixels_stay(name: str) -> None:
    format, data = DRESSED[name]
    assert PLACE in data
    bare, found = result(data, format)
    assert found.changed
    assert PLACE not in bare
    assert b"xmpmeta" not in bare
    assert opened(bare).tobytes() == opened(data).tobytes()
    assert "exif" not in opened(bare).info
    assert is_complete(bare, format)
    assert measure(bare) == measure(data)
    assert result(bare, format)[1].changed is False


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
def test_the_colour_profile_and_the_manifest_stay(format: ImageFormat) -> None:
    data = saved(scene(), format.value, icc_profile=PROFILE, exif=exif(1))
    match format:
        case ImageFormat.PNG:
            data = png_with(data, chunk(b"caBX", MANIFEST))
        case ImageFormat.JPEG:
            data = jpeg_with(data, segment(0xEB, b"JP\0\x01" + MANIFEST))
        case _:
            data = webp_with(data, (b"C2PA", MANIFEST))
    bare, _ = result(data, format)
    assert opened(bare).info["icc_profile"] == PROFILE
    assert MANIFEST in bare
    assert PLACE not in bare


def test_a_cmyk_jpeg_keeps_what_says_how_its_colours_are_stored() -> None:
    data = saved(scene(mode="CMYK"), "JPEG", exif=exif(1))
    assert b"Adobe" in result(data, JPEG)[0]
    assert opened(result(data, JPEG)[0]).tobytes() == opened(data).tobytes()


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read_from_every_format(format: ImageFormat, orientation: int) -> None:
    assert stripped(saved(scene(), format.value, exif=exif(orientation)), format).orientation == orientation


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_in_both_byte_orders(order: str) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    block = head + struct.pack(f"{order}IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
    assert orientation_of(block) == orientation_of(b"Exif\0\0" + block) == 6


@pytest.mark.parametrize(
    "block",
    [
        b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff",
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 9, 0),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 4, 1, 6, 0),
        b"junk" * 20,
    ],
)  # fmt: skip
def test_an_orientation_that_cannot_be_read_is_upright(block: bytes) -> None:
    assert orientation_of(block) == 1


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
def test_a_few_bytes_behind_the_end_are_cut_away(format: ImageFormat) -> None:
    bare, found = result(BARE[format] + b"\0" * 64 + b"note", format)
    assert bare == BARE[format]
    assert found.changed


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
@pytest.mark.parametrize(
    "stowaway",
    [archive(), archive(100_000), b"<html><script>alert(1)</script>", b"<?php ?>", b"%PDF-1.7", b"\0" * 5_000],
    ids=range(6),
)
def test_something_else_behind_the_end_is_refused(format: ImageFormat, stowaway: bytes) -> None:
    assert "behind the end" in refused(BARE[format] + stowaway, format)


def test_an_end_marker_behind_a_stowaway_does_not_hide_it() -> None:
    refused(BARE[JPEG] + archive(5_000) + b"\xff\xd9", JPEG)
    refused(BARE[PNG] + archive(5_000) + chunk(b"IEND", b""), PNG)


@pytest.mark.parametrize(
    "trailer",
    [
        BARE[JPEG] * 2,
        b"\0" * 100 + BARE[JPEG],
        b"\0\0\0\x18ftypmp42" + b"film" * 1_000,
        b"\0\0\x01\x0aImage_UTC_Data" + b"9" * 2_000 + b"SEFHSEFT",
    ],
)
def test_what_phones_put_behind_a_photograph_is_cut_away(trailer: bytes) -> None:
    assert result(BARE[JPEG] + trailer, JPEG)[0] == BARE[JPEG]


def test_of_several_pictures_in_one_jpeg_the_first_stays() -> None:
    two = saved(scene(), "MPO", save_all=True, append_images=[scene()])
    bare, found = result(two, JPEG)
    assert opened(two).format == "MPO"
    assert opened(bare).format == "JPEG"
    assert b"MPF" not in bare
    assert opened(bare).tobytes() == opened(two).tobytes()
    assert not found.animated


@pytest.mark.parametrize("name", [*DRESSED, "png bare", "jpeg bare", "webp bare"])
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    format, data = DRESSED.get(name) or (ImageFormat(name.split()[0]), BARE[ImageFormat(name.split()[0])])
    for length in range(16, len(data)):
        assert refused(data[:length], format)


def test_a_png_without_a_picture_or_with_a_damaged_one_is_refused() -> None:
    data = BARE[PNG]
    assert "no picture" in refused(data[:33] + chunk(b"IEND", b""), PNG)
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    assert "damaged" in refused(bytes(damaged), PNG)
    assert "damaged" in refused(png_with(data, chunk(b"ABCD", b"")), PNG)
    assert "damaged" in refused(png_with(data, data[8:33]), PNG)


def test_of_a_part_that_may_come_once_the_first_stays() -> None:
    """A decoder unpacks each: six thousand profiles of 8 KB are minutes of its time."""
    first, second = (chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(length))) for length in (9, 99))
    data = png_with(BARE[PNG], first + second * 50)
    assert result(data, PNG)[0] == png_with(BARE[PNG], first)
    assert "damaged" in refused(png_with(BARE[PNG], chunk(b"PLTE", bytes(768)) * 2), PNG)


def test_a_jpeg_without_a_picture_is_refused() -> None:
    assert "no picture" in refused(b"\xff\xd8\xff\xd9", JPEG)
    assert "damaged" in refused(jpeg_with(BARE[JPEG], b"<html>"), JPEG)
    assert "damaged" in refused(jpeg_with(BARE[JPEG], b"\xff\xd8"), JPEG)


def test_a_webp_without_a_picture_is_refused() -> None:
    assert "no picture" in refused(b"RIFF\x0c\0\0\0WEBPJUNK\0\0\0\0", WEBP)


def test_hostile_files_end_soon() -> None:
    scan = BARE[JPEG][BARE[JPEG].rfind(b"\xff\xda") : -2]
    assert "scans" in refused(BARE[JPEG][:-2] + scan * (MAX_SCANS + 1) + b"\xff\xd9", JPEG)
    refused(b"\xff\xd8" + b"\xff" * 3_000_000 + b"\0", JPEG)
    refused(BARE[JPEG][:-2] + b"\xff" * 3_000_000 + b"\0", JPEG)
    refused(png_with(BARE[PNG], chunk(b"teXt", b"") * (MAX_PARTS + 1)), PNG)


@pytest.mark.parametrize(("edge", "scans"), [(48, MAX_SCANS), (8000, MAX_SCANNED // 8000**2)])
def test_a_large_jpeg_may_have_fewer_scans_than_a_small_one(edge: int, scans: int) -> None:
    """Each makes a decoder go over the whole picture again, however few bytes it has."""
    frame = BARE[JPEG].index(b"\xff\xc0") + 5
    sized = BARE[JPEG][:frame] + struct.pack(">HH", edge, edge) + BARE[JPEG][frame + 4 :]
    more = sized[sized.rfind(b"\xff\xda") : -2]
    most = sized[:-2] + more * (scans - 1) + b"\xff\xd9"
    assert result(most, JPEG)[0] == most
    assert "too many scans" in refused(most[:-2] + more + b"\xff\xd9", JPEG)


@pytest.mark.parametrize("before", range(-3, 4))
def test_the_marker_behind_a_long_scan_is_found_wherever_it_stands(before: int) -> None:
    start = BARE[JPEG].index(b"\xff\xda")
    begun = BARE[JPEG][: start + 2 + struct.unpack_from(">H", BARE[JPEG], start + 2)[0]]
    long = begun + b"\x00" * (SEARCHED + before) + b"\xff\xd9"
    assert result(long, JPEG)[0] == long
    assert "ends before" in refused(long[:-2], JPEG)


def test_a_jpeg_of_nothing_but_fill_bytes_is_refused_without_reading_on() -> None:
    few = BARE[JPEG][:2] + b"\xff" * (MAX_FILL - 1) + BARE[JPEG][2:]
    assert result(few, JPEG)[0] == few
    assert "damaged" in refused(BARE[JPEG][:2] + b"\xff" * (MAX_FILL + 9) + BARE[JPEG][2:], JPEG)


def test_an_animation_is_told() -> None:
    frames = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    for format in (PNG, WEBP):
        data = saved(frames[0], format.value, save_all=True, append_images=frames[1:])
        assert stripped(data, format).animated
