"""The first row of a PNG tells two colours apart whatever its filter, and says nothing where it cannot be sure."""

from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.media.first_row import first_row_varies

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SPREAD = 8


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(row: bytes, *, filter: int = 0, colour: int = 2, width: int = 4, depth: int = 8, pieces: int = 1) -> bytes:
    packed = zlib.compress(bytes([filter]) + row)
    step = -(-len(packed) // pieces)
    data = b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0))
    return SIGNATURE + head + chunk(b"tEXt", b"a\0b") + data + chunk(b"IEND", b"")


def saved(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@given(
    st.sampled_from([(0, "L", 1), (2, "RGB", 3), (4, "LA", 2), (6, "RGBA", 4)]),
    st.integers(0, 4),
    st.integers(1, 9).flatmap(
        lambda width: st.tuples(st.just(width), st.binary(min_size=4 * width, max_size=4 * width))
    ),
    st.integers(1, 3),
)
def test_it_agrees_with_a_decoder(
    kind: tuple[int, str, int], filter: int, drawn: tuple[int, bytes], pieces: int
) -> None:
    colour, mode, channels = kind
    width, row = drawn
    data = png(row[: width * channels], filter=filter, colour=colour, width=width, pieces=pieces)
    image = Image.open(io.BytesIO(data))
    assert image.mode == mode
    bands = [band.tobytes() for band in image.split()]
    varies = any(max(band) - min(band) > SPREAD for band in bands)
    assert first_row_varies(data, SPREAD) == (varies and filter != 3)  # a filter that averages is left to the decoder


@pytest.mark.parametrize("width", [31, 32, 33, 100, 1001])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("odd", [None, 0, 17, -1])
def test_a_wide_row_is_told_by_any_of_its_pixels_and_each_channel_by_itself(
    width: int, colour: int, channels: int, odd: int | None
) -> None:
    row = bytearray(bytes([10, 200, 90, 255][:channels]) * width)  # flat, though its channels are far apart
    if odd is not None:
        row[odd] ^= 64
    assert first_row_varies(png(bytes(row), colour=colour, width=width), SPREAD) == (odd is not None)


@pytest.mark.parametrize("width", [47, 48, 49, 50, 300])
@pytest.mark.parametrize("filter", [0, 1, 2, 4])
@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("odd", [None, 1, -1])
def test_a_row_of_any_filter_and_in_any_pieces_is_told_behind_its_beginning(
    width: int, filter: int, pieces: int, odd: int | None
) -> None:
    pixels = bytearray(b"\x0a\xc8\x5a" * width)
    if odd is not None:
        pixels[3 * odd] ^= 64
    left = b"\0\0\0" + pixels
    row = bytes(pixels)
    if filter in (1, 4):
        row = bytes((here - before) & 0xFF for here, before in zip(pixels, left, strict=False))
    assert first_row_varies(png(row, filter=filter, width=width, pieces=pieces), SPREAD) == (odd is not None)


def test_a_row_that_ends_too_soon_is_not_told_from_a_plain_beginning() -> None:
    assert not first_row_varies(png(b"\x0a\xc8\x5a" * 99, width=100), SPREAD)


def test_a_picture_with_a_plain_first_row_is_not_told_apart() -> None:
    image = Image.effect_noise((64, 64), 80)
    image.paste(0, (0, 0, 64, 1))
    assert not first_row_varies(saved(image), SPREAD)
    assert first_row_varies(saved(image.rotate(90)), SPREAD)


@pytest.mark.parametrize("mode", ["P", "1", "I;16"])
def test_depths_and_palettes_are_left_to_the_decoder(mode: str) -> None:
    image = Image.effect_noise((64, 64), 80)
    assert not first_row_varies(
        saved(image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)), SPREAD
    )


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "GIF"])
def test_other_formats_are_left_to_the_decoder(format: str) -> None:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(out, format)
    assert not first_row_varies(out.getvalue(), SPREAD)


def test_damage_anywhere_is_left_to_the_decoder() -> None:
    whole = saved(Image.effect_noise((64, 64), 80))
    assert first_row_varies(whole, SPREAD)
    for at in range(len(SIGNATURE), len(whole), 37):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        assert not first_row_varies(bytes(damaged), SPREAD), at
        assert not first_row_varies(whole[:at], SPREAD), at


@given(st.binary(max_size=200))
def test_any_bytes_are_borne(data: bytes) -> None:
    first_row_varies(data, SPREAD)
    first_row_varies(SIGNATURE + data, SPREAD)
    first_row_varies(png(b"")[:33] + data, SPREAD)


def test_a_row_wider_than_is_worked_on_is_not_unpacked() -> None:
    row = bytes(range(256)) * 256
    assert first_row_varies(png(row, colour=0, width=len(row)), SPREAD)
    assert not first_row_varies(png(row + b"x", colour=0, width=len(row) + 1), SPREAD)


@pytest.mark.parametrize(("pieces", "told"), [(400, True), (600, False)])
def test_a_file_of_many_chunks_is_held_against_all_of_them(pieces: int, told: bool) -> None:
    rows = random.Random(7).randbytes(40_000)
    packed = zlib.compress(b"\0" + rows)
    step = -(-len(packed) // pieces)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", len(rows), 1, 8, 0, 0, 0, 0))
    data = b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    whole = SIGNATURE + head + data + chunk(b"IEND", b"")
    assert first_row_varies(whole, SPREAD) is told
    damaged = bytearray(whole)
    damaged[-40] ^= 1
    assert not first_row_varies(bytes(damaged), SPREAD)
