"""The mask a caller gives: a PNG of the first image's size whose transparency says what is to be changed.

Only transparency counts, as at OpenAI. Black-and-white masks without it are refused rather than guessed at: tools
disagree on whether white is what changes.
"""

from __future__ import annotations

from pathlib import Path

from app.media.decoding import has_transparency
from app.media.sniff import ImageFormat, NotAnImageError
from app.media.upright import as_png, bare, opened
from providers.spec.blob import Blob

_MASKS = (ImageFormat.PNG, ImageFormat.WEBP)
_OPAQUE = 255


def checked_mask(blob: Blob, size: tuple[int, int], directory: Path | None = None) -> Blob:
    """The mask as PNG, upright by its own EXIF. ``size`` is the first image's, upright. Work for a worker thread.

    Raises NotAnImageError with a clause for the caller, SpoolFailedError when our own disk takes no more.
    """
    file = opened(blob)
    if file.format not in _MASKS:
        raise NotAnImageError(
            f"it is {file.format.value.upper()}; send a PNG, of which the transparent part is what to change"
        )
    image, _ = file.pixels()
    if image.size != size:
        given, wanted = (f"{width}x{height}" for width, height in (image.size, size))
        raise NotAnImageError(f"it has {given} pixels and the first image {wanted}; both must be of the same size")
    if not has_transparency(image):
        raise NotAnImageError(
            "it has no transparency; what is to be changed must be transparent (alpha 0), its colours do not count"
        )
    alpha = image.convert("RGBA").getchannel("A")
    if alpha.getextrema()[0] == _OPAQUE:
        raise NotAnImageError("it marks nothing: no pixel of it is transparent; make those so that are to be changed")
    if file.ready and file.format is ImageFormat.PNG:
        return bare(blob, file, directory)
    return as_png(image, directory)
