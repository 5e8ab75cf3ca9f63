"""Finishing: what is done to a verified image before it is delivered. Mask, exact size, format; often nothing.

Bytes that need nothing done are passed on as they came, with all they say about where they come from. Work for a
worker thread.

Measured on a two-core cloud server, one noisy 4096x4096 PNG of 29 MB, decoding included; seconds, and megabytes more at
the peak than before (28 of them the source, which is mapped, where it is read):

    to JPEG             0.7 s   113 MB        to PNG, resized     2.1 s   176 MB
    to WebP             1.4 s   210 MB        mask, to PNG        3.0 s   255 MB
    to WebP, lossless   1.4 s   461 MB        to GIF              1.2 s   247 MB
    to AVIF             2.5 s   506 MB

Memory grows with the pixels: some 30 bytes for each with AVIF and lossless WebP, whose encoders hold copies of their
own, so at most 2.4 GB at ``MAX_PIXELS``; half of it otherwise. As many at once as there are worker threads.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from app.media.encode import LOSSLESS_QUALITY, LOSSY, WEBP_MAX_EDGE, encoded
from app.media.framing import covering
from app.media.masks import Emulation
from app.media.plain import TooLargeError, UndecodableError, check_bounds, decoded
from app.media.provenance import carried, losses
from app.media.verify import Check, Delivered, NotDeliveredError
from providers.spec.blob import BlobDamagedError
from providers.spec.request import ImageRequest, OutputFormat
from providers.spec.result import Warning


def finish(
    delivered: Delivered,
    request: ImageRequest,
    emulation: Emulation | None = None,
    *,
    asked: ImageRequest | None = None,
    spool: Path | None = None,
) -> Delivered:
    """The image as the caller asked for it, and what that cost it in ``warnings``, which are added to those there.

    ``request`` is the caller's; ``asked`` is what the vendor was handed, from which is seen whether it has compressed
    the image already. ``spool``: the folder for results over 1 MiB; None: the system's. With an ``emulation`` its
    warning is among the warnings, and without a format asked for the result is PNG.

    Raises NotDeliveredError when the file turns out to be damaged or is too large to work on, SpoolFailedError when the
    disk fails.
    """
    causes = _causes(delivered, request, emulation, asked)
    if not causes:
        return delivered
    format = _format(delivered, request, emulation)
    _refuse_too_large(delivered, request, format)
    data = _read(delivered)
    image = _decoded(data)
    kept = carried(image)
    warnings = [*delivered.warnings, *losses(data, kept, format, causes[0])]
    del data  # up to 100 MB that the encoder can use
    if emulation is not None:
        image = emulation.composite(image)
        kept = replace(kept, icc=image.info.get("icc_profile", b""))
        warnings.append(emulation.warning)
    if request.exact_pixels is not None:
        image = _exactly(image, request.exact_pixels)
    quality = _quality(request, format, emulation)
    result = encoded(image, format, quality, kept, spool=spool)
    warnings += result.warnings
    if emulation is not None and _loses(format, quality):
        message = f"{format} is compressed with loss, so outside the mask the image is only nearly yours; png keeps it"
        warnings.append(Warning("output_format", message))
    width, height = image.size
    return Delivered(result.blob, format, width, height, result.blob.length, tuple(warnings))


def is_finished(
    delivered: Delivered,
    request: ImageRequest,
    emulation: Emulation | None = None,
    *,
    asked: ImageRequest | None = None,
) -> bool:
    """Whether nothing is to be done to the image. Parameters as for ``finish``."""
    return not _causes(delivered, request, emulation, asked)


def _causes(
    delivered: Delivered, request: ImageRequest, emulation: Emulation | None, asked: ImageRequest | None
) -> list[str]:
    """The caller's parameters that make a new file necessary, the weightiest first."""
    exact = request.exact_pixels
    causes = []
    if emulation is not None:
        causes.append("mask")
    if exact is not None and exact != (delivered.width, delivered.height):
        causes.append("resize")
    if request.output_format not in (None, delivered.format):
        causes.append("output_format")
    if _is_to_be_compressed(delivered, request, asked):
        causes.append("output_compression")
    return causes


def _is_to_be_compressed(delivered: Delivered, request: ImageRequest, asked: ImageRequest | None) -> bool:
    """A quality of 100 is no reason: encoding anew would only lose."""
    quality = request.output_compression
    if quality is None or quality >= LOSSLESS_QUALITY or delivered.format not in LOSSY:
        return False
    return asked is None or asked.output_compression != quality


def _format(delivered: Delivered, request: ImageRequest, emulation: Emulation | None) -> OutputFormat:
    if request.output_format is not None:
        return request.output_format
    return delivered.format if emulation is None else OutputFormat.PNG


def _quality(request: ImageRequest, format: OutputFormat, emulation: Emulation | None) -> int | None:
    """WebP is lossless where the mask's promise is to be kept and nobody asked for less."""
    if request.output_compression is None and emulation is not None and format is OutputFormat.WEBP:
        return LOSSLESS_QUALITY
    return request.output_compression


def _loses(format: OutputFormat, quality: int | None) -> bool:
    return format in LOSSY and not (format is OutputFormat.WEBP and quality == LOSSLESS_QUALITY)


def _refuse_too_large(delivered: Delivered, request: ImageRequest, format: OutputFormat) -> None:
    sizes = [(delivered.width, delivered.height), *filter(None, [request.exact_pixels])]
    try:
        for size in sizes:
            check_bounds(*size)
    except TooLargeError as wrong:
        raise NotDeliveredError(Check.BOUNDS, str(wrong)) from None
    if format is OutputFormat.WEBP and max(sizes[-1]) > WEBP_MAX_EDGE:
        raise NotDeliveredError(Check.BOUNDS, f"a webp image has edges of at most {WEBP_MAX_EDGE:,} pixels")


def _read(delivered: Delivered) -> bytes:
    try:
        return delivered.blob.read()
    except BlobDamagedError:
        raise NotDeliveredError(Check.READABLE, "the image data cannot be decoded") from None


def _decoded(data: bytes) -> Image.Image:
    try:
        return decoded(data)
    except TooLargeError as wrong:
        raise NotDeliveredError(Check.BOUNDS, str(wrong)) from None
    except UndecodableError as wrong:
        raise NotDeliveredError(Check.DECODABLE, f"the image is damaged: {wrong}") from None


def _exactly(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, box=covering(image.size, size))
