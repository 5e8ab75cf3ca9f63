"""The first row of a PNG, or less, unpacked without the rest: it often shows that a picture is not one flat colour.

A decoder would unpack all of the picture first, a hundred times the work. What is not decoded is held against its
checksums instead, which finds what was lost or changed on the way; not an encoder that stopped half-way and closed its
file all the same, which no larger file is searched for either. Source: the PNG specification (W3C), sections
5.3 (chunks), 9 (filters) and 11.2 (chunks). Anything out of the ordinary is left to the decoder.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate, chain

Piece = bytes | memoryview

_HEAD = struct.Struct(">IIBBBBB")
_HEAD_AT = 16
_CHUNK = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
_CHUNKS_AT = 8
"""Behind the signature."""
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""By colour type. A palette's numbers say nothing about how far its colours are apart, so it is not among them."""
_MOST_CHUNKS = 512
"""Real files of the few bytes that are looked at have some hundred, in chunks of 8 KB."""
_MOST_BYTES = 4 * 16_384
"""Of a row: as wide as is worked on here, with four channels. Wider is left to whoever checks bounds first."""
_BEGINNING = 48
"""Pixels at the left, of which one in ``_EVERY`` is looked at before the rest of the row is unpacked."""
_EVERY = 4
_A_FEW = 32
"""Pixels of a whole row that are looked at before all of them."""
_ABOVE = frozenset({0, 2})
"""Filters of a first row that leave it as it is: none, and the difference from a row above, of which there is none."""
_LEFT = frozenset({1, 4})
"""Filters that are, in a first row, the difference from the pixel on the left: Sub, and Paeth without a row above."""


def first_row_varies(data: bytes, spread: int) -> bool:
    """Whether some channel of the first row of the PNG ``data`` differs by more than ``spread`` levels of 255.

    False also when it cannot be told from there: other formats and depths, interlaced files, a first row of one colour,
    and any file whose checksums do not hold. Never raises for any bytes.
    """
    try:
        channels, length = _measured(data)
        packed = iter(_packed(data))
        unpacker = zlib.decompressobj()
        # In most pictures the beginning tells, for a third of the work, and of a whole row a few pixels.
        begun = _unpacked(unpacker.decompress, packed, 1 + min(length, _BEGINNING * channels))
        if _varies(_restored(begun, channels), channels, _EVERY, spread):
            return True
        if len(begun) <= length:
            rest = chain((unpacker.unconsumed_tail,), packed)
            begun += _unpacked(unpacker.decompress, rest, 1 + length - len(begun))
        row = _restored(begun, channels)
    except (struct.error, zlib.error, ValueError):
        return False
    few = max(1, length // channels // _A_FEW)
    return _varies(row, channels, few, spread) or _varies(row, channels, 1, spread)


def _measured(data: bytes) -> tuple[int, int]:
    """Channels of a pixel, and bytes of a row. Raises ValueError where a row is not looked at, or struct.error."""
    width, _, depth, colour, _, _, interlaced = _HEAD.unpack_from(data, _HEAD_AT)
    channels = _CHANNELS.get(colour)
    if depth != 8 or channels is None or interlaced or not width:
        raise ValueError("not of the ordinary kind")
    length: int = width * channels
    if length > _MOST_BYTES:
        raise ValueError("too wide")
    return channels, length


def _packed(data: bytes) -> list[Piece]:
    """The packed picture data, all chunks having been held against their checksums. Raises ValueError, struct.error."""
    at = _CHUNKS_AT
    packed: list[Piece] = []
    view = memoryview(data)
    for _ in range(_MOST_CHUNKS):
        size, name = _CHUNK.unpack_from(data, at)
        end = at + 8 + size
        (checksum,) = _CHECKSUM.unpack_from(data, end)
        if zlib.crc32(view[at + 4 : end]) != checksum:
            raise ValueError("a damaged chunk")
        if name == b"IEND":
            return packed
        if name == b"IDAT":
            packed.append(view[at + 8 : end])
        at = end + 4
    raise ValueError("too many chunks")


def _unpacked(unpack: Callable[[Piece, int], bytes], packed: Iterator[Piece], length: int) -> bytes:
    """The next ``length`` bytes. Raises ValueError where there are fewer, or zlib.error."""
    rows = b""
    for piece in packed:
        rows += unpack(piece, length - len(rows))
        if len(rows) == length:
            return rows
    raise ValueError("no whole row")


def _restored(filtered: bytes, channels: int) -> bytes:
    """The beginning of a first row, its filter undone. Raises ValueError for one that averages."""
    filter, row = filtered[0], filtered[1:]
    if filter in _ABOVE:
        return row
    if filter not in _LEFT:
        raise ValueError("a filter that averages")
    restored = bytearray(len(row))
    for channel in range(channels):
        restored[channel::channels] = bytes(each & 0xFF for each in accumulate(row[channel::channels]))
    return bytes(restored)


def _varies(row: bytes, channels: int, every: int, spread: int) -> bool:
    """By one pixel in ``every``."""
    for channel in range(channels):
        values = row[channel :: channels * every]
        if max(values) - min(values) > spread:
            return True
    return False
