"""Sizes from the headers of the formats that are only converted, held against files an image library makes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.media.headers import bmff_size
from app.media.sniff import HEAD_BYTES, ImageFormat, Measured, NotAnImageError, is_complete, measure, sniff
from tests.unit.app.media.photographs import saved, scene

FORMATS = ("AVIF", "HEIC", "BMP", "TIFF")
FILES = {format: saved(scene(96, 64), format) for format in FORMATS}


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=8, deadline=None)
@given(width=st.integers(32, 150), height=st.integers(32, 150))
def test_a_real_file_measures_as_it_was_made(format: str, width: int, height: int) -> None:
    width, height = width * 2, height * 2  # other sizes are stored larger by HEIC
    data = saved(scene(width, height), format)
    assert measure(data) == Measured(ImageFormat(format.lower()), width, height)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16"])
def test_a_tiff_of_any_mode_measures(mode: str) -> None:
    image = scene(70, 30).convert("L" if mode == "I;16" else mode)
    assert measure(saved(image, "TIFF")) == Measured(ImageFormat.TIFF, 70, 30)


def test_a_bmp_of_the_old_header_and_one_from_top_to_bottom_measure() -> None:
    old = b"BM" + struct.pack("<IIIIHHHH", 100, 0, 26, 12, 640, 480, 1, 24)
    down = b"BM" + struct.pack("<IIIIiiHH", 100, 0, 54, 40, 640, -480, 1, 24)
    assert measure(old) == measure(down) == Measured(ImageFormat.BMP, 640, 480)


def test_of_a_grid_the_whole_counts_and_not_its_tiles() -> None:
    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", len(content) + 8, name) + content

    tiles, whole = (box(b"ispe", struct.pack(">III", 0, *size)) for size in ((512, 512), (4032, 3024)))
    meta = box(b"meta", b"\0" * 4 + box(b"iprp", box(b"ipco", tiles + whole + tiles)))
    assert bmff_size(box(b"ftyp", b"heic" + b"\0" * 4) + meta) == (4032, 3024)


def test_a_brand_that_may_be_either_is_told_by_the_others() -> None:
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf"[:HEAD_BYTES]) is ImageFormat.AVIF
    assert sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"[:HEAD_BYTES]) is ImageFormat.HEIC


@pytest.mark.parametrize("format", ["AVIF", "HEIC"])
def test_a_file_of_boxes_is_complete_with_all_of_its_last_box(format: str) -> None:
    data, kind = FILES[format], ImageFormat(format.lower())
    assert is_complete(data, kind)
    assert not is_complete(data[:-1], kind)
    assert not is_complete(data + b"more", kind)


@pytest.mark.parametrize("format", FORMATS)
@given(changes=st.lists(st.tuples(st.integers(12, 600), st.integers(0, 255)), max_size=8))
def test_mutated_headers_raise_nothing_of_their_own(format: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[format])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        measured = measure(bytes(data))
    except NotAnImageError:
        return
    assert measured.width > 0
    assert measured.height > 0
