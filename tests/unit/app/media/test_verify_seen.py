"""An image that was seen while it came is judged as one that is read, and without being read where both ends tell."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.media.verify import GLANCE_BYTES, Check, MustDecodeError, NotDeliveredError, verify
from providers.blobs import MemoryBlob
from providers.cutting import Cutter
from providers.pieced import PiecedFile, PiecedText
from providers.pieces import Span, between
from providers.spec.blob import FIRST_BYTES, Blob
from providers.spec.request import ImageRequest, Resolution
from tests.unit.app.media.pictures import VARIANTS, picture
from tests.unit.app.media.test_verify import asked
from tests.unit.app.public_models import NANO_BANANA_2

R512, R1K = Resolution.R512, Resolution.R1K
MUST_DECODE = ("must be decoded",)


def as_file(data: bytes) -> PiecedFile:
    """As it came, in three pieces."""
    third = len(data) // 3
    return PiecedFile.of((Span(data[:third]), Span(data[third : 2 * third]), Span(data[2 * third :])))


def as_text(data: bytes) -> PiecedText | None:
    """As it came in a document, where it is long enough to be cut out of it."""
    body = json.dumps({"data": base64.b64encode(data).decode()}).encode()
    cutter = Cutter()
    for at in range(0, len(body), 65_536):
        cutter.feed(body[at : at + 65_536])
    found = cutter.cut()
    if found is None or not found[1]:
        return None
    (each,) = found[1]
    return PiecedText(between((Span(body),), (each.start, each.end))[0], each)


def verdict(blob: Blob, request: ImageRequest, *, may_decode: bool = True) -> tuple[Any, ...]:
    try:
        seen = verify(blob, request, NANO_BANANA_2, may_decode=may_decode)
    except NotDeliveredError as missed:
        return missed.check, missed.message
    except MustDecodeError:
        return MUST_DECODE
    assert seen.blob is blob
    return seen.format, seen.width, seen.height, seen.length, seen.warnings


def same_verdict(data: bytes, request: ImageRequest) -> tuple[Any, ...]:
    """What it is, however it is looked at. Without decoding, what is too long to be read here may be left to others."""
    plain = verdict(MemoryBlob(data), request)
    at_a_glance = verdict(MemoryBlob(data), request, may_decode=False)
    assert at_a_glance in (plain, MUST_DECODE)
    for blob in (as_file(data), as_text(data)):
        if blob is not None:
            assert blob.ends is not None
            assert verdict(blob, request) == plain
            seen = verdict(blob, request, may_decode=False)
            assert seen == at_a_glance or (seen == MUST_DECODE and len(data) > GLANCE_BYTES)
    return plain


def noisy(format: str, size: int = 1024, **options: Any) -> bytes:
    kept = io.BytesIO()
    Image.effect_noise((size, size), 90).convert("RGB").save(kept, format, quality=100, **options)
    return kept.getvalue()


def flat(format: str, size: int = 512, **options: Any) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (size, size), (9, 9, 9)).save(kept, format, **options)
    return kept.getvalue()


def with_chunk(png: bytes, length: int, *, behind: bool = False) -> bytes:
    """A PNG with so many bytes of metadata before its pixels, or behind them."""
    content = random.Random(length).randbytes(length)
    chunk = struct.pack(">I", length) + b"prVt" + content + struct.pack(">I", zlib.crc32(b"prVt" + content))
    at = png.rindex(b"IEND") - 4 if behind else png.index(b"IDAT") - 4
    return png[:at] + chunk + png[at:]


def with_segments(jpeg: bytes, length: int) -> bytes:
    """A JPEG with about so many bytes of metadata before its pixels."""
    segment = b"\xff\xe5" + struct.pack(">H", 50_002) + b"m" * 50_000
    return jpeg[:2] + segment * (length // len(segment) + 1) + jpeg[2:]


BEFORE_PIXELS = [FIRST_BYTES // 2, FIRST_BYTES - 100, FIRST_BYTES, 150_000, 3_000_000]
GOOD = {
    **{name: picture(format, 1024, 1024, **options) for name, (format, options) in VARIANTS.items()},
    "noisy png": noisy("PNG"),
    "noisy jpeg": noisy("JPEG"),
    "noisy webp": noisy("WEBP"),
    "noisy lossless webp": noisy("WEBP", lossless=True),
    "png with a note behind its end": noisy("PNG") + b"note" * 200,
    **{f"png with {length} bytes before its pixels": with_chunk(noisy("PNG"), length) for length in BEFORE_PIXELS},
    **{f"jpeg with {length} bytes before its pixels": with_segments(noisy("JPEG"), length) for length in BEFORE_PIXELS},
    "png with metadata behind its pixels": with_chunk(noisy("PNG"), 200_000, behind=True),
    "small png with metadata before its pixels": with_chunk(picture("PNG", 1024, 1024), 50_000),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_image_is_delivered(name: str) -> None:
    assert same_verdict(GOOD[name], asked(tier=R1K))[1:3] == (1024, 1024)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("lacks", [1, 20, 2000, 3000, 0.1, 0.5, 0.9, 0.999])
def test_an_image_that_is_cut_short_is_not(name: str, lacks: float) -> None:
    data = GOOD[name]
    found = same_verdict(data[: max(0, len(data) - int(lacks if lacks >= 1 else lacks * len(data)))], asked(tier=R1K))
    if lacks not in (1, 20) and name not in ("gif", "png with a note behind its end"):
        assert found[0] in (Check.COMPLETE, Check.HEADER, Check.NOT_EMPTY)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    "request_", [asked("3:2"), asked("1:4", R1K), asked(None, Resolution.R4K), asked(None, None), asked("1:1", R512)]
)
def test_an_image_of_another_size_is_judged_alike(name: str, request_: ImageRequest) -> None:
    same_verdict(GOOD[name], request_)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("size", [512, 2048])
def test_an_image_of_one_flat_colour_is_judged_alike(format: str, size: int) -> None:
    assert same_verdict(flat(format, size), asked())[0] is Check.NOT_FLAT


def test_a_flat_image_with_long_metadata_is_found_out_too() -> None:
    for data in (with_chunk(flat("PNG", 2048), 100_000), with_chunk(flat("PNG", 2048), 100_000, behind=True)):
        assert same_verdict(data, asked())[0] is Check.NOT_FLAT


NOTHING = [b"", b"x", b"<html>502</html>", bytes(100_000), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" * 50_000]


@pytest.mark.parametrize("data", NOTHING, ids=len)
def test_what_is_no_image_is_judged_alike(data: bytes) -> None:
    assert same_verdict(data, asked())[0] in (Check.NOT_EMPTY, Check.HEADER)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@settings(max_examples=25)
@given(st.data())
def test_a_damaged_image_is_judged_alike(format: str, data: st.DataObject) -> None:
    whole = bytearray(picture(format, 600, 600))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 60))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    same_verdict(bytes(whole), asked())


class Unread(PiecedFile):
    """Notices when it is read."""

    __slots__ = ()

    def read(self) -> bytes:
        raise AssertionError("read")

    def pieces(self) -> Iterator[bytes]:
        raise AssertionError("read")


@pytest.mark.parametrize("name", ["noisy png", "noisy jpeg", "png with metadata behind its pixels"])
@pytest.mark.parametrize("may_decode", [False, True])
def test_what_both_ends_tell_of_need_not_be_read(name: str, may_decode: bool) -> None:
    blob = Unread.of((Span(GOOD[name]),))
    assert verify(blob, asked(tier=R1K), NANO_BANANA_2, may_decode=may_decode).length == blob.length


def test_metadata_that_is_long_is_not_read_where_nothing_may_be_decoded() -> None:
    blob = Unread.of((Span(with_chunk(noisy("PNG"), 200_000)),))
    assert blob.length > GLANCE_BYTES
    assert verdict(blob, asked(tier=R1K), may_decode=False) == MUST_DECODE


def test_a_long_image_that_states_many_pixels_is_not_read_where_nothing_may_be_decoded() -> None:
    data = bytearray(noisy("PNG"))
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    assert len(data) > GLANCE_BYTES
    assert verdict(Unread.of((Span(bytes(data)),)), asked(), may_decode=False) == MUST_DECODE
