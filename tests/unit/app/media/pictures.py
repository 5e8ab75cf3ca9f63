"""Real image files for tests, made by Pillow: what our own reading of headers is held against."""

from __future__ import annotations

import functools
import io
from typing import Any

from PIL import Image


@functools.cache
def picture(format: str, width: int, height: int, **options: Any) -> bytes:
    """An image file of that size; a gradient, so that it does not compress to nothing."""
    image = Image.linear_gradient("L").resize((width, height))
    if not options.pop("grey", False):
        image = Image.merge("RGB", (image, image.rotate(180), image))
    kept = io.BytesIO()
    image.save(kept, format, **options)
    return kept.getvalue()


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "grey png": ("PNG", {"grey": True}),
    "baseline jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "grey jpeg": ("JPEG", {"grey": True}),
    "jpeg with a comment, a profile and exif": (
        "JPEG",
        {"comment": b"\xff\xc0 not a frame", "icc_profile": b"p" * 200_000, "exif": b"Exif\0\0" + b"\xff\xd9" * 50},
    ),
    "lossy webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "extended webp": ("WEBP", {"icc_profile": b"p" * 100}),
    "gif": ("GIF", {}),
}
