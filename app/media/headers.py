"""The size in pixels of AVIF, HEIC, BMP and TIFF files, from their headers alone.

These are the formats that are only ever converted, so that their size has to be known before anything is decoded.
Sources: ISO/IEC 14496-12 (boxes) and 23008-12 (the ``ispe`` property), Microsoft's BITMAPINFOHEADER, TIFF 6.0. Each
reader raises ``struct.error`` where the bytes end too soon, and answers (0, 0) where no size is stated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_BOXES = 4096
"""Boxes looked at on one level. Real files have tens; a grid of tiles some hundreds."""
_WIDTH, _HEIGHT = 256, 257
_SHORT, _LONG = 3, 4


def bmff_size(data: bytes | memoryview) -> tuple[int, int]:
    """Of AVIF and HEIC: the largest of the sizes stated, since a grid states its tiles' size as well as its own.

    A rotation or a crop that the file asks for is not applied (encoders of HEIC pad small and odd sizes, and crop them
    again): what has to be decoded is of this size.
    """
    largest = (0, 0)
    for meta in _boxes(data, 0, len(data), b"meta"):
        for properties in _boxes(data, meta[0] + 4, meta[1], b"iprp"):
            for container in _boxes(data, *properties, b"ipco"):
                for start, end in _boxes(data, *container, b"ispe"):
                    if end - start >= 12:
                        width, height = struct.unpack_from(">II", data, start + 4)
                        largest = max(largest, (width, height), key=lambda size: (size[0] * size[1], size))
    return largest


def bmff_is_whole(data: bytes | memoryview) -> bool:
    """Whether the boxes of an AVIF or HEIC file, the one with the picture data among them, fill it to its end."""
    held = any(_boxes(data, 0, len(data), b"mdat"))
    return held and max(end for _, end in _boxes(data, 0, len(data), None)) == len(data)


def _boxes(data: bytes | memoryview, start: int, end: int, wanted: bytes | None) -> Iterator[tuple[int, int]]:
    """Where the contents of each box of this name, or of every box, begin and end."""
    at = start
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        length, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        elif length == 0:  # as far as what holds it
            length = end - at
        if length < head or at + length > end:
            return
        if wanted in (name, None):
            yield at + head, at + length
        at += length


def bmp_size(data: bytes | memoryview) -> tuple[int, int]:
    """Of BMP: a negative height means that rows stand from top to bottom."""
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return max(0, width), abs(height)


def tiff_size(data: bytes | memoryview) -> tuple[int, int]:
    """Of TIFF: the first picture's, as it is stored."""
    order = "<" if data[:1] == b"I" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    found = {_WIDTH: 0, _HEIGHT: 0}
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in found and kind in (_SHORT, _LONG):
            (found[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), data, entry + 8)
    return found[_WIDTH], found[_HEIGHT]
