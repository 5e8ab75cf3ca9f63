"""An image in several pieces is the same image as in one, whatever the pieces; and each is let go of in time."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import pieced
from providers.blobs import MemoryBlob
from providers.cutting import Found
from providers.pieced import PiecedFile, PiecedText
from providers.pieces import Held, Memory, Span, between, length_of
from providers.spec.blob import FIRST_BYTES, LAST_BYTES, PIECE_BYTES, Blob, Ends
from providers.spool import Spool
from tests.base64_text import text_of
from tests.unit.providers.test_mapped import held_of_files, on_linux

MIB = 1024 * 1024
CONTENT = random.Random(5).randbytes(3 * MIB)


def mapped(data: bytes, folder: Path | None = None) -> memoryview:
    spool = Spool(folder, limit=len(data), stated=100 * MIB)
    spool.write(data)
    return memoryview(spool.finish())


def spans(data: bytes, sizes: list[int], *, memory: Memory | None = None, in_file: int = 0) -> tuple[Span, ...]:
    """Data in pieces of these sizes, what is left in one, and so much of its end in a mapped file. Pieces in memory are
    by turns bytes and views."""
    found: list[Span] = []
    at, end = 0, len(data) - in_file
    for place, size in enumerate([*sizes, end]):
        piece = data[at : min(at + size, end)]
        if size and not piece:
            continue
        if memory is not None:
            memory.overdraw(len(piece))
        found.append(Span(memoryview(piece) if place % 2 else piece, Held(piece, memory) if memory else None))
        at = min(at + size, end)
    return (*found, Span(mapped(data[end:]))) if in_file else tuple(found)


def as_text(data: bytes, sizes: list[int], *, memory: Memory | None = None, in_file: int = 0) -> PiecedText:
    text = base64.b64encode(data)
    found = Found(0, len(text), b"", "image/png", len(data), Ends(data[:FIRST_BYTES], data[-LAST_BYTES:]))
    return PiecedText(spans(text, sizes, memory=memory, in_file=in_file), found)


def as_file(data: bytes, sizes: list[int], *, memory: Memory | None = None, in_file: int = 0) -> PiecedFile:
    return PiecedFile.of(spans(data, sizes, memory=memory, in_file=in_file), "image/png")


def assert_is(blob: PiecedText | PiecedFile, data: bytes, *, piece: int = PIECE_BYTES) -> None:
    """It is this image, and as often as it is asked for."""
    for _ in range(2):
        pieces = list(blob.pieces())
        assert b"".join(pieces) == data
        assert all(isinstance(each, bytes) and 0 < len(each) <= piece for each in pieces)
        assert all(len(each) % 3 == 0 for each in pieces[:-1])
        assert blob.read() == data
        assert blob.length == len(data)
        text = blob.base64()
        assert len(text) == len(base64.b64encode(data))
        assert text_of(text) == base64.b64encode(data)


@settings(max_examples=400)
@given(st.binary(max_size=90), st.lists(st.integers(0, 25), max_size=20))
def test_it_is_the_same_image_in_pieces_of_any_lengths(data: bytes, sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pieced, "PIECE_BYTES", 12)
        patched.setattr(pieced, "_TEXT_BYTES", 16)
        assert_is(as_text(data, sizes), data, piece=12)
        assert_is(as_file(data, sizes), data, piece=12)


@pytest.mark.parametrize("make", [as_text, as_file])
@pytest.mark.parametrize("length", [MIB, MIB + 1, MIB + 2, 3 * MIB])
@pytest.mark.parametrize("in_file", [1, 2, 700_001, MIB])
@pytest.mark.parametrize("sizes", [[], [100_001, 3, 1, 0, 250_000]])
def test_it_is_the_same_image_with_its_end_in_a_file(make: Any, length: int, in_file: int, sizes: list[int]) -> None:
    assert_is(make(CONTENT[:length], sizes, in_file=in_file), CONTENT[:length])


@pytest.mark.parametrize("make", [as_text, as_file])
@pytest.mark.parametrize(
    "length", [0, 1, 2, 3, LAST_BYTES, LAST_BYTES + 1, FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1]
)
@pytest.mark.parametrize("in_file", [0, 1])
def test_both_ends_are_those_of_the_image(make: Any, length: int, in_file: int) -> None:
    data = CONTENT[:length]
    blob = make(data, [7, LAST_BYTES, 1000, 1000], in_file=min(in_file, length))
    assert blob.ends is not None
    assert (blob.ends.head, blob.ends.tail) == (data[:FIRST_BYTES], data[-LAST_BYTES:] if data else b"")


def test_padding_that_lies_elsewhere_is_the_end_of_the_text() -> None:
    data = CONTENT[:10_000]
    text = base64.b64encode(data)
    body = spans(b"{" + text[:-2] + b"\\u003d\\u003d}", [5000])
    found = Found(1, len(text) - 1, b"==", "", len(data), Ends(data, data[-LAST_BYTES:]))
    assert_is(PiecedText((*between(body, (found.start, found.end))[0], Span(found.padding)), found), data)


def test_a_piece_of_whole_groups_is_not_copied() -> None:
    piece = CONTENT[:3000]
    body = (Span(piece), Span(CONTENT[3000:5000]))
    assert next(PiecedFile.of(body).pieces()) is piece


@pytest.mark.parametrize("make", [as_text, as_file])
def test_what_is_shown_of_it_is_its_size_and_never_its_bytes(make: Any) -> None:
    blob = make(b"secret picture!!", [3])
    assert repr(blob) == f"{type(blob).__name__}(16 bytes, image/png)"
    assert (blob.media_type, repr(PiecedFile.of(()))) == ("image/png", "PiecedFile(0 bytes, unknown type)")
    assert "secret" not in repr(blob.base64())


SIZES = [3000, 6000, 9000, 300_000]


def kept(memory: Memory, text: Iterator[bytes | memoryview]) -> list[int]:
    """What counts as held whenever a piece is there, and when none is left."""
    return [*(-memory.free for _ in text), -memory.free]


def test_text_lets_go_of_each_piece_when_the_next_is_asked_for() -> None:
    memory, data = Memory(0), CONTENT[:300_000]
    blob = as_text(data, SIZES, memory=memory, in_file=100_000)
    text = blob.base64()
    assert -memory.free == 300_000
    del blob
    assert kept(memory, text.pieces()) == [300_000, 297_000, 291_000, 282_000, 0, 0]


def test_a_file_lets_go_of_each_piece_when_the_next_is_asked_for() -> None:
    memory, data = Memory(0), CONTENT[:399_999]
    blob = as_file(data, SIZES, memory=memory, in_file=99_999)
    encoded = blob.base64()
    assert -memory.free == 300_000
    del blob
    assert kept(memory, encoded.pieces()) == [300_000, 297_000, 291_000, 282_000, 0, 0]


@pytest.mark.parametrize("make", [as_text, as_file])
def test_pieces_of_odd_lengths_are_let_go_of_too(make: Any) -> None:
    memory = Memory(0)
    blob = make(CONTENT[:500_000], [1, 2, 5, 0, 100_001, 1, 1, 1, 50_002], memory=memory)
    text = blob.base64()
    del blob
    held = kept(memory, text.pieces())
    assert held == sorted(held, reverse=True)
    assert held[-1] == 0


@pytest.mark.parametrize("make", [as_text, as_file])
def test_text_that_is_dropped_half_way_lets_go_of_everything(make: Any) -> None:
    memory = Memory(0)
    blob = make(CONTENT[:500_000], [1000] * 50, memory=memory)
    text = blob.base64()
    pieces = text.pieces()
    for _ in range(10):
        next(pieces)
    del blob
    assert memory.free < 0
    del text, pieces
    assert memory.free == 0


@pytest.mark.parametrize("make", [as_text, as_file])
def test_as_long_as_the_image_is_kept_all_of_it_is(make: Any) -> None:
    memory = Memory(0)
    blob = make(CONTENT[:100_000], SIZES, memory=memory)
    held = -memory.free
    for _ in range(2):
        assert kept(memory, blob.base64().pieces())[-1] == held
    assert blob.read() == CONTENT[:100_000]
    del blob
    assert memory.free == 0


@on_linux
@pytest.mark.parametrize("look", [PiecedFile.read, lambda file: [None for _ in file.pieces()], lambda file: file.ends])
def test_of_a_file_that_was_looked_at_little_is_held(tmp_path: Path, look: Any) -> None:
    body = (Span(b"QUJ"), Span(mapped(CONTENT * 16, tmp_path)))
    file = PiecedFile.of(body)
    look(file)
    assert held_of_files(tmp_path) < 6 * MIB


@on_linux
def test_of_text_in_a_file_that_was_decoded_little_is_held(tmp_path: Path) -> None:
    text = base64.b64encode(CONTENT * 12)
    found = Found(0, len(text), b"", "", 36 * MIB, Ends(b"", b""))
    blob = PiecedText((Span(text[:5]), Span(mapped(text[5:], tmp_path))), found)
    most = 0
    for _ in blob.pieces():
        most = max(most, held_of_files(tmp_path))
    assert 0 < most < 6 * MIB


def test_an_image_in_no_piece_is_empty(tmp_path: Path) -> None:
    assert_is(PiecedFile.of(()), b"")
    blobs: list[Blob] = [PiecedFile.of((Span(b""),)), MemoryBlob(b"")]
    assert [list(blob.pieces()) for blob in blobs] == [[], []]
    assert length_of(()) == 0
