"""Encoding: pixels as a file in one of the formats callers can ask for, small ones in memory, large ones spooled."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from PIL import Image, PngImagePlugin

from app.media.keeping import encoded as write
from app.media.keeping import spooled
from app.media.plain import in_srgb
from app.media.provenance import Carried, fitting
from app.media.sniff import ImageFormat
from providers.blobs import MemoryBlob
from providers.spec.request import OutputFormat
from providers.spec.result import Warning

LOSSLESS_QUALITY = 100
"""The ``output_compression`` that means: without loss, where the format can (WebP)."""
LOSSY = frozenset({OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF})
"""Formats that ``output_compression`` means something to."""
WEBP_MAX_EDGE = 16_383
"""Pixels; the format has 14 bits for an edge (RFC 9649)."""

PNG_LEVEL = 2
"""Of 9. On a noisy 4096x4096 picture levels 1 to 6 took 1.5, 1.5, 2.1, 3.3, 4.7 and 5.6 s and gave 29.1, 28.9, 28.6,
24.8, 24.9 and 24.9 MB: from 2 on the wait grows faster than the file shrinks."""
_JPEG_QUALITY = 95
_WEBP_QUALITY = 90
_AVIF_QUALITY = 80
_FULL_CHROMA_FROM = 90
"""Quality from which JPEG and AVIF keep colour at full resolution; red text shows the difference."""
_WEBP_METHOD = 2
"""Of 6. 0.7 s for that picture; the library's own choice, 4, takes twice as long for 4 % less."""
_WEBP_LOSSLESS_METHOD, _WEBP_LOSSLESS_EFFORT = 0, 20
"""0.7 s; the next method takes 2.3 s or more for 12 % less."""
_AVIF_SPEED = 8
"""Of 10. 1.9 s for that picture on one core; 6, the library's own choice, takes 8.3 s for 5 % less."""
_AVIF_THREADS = 1
"""The workers' threads are as many as the cores; an encoder with threads of its own would starve the event loop."""
_GIF_COLOURS = 256
_GIF_PALETTE_EDGE = 512
"""Pixels. The palette is drawn from the picture at this size: 0.2 s instead of 5 s at 4096x4096."""
_HALF = 128


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file that was made here, and what could not be kept in it."""

    blob: MemoryBlob
    warnings: tuple[Warning, ...] = ()


def encoded(
    image: Image.Image, format: OutputFormat, quality: int | None, kept: Carried, *, spool: Path | None
) -> Encoded:
    """``image``, RGB or RGBA, as a file. ``quality``: 0 to 100 for JPEG (0 counts as 1), WebP and AVIF, else unheeded.

    Without one it is 95 for JPEG, 90 for WebP and 80 for AVIF; WebP is lossless at 100. ``kept`` is written as far as
    the format has a place for it. Files over 1 MiB lie in the folder ``spool`` (None: the system's own) and are mapped.
    Raises SpoolFailedError.
    """
    kept = fitting(kept, format)
    warnings: tuple[Warning, ...] = ()
    match format:
        case OutputFormat.PNG:
            options: dict[str, Any] = {"compress_level": PNG_LEVEL, "pnginfo": _text(kept.xmp)}
        case OutputFormat.JPEG:
            image, warnings = _opaque(image)
            options = _jpeg_options(quality)
        case OutputFormat.WEBP:
            options = _webp_options(quality)
        case OutputFormat.AVIF:
            options = _avif_options(quality)
        case OutputFormat.GIF:
            image, warnings = _few_colours(image)
            return Encoded(spooled(_gif_pieces(image, kept.xmp), ImageFormat.GIF, spool), warnings)
    options |= {"xmp": kept.xmp, "exif": kept.exif, "icc_profile": kept.icc}
    return Encoded(write(image, ImageFormat(format.value), spool, **options), warnings)


def _text(xmp: bytes) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp)
    return info


def _jpeg_options(quality: int | None) -> dict[str, Any]:
    chosen = _JPEG_QUALITY if quality is None else max(1, quality)
    return {"quality": chosen, "subsampling": 0 if chosen >= _FULL_CHROMA_FROM else 2}


def _webp_options(quality: int | None) -> dict[str, Any]:
    if quality == LOSSLESS_QUALITY:
        # exact: colours under full transparency are the picture's too
        return {
            "lossless": True, "exact": True, "quality": _WEBP_LOSSLESS_EFFORT, "method": _WEBP_LOSSLESS_METHOD
        }  # fmt: skip
    return {"quality": _WEBP_QUALITY if quality is None else quality, "method": _WEBP_METHOD}


def _avif_options(quality: int | None) -> dict[str, Any]:
    chosen = _AVIF_QUALITY if quality is None else quality
    subsampling = "4:4:4" if chosen >= _FULL_CHROMA_FROM else "4:2:0"
    return {"quality": chosen, "subsampling": subsampling, "speed": _AVIF_SPEED, "max_threads": _AVIF_THREADS}


def _opaque(image: Image.Image) -> tuple[Image.Image, tuple[Warning, ...]]:
    if image.mode != "RGBA":
        return image, ()
    alpha = image.getchannel("A")
    if _lowest(alpha) == 255:
        return image.convert("RGB"), ()
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=alpha)
    message = "jpeg has no transparency: what was transparent is white; png, webp and avif keep it"
    return ground, (Warning("output_format", message),)


def _few_colours(image: Image.Image) -> tuple[Image.Image, tuple[Warning, ...]]:
    """``image`` as a GIF has it: a palette of at most 256 colours, one of them transparent where that is needed."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    clear = alpha is not None and _lowest(alpha) < 255
    room = _GIF_COLOURS - clear
    flat = in_srgb(image.convert("RGB"))
    colours = flat.getcolors(room)
    if colours is not None:
        palette = Image.new("P", (1, 1))
        palette.putpalette([level for _, colour in colours for level in cast("tuple[int, int, int]", colour)])
        drawn = flat.quantize(palette=palette, dither=Image.Dither.NONE)
    else:
        sample = flat.copy()
        sample.thumbnail((_GIF_PALETTE_EDGE, _GIF_PALETTE_EDGE), Image.Resampling.BOX)
        drawn = flat.quantize(palette=sample.quantize(room), dither=Image.Dither.FLOYDSTEINBERG)
    drawn.info.clear()
    warnings = []
    if colours is None:
        warnings.append(Warning("output_format", "gif holds 256 colours: the image was reduced to them"))
    if clear and alpha is not None:
        drawn.paste(_GIF_COLOURS - 1, mask=alpha.point(lambda level: 255 if level < _HALF else 0))
        drawn.info["transparency"] = _GIF_COLOURS - 1
        if any(alpha.histogram()[1:255]):
            message = "gif knows only clear and opaque: what was half transparent became one or the other"
            warnings.append(Warning("output_format", message))
    return drawn, tuple(warnings)


def _gif_pieces(image: Image.Image, xmp: bytes) -> Iterator[bytes]:
    out = io.BytesIO()
    image.save(out, "GIF", optimize=False)
    data = out.getvalue()
    if not xmp:
        yield data
        return
    # XMP follows the header and its palette, as plain text in place of an extension's blocks: every byte of it is read
    # as a block's length, and the trailer's falling bytes lead any reader to the end (XMP specification, part 3).
    palette = 3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0
    head = 13 + palette
    yield b"GIF89a" + data[6:head]
    yield b"\x21\xff\x0bXMP DataXMP" + xmp + b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
    yield data[head:]


def _lowest(alpha: Image.Image) -> int:
    low, _ = cast("tuple[int, int]", alpha.getextrema())
    return low
