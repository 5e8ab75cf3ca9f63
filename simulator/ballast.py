"""Ballast: bytes that make a file as heavy as a model's, and that nobody who looks at the picture sees."""

from __future__ import annotations

import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = len(_PNG) + 4 + 4 + 13 + 4
"""A PNG's signature and its first chunk."""
_JPEG = b"\xff\xd8"
_SEGMENT = 65_533
"""Most bytes of a JPEG segment, beside those of its length."""


def weighted(data: bytes, least: float) -> bytes:
    """The file with as much ballast as it takes to be of ``least`` bytes; WebP, which has no room for it, as it is."""
    lacking = int(least) - len(data)
    if lacking <= 0:
        return data
    if data.startswith(_PNG):
        # Ancillary, private, not to be copied by editors who do not know it: readers skip it.
        chunk = b"baLT" + bytes(lacking)
        return (
            data[:_HEADER] + struct.pack(">I", lacking) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[_HEADER:]
        )
    if data.startswith(_JPEG):
        segments, rest = divmod(lacking, _SEGMENT)
        return data[:2] + _comment(_SEGMENT) * segments + _comment(rest) + data[2:]
    return data


def _comment(length: int) -> bytes:
    return b"\xff\xfe" + struct.pack(">H", length + 2) + bytes(length)
