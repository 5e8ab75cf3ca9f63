"""Input images as phones, browsers and attackers send them, made by Pillow and by hand."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pillow_heif
from PIL import Image

PLACE = b"52.5163N 13.3777E"
"""Stands in EXIF, XMP and text; must never be found in what is sent."""


def scene(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """A picture that looks different however it is turned: a gradient with a red corner and a blue edge."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    image.paste((220, 20, 20), (0, 0, width // 3, height // 4))
    image.paste((20, 20, 220), (0, height - height // 8, width, height))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((width, height)))
    return image if image.mode == mode else image.convert(mode)


def exif(orientation: int) -> bytes:
    """An EXIF block that states an orientation and a place."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010E] = PLACE.decode()
    return block.tobytes()


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    kept = io.BytesIO()
    if format == "HEIC":
        pillow_heif.from_pillow(image).save(kept, **options)
    else:
        image.save(kept, format, **options)
    return kept.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(left: Image.Image, right: Image.Image) -> float:
    """Mean difference of two pictures of one size, in levels of 255."""
    assert left.size == right.size
    pairs = zip(left.convert("RGB").tobytes(), right.convert("RGB").tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (left.width * left.height * 3)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with(data: bytes, *chunks: bytes) -> bytes:
    """Chunks right behind the header of a PNG."""
    return data[:33] + b"".join(chunks) + data[33:]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with(data: bytes, *segments: bytes) -> bytes:
    """Segments right behind the start of a JPEG."""
    return data[:2] + b"".join(segments) + data[2:]


def webp_with(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Chunks behind the others of a WebP."""
    added = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1) for name, content in chunks
    )
    return data[:4] + struct.pack("<I", len(data) - 8 + len(added)) + data[8:] + added


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A small PNG that states a huge size, and has the data for a part of it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 5_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
