"""Whether a delivered picture is one flat colour: what vendors send in place of a picture they held back."""

from __future__ import annotations

from typing import cast

from PIL import Image

from app.media.first_row import first_row_varies
from app.media.plain import loaded, opened

FLAT_BYTES_PER_PIXEL = 0.05
"""Files with more bytes than this for each pixel are not looked at any closer. A flat 1024x1024 picture was measured at
0.016 as JPEG and 0.005 or less in the other formats; photographs as JPEG have from 0.1 upwards."""
METADATA_BYTES = 64 * 1024
"""Bytes that are not counted: profiles and provenance manifests come on top of the pixels, usually 3 to 40 KB."""
FLAT_SPREAD = 8
"""Levels of 255 between the lowest and the highest value of each channel, up to which a picture is flat. Lossy
compression of a flat picture leaves a few; what a viewer can make out has more."""
_DRAFT = 8
"""The JPEG decoder's strongest reduction: each block of 8x8 pixels becomes its mean, at a tenth of the work."""
_SIXTEEN_BIT = 257
"""Levels of 65,535 to one of 255."""


def may_be_flat(length: int, width: int, height: int) -> bool:
    """Whether a file of so many bytes is small enough for its pixels to be looked at closer."""
    return length - METADATA_BYTES <= FLAT_BYTES_PER_PIXEL * width * height


def is_plainly_not_flat(data: bytes) -> bool:
    """Whether a look that costs next to nothing shows two colours. False says nothing."""
    return first_row_varies(data, FLAT_SPREAD)


def is_flat(data: bytes, width: int, height: int) -> bool:
    """Whether every pixel has about the same colour and transparency. Raises UndecodableError, TooLargeError.

    Decodes only files with few bytes per pixel whose first row does not settle it, and of a JPEG only an eighth unless
    that looks flat. A prompt that asks for a flat colour cannot be told from a failure here.
    """
    if not may_be_flat(len(data), width, height) or is_plainly_not_flat(data):
        return False
    return is_flat_decoded(data, width, height)


def is_flat_decoded(data: bytes, width: int, height: int) -> bool:
    """The same for a file that both cheap looks have let pass. Raises as ``is_flat``."""
    image = opened(data)
    if image.format == "JPEG":
        image.draft(None, (max(1, width // _DRAFT), max(1, height // _DRAFT)))
        if not _spread_is_small(loaded(image)):
            return False
        image = opened(data)  # a dot smaller than a block is hidden in its mean
    return _spread_is_small(loaded(image))


def _spread_is_small(image: Image.Image) -> bool:
    if image.mode not in ("L", "RGB", "RGBA", "LA", "CMYK") and not image.mode.startswith("I"):
        image = image.convert("RGBA")
    limit = FLAT_SPREAD * (_SIXTEEN_BIT if image.mode.startswith("I") else 1)
    extrema = image.getextrema()
    channels = cast("tuple[tuple[int, int], ...]", extrema if isinstance(extrema[0], tuple) else (extrema,))
    return all(high - low <= limit for low, high in channels)
