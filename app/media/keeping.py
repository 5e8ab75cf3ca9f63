"""Where what was made of an input image lies: small files in memory, larger ones in a mapped spool file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, cast

from PIL import Image

from app.media.decoding import MAX_PIXELS
from app.media.sniff import ImageFormat
from providers.blobs import MemoryBlob
from providers.mapped import let_go
from providers.spool import Spool

MAX_BYTES = 5 * MAX_PIXELS
"""More than any file made here can have: a PNG of the largest picture, not compressed at all, has 4 bytes a pixel."""
_SLICE = 256 * 1024
"""Bytes copied at a time."""


def spooled(pieces: Iterable[bytes | memoryview], format: ImageFormat, directory: Path | None) -> MemoryBlob:
    """The pieces as one file, labelled as what it is. Raises SpoolFailedError when our own disk takes no more."""
    spool = Spool(directory, limit=MAX_BYTES)
    try:
        for piece in pieces:
            view = memoryview(piece)
            for start in range(0, len(view), _SLICE):
                spool.write(view[start : start + _SLICE])
                let_go(view)
        return _finished(spool, format)
    finally:
        spool.close()


def encoded(image: Image.Image, format: ImageFormat, directory: Path | None, **options: Any) -> MemoryBlob:
    """The picture as a file; ``options`` are the library's. Its colour profile is kept. Raises SpoolFailedError."""
    profile = image.info.get("icc_profile")
    if profile is not None:
        options.setdefault("icc_profile", profile)
    spool = Spool(directory, limit=MAX_BYTES)
    try:
        image.save(cast("IO[bytes]", spool), format.value.upper(), **options)
        return _finished(spool, format)
    finally:
        spool.close()


def _finished(spool: Spool, format: ImageFormat) -> MemoryBlob:
    body = spool.finish()
    return MemoryBlob(body if isinstance(body, bytes) else memoryview(body), f"image/{format.value}")
