"""The first row of a PNG, unpacked without the rest: often enough to see that a picture is not one flat colour.

A decoder would unpack all of the picture first, a hundred times the work. What is not decoded is held against its
checksums instead, which finds what was lost or changed on the way; not an encoder that stopped half-way and closed its
file all the same, which no larger file is searched for either. Source: the PNG specification (W3C), sections
5.3 (chunks), 9 (filters) and 11.2 (chunks). Anything out of the ordinary is left to the decoder.
"""

from __future__ import annotations

import struct
import zlib
from itertools import accumulate

_HEAD = struct.Struct(">IIBBBBB")
_HEAD_AT = 16
_CHUNKS_AT = 8
"""Behind the signature."""
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""By colour type. A palette's numbers say nothing about how far its colours are apart, so it is not among them."""
_MOST_CHUNKS = 512
"""Real files of the few bytes that are looked at have some hundred, in chunks of 8 KB."""
_MOST_BYTES = 4 * 16_384
"""Of a row: as wide as is worked on here, with four channels. Wider is left to whoever checks bounds first."""
_A_FEW = 32
"""Pixels of a row that are looked at first."""
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
        row, channels = _first_row(data)
    except (struct.error, zlib.error, ValueError):
        return False
    # In most pictures a few pixels tell, and it takes a tenth of the time to look at no others.
    few = channels * max(1, len(row) // channels // _A_FEW)
    return any(
        max(values) - min(values) > spread
        for step in (few, channels)
        for values in (row[channel::step] for channel in range(channels))
    )


def _first_row(data: bytes) -> tuple[bytes, int]:
    """The row's bytes and how many channels they have. Raises ValueError, struct.error or zlib.error when not read."""
    width, _, depth, colour, _, _, interlaced = _HEAD.unpack_from(data, _HEAD_AT)
    channels = _CHANNELS.get(colour)
    if depth != 8 or channels is None or interlaced or not width:
        raise ValueError("not of the ordinary kind")
    length = width * channels
    if length > _MOST_BYTES:
        raise ValueError("too wide")
    filtered = _unpacked(data, 1 + length)
    filter, row = filtered[0], filtered[1:]
    if filter in _ABOVE:
        return row, channels
    if filter not in _LEFT:
        raise ValueError("a filter that averages")
    restored = bytearray(length)
    for channel in range(channels):
        restored[channel::channels] = bytes(each & 0xFF for each in accumulate(row[channel::channels]))
    return bytes(restored), channels


def _unpacked(data: bytes, length: int) -> bytes:
    """The first ``length`` bytes of the packed picture data, all chunks having been held against their checksums."""
    at = _CHUNKS_AT
    unpacker = zlib.decompressobj()
    rows = b""
    view = memoryview(data)
    for _ in range(_MOST_CHUNKS):
        size, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + size
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(view[at + 4 : end]) != checksum:
            raise ValueError("a damaged chunk")
        if name == b"IEND":
            break
        if name == b"IDAT" and len(rows) < length:
            rows += unpacker.decompress(view[at + 8 : end], length - len(rows))
        at = end + 4
    else:
        raise ValueError("too many chunks")
    if len(rows) < length:
        raise ValueError("no whole row")
    return rows
