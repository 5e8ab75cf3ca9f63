"""What bytes are, how large the picture is, whether the end is there; for real files, cut files and hostile ones."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.media.sniff import HEAD_BYTES, ImageFormat, Measured, NotAnImageError, is_complete, measure, sniff
from tests.unit.app.media.pictures import VARIANTS, picture

FILES = {name: picture(format, 40, 24, **options) for name, (format, options) in VARIANTS.items()}
sizes = st.integers(min_value=1, max_value=300)


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (FILES["png"], "png"),
        (FILES["baseline jpeg"], "jpeg"),
        (FILES["lossy webp"], "webp"),
        (FILES["gif"], "gif"),
        (b"\x00\x00\x00\x20ftypavif", "avif"),
        (b"\x00\x00\x00\x20ftypheic", "heic"),
        (b"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36", "bmp"),
        (b"II*\x00\x08", "tiff"),
        (b"MM\x00*\x00", "tiff"),
        (b"\xef\xbb\xbf\n <svg xmlns=", "svg"),
        (b'<?xml version="1.0"?>\n<svg>', "svg"),
    ],
)
def test_a_format_is_known_by_its_first_bytes(head: bytes, format: str) -> None:
    assert sniff(head[:HEAD_BYTES]) == ImageFormat(format)


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\x89PNG", b"\xff\xd8", b"RIFF\x10\x00\x00\x00WAVE", b"<html><body>502 Bad Gateway", b'{"error": 1}',
        b"\x00\x00\x00\x20ftypisom", b"BMW is a car", b"GIF88a",
    ],
)  # fmt: skip
def test_what_only_resembles_an_image_is_none(head: bytes) -> None:
    assert sniff(head) is None
    with pytest.raises(NotAnImageError):
        measure(head)


@pytest.mark.parametrize("variant", VARIANTS)
@given(width=sizes, height=sizes)
def test_a_real_file_measures_as_it_was_made(variant: str, width: int, height: int) -> None:
    format, options = VARIANTS[variant]
    data = picture(format, width, height, **options)
    assert measure(data) == Measured(ImageFormat(format.lower()), width, height)
    assert is_complete(data, ImageFormat(format.lower()))


def test_an_extended_webp_with_transparency_measures_by_its_canvas() -> None:
    kept = io.BytesIO()
    frames = [Image.new("RGBA", (70, 30), (shade, 0, 0, shade)) for shade in (50, 200)]
    frames[0].save(kept, "WEBP", save_all=True, append_images=frames[1:])
    assert measure(kept.getvalue()) == Measured(ImageFormat.WEBP, 70, 30)


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC, 0xE1, 0xFE])
def test_a_jpeg_segment_that_is_no_frame_is_passed_over(marker: int) -> None:
    data = FILES["baseline jpeg"]
    segment = struct.pack(">BBH", 0xFF, marker, 22) + b"\x07" * 20
    assert measure(data[:2] + segment + data[2:]) == Measured(ImageFormat.JPEG, 40, 24)


def test_the_largest_image_any_vendor_makes_measures_from_its_header() -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 12_288, 1_536)
    assert measure(header) == Measured(ImageFormat.PNG, 12_288, 1_536)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_never_measured_and_complete(name: str) -> None:
    data = FILES[name]
    lengths = range(len(data)) if len(data) < 5_000 else [*range(2_000), *range(len(data) - 2_000, len(data))]
    for length in lengths:
        cut = data[:length]
        try:
            format = measure(cut).format
        except NotAnImageError:
            continue
        if format is not ImageFormat.GIF:  # its end marker is one byte, which pictures hold too
            assert not is_complete(cut, format), length


@pytest.mark.parametrize("name", [name for name in FILES if name != "gif"])
def test_a_few_bytes_after_the_end_are_let_pass_and_many_are_not(name: str) -> None:
    data = FILES[name]
    format = measure(data).format
    assert is_complete(data + b"\x00" * 16, format)
    assert is_complete(data + b"\n<!-- made by -->", format)
    assert not is_complete(data + b"\x00" * 100_000, format)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 0, 5),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 2**31, 5),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IDAT", 5, 5),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\x00\x02",
        b"\xff\xd8\xff\xe0\x00\x00",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x05",
        b"\xff\xd8" + b"\xff" * 100_000,
        b"\xff\xd8" + b"\xff\xd0" * 100_000,
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100_000,
        b"RIFF\x20\x00\x00\x00WEBPVP8 \x10\x00\x00\x00" + b"\x00" * 16,
        b"RIFF\x20\x00\x00\x00WEBPVP8L\x10\x00\x00\x00" + b"\x00" * 16,
        b"RIFF\x20\x00\x00\x00WEBPJUNK\x10\x00\x00\x00" + b"\x00" * 16,
        b"GIF89a\x00\x00\x05\x00",
        b"\x00\x00\x00\x20ftypavif" + b"\x00" * 64,
    ],
    ids=range(16),
)
def test_a_damaged_or_hostile_header_is_not_an_image(data: bytes) -> None:
    with pytest.raises(NotAnImageError) as refused:
        measure(data)
    assert str(refused.value)


@pytest.mark.parametrize("name", FILES)
@given(changes=st.lists(st.tuples(st.integers(min_value=0, max_value=400), st.integers(0, 255)), max_size=8))
def test_mutated_bytes_raise_nothing_of_their_own(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[name])
    for position, value in changes:
        data[position % len(data)] = value
    _measures_or_refuses(bytes(data))


@given(
    head=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\x00\x00\x00WEBP", b"GIF89a", b""]),
    rest=st.binary(max_size=200),
)
def test_any_bytes_after_a_right_beginning_raise_nothing_of_their_own(head: bytes, rest: bytes) -> None:
    _measures_or_refuses(head + rest)


def _measures_or_refuses(data: bytes) -> None:
    for format in ImageFormat:
        assert is_complete(data, format) in (True, False)
    try:
        measured = measure(data)
    except NotAnImageError:
        return
    assert measured.width > 0
    assert measured.height > 0
