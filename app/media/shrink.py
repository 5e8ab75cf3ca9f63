"""The same picture in fewer bytes, for vendors that take an image only up to a size.

First with all its pixels, at falling quality; then with half as many, and half again, until it fits. JPEG, or WebP
where there is transparency, which JPEG cannot hold.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from app.media.decoding import eight_bit, has_transparency
from app.media.keeping import encoded
from app.media.sniff import ImageFormat, NotAnImageError
from app.media.upright import opened
from providers.blobs import MemoryBlob
from providers.spec.blob import Blob

QUALITIES = (92, 85, 75)
"""Tried with all pixels: below 75 fewer pixels look better than coarser ones."""
SMALLER_QUALITY = 85
WEBP_EDGE = 16_383
"""Pixels; what WebP's header can state."""
WEBP_EFFORT = 2
"""Of 0 to 6: twice as quick as the usual 4, for files a few per cent larger."""
_PROFILE_SHARE = 8
"""A colour profile larger than this part of the limit is left out: it would cost more pixels than it is worth."""


def shrunk(blob: Blob, limit: int, directory: Path | None = None) -> tuple[Blob, bool]:
    """The picture in at most ``limit`` bytes, and whether it is another file than was given. For a worker thread.

    ``blob`` is PNG, JPEG or WebP within the bounds of ``decoding``; a turned one comes out upright. Raises
    NotAnImageError when it cannot be decoded, or when even one pixel does not fit; SpoolFailedError likewise.
    """
    if blob.length <= limit:
        return blob, False
    image = _writable(opened(blob).pixels()[0], limit)
    format = ImageFormat.WEBP if image.mode == "RGBA" else ImageFormat.JPEG
    if format is ImageFormat.WEBP:
        image.thumbnail((WEBP_EDGE, WEBP_EDGE), Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        smaller = _as(image, format, quality, directory)
        if smaller.length <= limit:
            return smaller, True
    share = 1.0
    while max(image.size) * share > 1:
        share *= 0.5**0.5
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        smaller = _as(
            image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0), format, SMALLER_QUALITY, directory
        )
        if smaller.length <= limit:
            return smaller, True
    raise NotAnImageError(f"it cannot be made to fit {limit:,} bytes")


def _as(image: Image.Image, format: ImageFormat, quality: int, directory: Path | None) -> MemoryBlob:
    if format is ImageFormat.WEBP:
        return encoded(image, format, directory, quality=quality, method=WEBP_EFFORT)
    return encoded(image, format, directory, quality=quality)


def _writable(image: Image.Image, limit: int) -> Image.Image:
    """In a mode that JPEG or WebP can hold and that can be resampled, with its profile where that still fits."""
    profile = image.info.get("icc_profile", b"")
    if image.mode == "I;16":
        image = eight_bit(image)
    mode = "RGBA" if has_transparency(image) else "L" if image.mode in ("1", "L") else "RGB"
    fits = image.mode != "CMYK" and len(profile) * _PROFILE_SHARE <= limit
    image = image if image.mode == mode else image.convert(mode)
    image.info = {"icc_profile": profile} if profile and fits else {}
    return image
