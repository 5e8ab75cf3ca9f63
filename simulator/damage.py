"""Damage: how a fault spoils the size or the bytes of a picture."""

from __future__ import annotations

import math

from simulator.faults import Kind
from simulator.pixels import Size

NOT_AN_IMAGE = b"upstream connect error or disconnect/reset before headers. This is text, whatever its label says.\n"
BILLED_BUT_BROKEN = frozenset(
    {Kind.TRUNCATED_BASE64, Kind.TRUNCATED_IMAGE, Kind.WRONG_SIZE, Kind.WRONG_RATIO, Kind.NOT_AN_IMAGE}
)
"""Kinds where something is delivered, so the vendor bills it."""


def spoiled_size(kind: Kind | None, size: Size) -> Size:
    """The size that comes instead: one tier smaller, or another ratio of about the same area."""
    width, height = size
    if kind is Kind.WRONG_SIZE:
        return max(width // 2, 16), max(height // 2, 16)
    if kind is Kind.WRONG_RATIO:
        area = width * height
        ratio = 16 / 9 if 0.8 < width / height < 1.25 else 1.0
        other = round(math.sqrt(area * ratio))
        return other, round(area / other)
    return size


def spoiled_bytes(kind: Kind | None, data: bytes) -> bytes:
    """The bytes that come instead: half of them, or a text."""
    if kind is Kind.TRUNCATED_IMAGE:
        return data[: len(data) // 2]
    if kind is Kind.NOT_AN_IMAGE:
        return NOT_AN_IMAGE
    return data


def spoiled_base64(kind: Kind | None, text: str) -> str:
    """Base64 that no decoder takes: cut one character after a whole group."""
    if kind is Kind.TRUNCATED_BASE64:
        return text[: len(text) // 8 * 4 + 1]
    return text
