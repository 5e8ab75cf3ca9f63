"""An input image as every vendor takes it: PNG, JPEG or WebP, upright, one frame, with nothing in it but a picture.

A PNG, JPEG or WebP that is upright is not decoded: only what does not belong to the picture is left out (see
``stripping``), and where there is no such thing the caller's bytes go on where they lie. Everything else is decoded.
A C2PA manifest does not survive that, being a seal on the bytes.

What is decoded becomes PNG where that is exact and small: with transparency, with a palette, up to a megapixel. Larger
pictures become JPEG of quality 95 with full colour: HEIC, AVIF and turned JPEGs are lossy photographs to begin with,
and 12 megapixels of one take 0.1 s and 13 MB as JPEG, where PNG takes 0.7 to 4 s and 16 MB at best (noise, the worst
case). A PNG that is turned stays PNG.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from app.media.decoding import check_pixels, decoded, has_transparency
from app.media.keeping import encoded, spooled
from app.media.sniff import HEAD_BYTES, Data, ImageFormat, NotAnImageError, measure, sniff
from app.media.stripping import Stripped, stripped
from providers.blobs import Base64Blob, MemoryBlob, in_place
from providers.mapped import let_go
from providers.spec.blob import Blob, BlobDamagedError, InlineBlob

PASSED = (ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP)
"""Formats that every vendor takes: https://ai.google.dev/gemini-api/docs/image-understanding and the other three."""
PNG_PIXELS = 1024 * 1024
"""Up to so many pixels, what is decoded becomes PNG: 4 MB at the very most."""
JPEG_QUALITY = 95
PNG_LEVEL = 2
"""Measured on 12 megapixels of noise: level 1 0.70 s, 2 0.78 s, 3 1.3 s, 6 3.9 s; the sizes differ by 8 %."""
_FULL_COLOUR = 0
"""Chroma subsampling 4:4:4, as the library counts: nothing more is lost of a photograph that has lost some already."""
_TAKEN = "PNG, JPEG, WebP, GIF, AVIF, HEIC, BMP and TIFF are taken"


@dataclass(frozen=True, slots=True)
class Upright:
    """An image ready to be sent, its size as it is seen, and whether further frames were left out."""

    blob: Blob
    width: int
    height: int
    one_of_many: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was looked at: its bytes, its format, and its structure where ``PASSED`` has it."""

    data: Data
    format: ImageFormat
    width: int
    height: int
    structure: Stripped | None

    @property
    def ready(self) -> bool:
        """Whether it can go on without being decoded."""
        return self.structure is not None and self.structure.orientation == 1 and not self.structure.animated

    def pixels(self) -> tuple[Image.Image, bool]:
        """The picture upright, and whether there are more frames. Raises NotAnImageError when it is damaged."""
        if self.structure is None:
            return decoded(self._copied(), self.format)
        bare = b"".join(self.structure.pieces) if self.structure.changed else self._copied()
        let_go(self.data)
        image, frames = decoded(bare, self.format, self.structure.orientation)
        return image, frames or self.structure.animated

    def _copied(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else MemoryBlob(self.data).read()


def opened(blob: Blob) -> Opened:
    """Read a file as far as it can be without decoding it: format by its bytes, size within bounds, structure sound.

    Raises NotAnImageError with a clause for the caller: "it is ...", "the file ...".
    """
    try:
        data = in_place(blob)
    except BlobDamagedError:
        raise NotAnImageError("the base64 text is damaged") from None
    if not data:
        raise NotAnImageError("it is empty")
    format = sniff(bytes(data[:HEAD_BYTES]))
    if format is None:
        raise NotAnImageError(f"its bytes are no image of a kind known here; {_TAKEN}")
    if format is ImageFormat.SVG:
        raise NotAnImageError(f"it is an SVG, a drawing in text; {_TAKEN}")
    measured = measure(data)
    check_pixels(measured.width, measured.height)
    structure = stripped(data, format) if format in PASSED else None
    return Opened(data, format, measured.width, measured.height, structure)


def upright(blob: Blob, directory: Path | None = None) -> Upright:
    """The image as every vendor takes it. Work for a worker thread, which holds its file once or twice meanwhile.

    Raises NotAnImageError with a clause for the caller, SpoolFailedError when our own disk takes no more.
    """
    file = opened(blob)
    if file.ready:
        return Upright(bare(blob, file, directory), file.width, file.height)
    image, frames = file.pixels()
    width, height = image.size
    return Upright(_encoded(image, file.format, directory), width, height, frames)


def bare(blob: Blob, file: Opened, directory: Path | None) -> Blob:
    """The file without what does not belong to its picture; the blob itself, labelled rightly, where there is none."""
    structure = file.structure
    if structure is not None and structure.changed:
        return spooled(structure.pieces, file.format, directory)
    media_type = f"image/{file.format.value}"
    if isinstance(blob, MemoryBlob | Base64Blob | InlineBlob):
        return replace(blob, media_type=media_type)
    return spooled((file.data,), file.format, directory)


def _encoded(image: Image.Image, was: ImageFormat, directory: Path | None) -> MemoryBlob:
    exact = has_transparency(image) or image.mode in ("1", "P", "I;16") or image.width * image.height <= PNG_PIXELS
    if image.mode == "CMYK" or was is ImageFormat.JPEG or not (exact or was is ImageFormat.PNG):
        return encoded(image, ImageFormat.JPEG, directory, quality=JPEG_QUALITY, subsampling=_FULL_COLOUR)
    return as_png(image, directory)


def as_png(image: Image.Image, directory: Path | None) -> MemoryBlob:
    """The picture as PNG. Raises SpoolFailedError."""
    return encoded(image, ImageFormat.PNG, directory, compress_level=PNG_LEVEL)
