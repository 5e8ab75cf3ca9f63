"""What image bytes are: their format by magic bytes, the picture's size from the header, and whether the end is there.

Our own reading of headers rather than an image library: it looks at a few hundred bytes in place, keeps no
process-wide limits, and can fail in one way only, whatever the bytes. Nothing is decoded. Sources: the PNG
specification (W3C), ITU-T T.81 (JPEG), RFC 9649 (WebP), the GIF89a specification; ``headers`` for the other formats.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from app.media.headers import bmff_is_whole, bmff_size, bmp_size, tiff_size
from providers.spec.unguarded import unguarded

Data = bytes | memoryview
"""A whole file: in memory, or mapped and looked at where it lies."""
HEAD_BYTES = 64
"""Bytes from the start of a file that ``sniff`` needs at most."""
TRAILING_BYTES = 1024
"""Bytes after an image's end marker that are let pass: some encoders pad, some tools append a note. Compressed picture
data cannot hold the JPEG marker by chance (0xFF is escaped there), nor in practice the twelve bytes of PNG's end."""

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_JPEG_HEAD = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_MAX_SEGMENTS = 4096
"""Marker segments looked at before the picture starts. Real files have tens; the limit bounds hostile ones."""
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers: 0xC0 to 0xCF but for DHT, JPG and DAC, which share the range (T.81, table B.1)."""
_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}
"""Markers without a length: RST0 to RST7 and TEM."""
_SOS = 0xDA
_EOI = 0xD9
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", *(_EITHER_BRANDS := (b"mif1", b"msf1")))
"""The last two say only that there are pictures in boxes; which kind, the other brands of the file tell."""


class ImageFormat(StrEnum):
    """Image formats told apart by their first bytes. Only those of ``OutputFormat`` are ever delivered."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    GIF = "gif"
    AVIF = "avif"
    HEIC = "heic"
    BMP = "bmp"
    TIFF = "tiff"
    SVG = "svg"


class NotAnImageError(Exception):
    """The bytes are no image, or one whose header cannot be read. The message is ours and quotes no bytes."""


@unguarded
@dataclass(frozen=True, slots=True)
class Measured:
    """What the header says: format, and stored width and height in pixels (an EXIF rotation is not applied)."""

    format: ImageFormat
    width: int
    height: int


def sniff(head: bytes) -> ImageFormat | None:
    """The format by magic bytes; None when it is none of those known. The first ``HEAD_BYTES`` are enough."""
    if head.startswith(_PNG_HEAD):
        return ImageFormat.PNG
    if head.startswith(_JPEG_HEAD):
        return ImageFormat.JPEG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if head.startswith((b"GIF87a", b"GIF89a")):
        return ImageFormat.GIF
    if head[4:8] == b"ftyp":
        return _by_brand(head[8:12], head[16:HEAD_BYTES])
    if head.startswith(b"BM") and head[6:10] == b"\x00\x00\x00\x00":
        return ImageFormat.BMP
    if head.startswith((b"II*\x00", b"MM\x00*")):
        return ImageFormat.TIFF
    text = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return ImageFormat.SVG
    return None


def _by_brand(brand: bytes, others: bytes) -> ImageFormat | None:
    if brand in (b"avif", b"avis") or (brand in _EITHER_BRANDS and b"avif" in others and b"heic" not in others):
        return ImageFormat.AVIF
    return ImageFormat.HEIC if brand in _HEIC_BRANDS else None


def measure(data: Data) -> Measured:
    """Format, width and height from the headers alone. Raises NotAnImageError and nothing else.

    Reads every format but SVG, of which it says that it is not read here. A file cut off after its header measures
    well: see ``is_complete``.
    """
    format = sniff(bytes(data[:HEAD_BYTES]))
    try:
        match format:
            case ImageFormat.PNG:
                width, height = _measure_png(data)
            case ImageFormat.JPEG:
                width, height = _measure_jpeg(data)
            case ImageFormat.WEBP:
                width, height = _measure_webp(data)
            case ImageFormat.GIF:
                width, height = struct.unpack_from("<HH", data, 6)
            case ImageFormat.AVIF | ImageFormat.HEIC:
                width, height = bmff_size(data)
            case ImageFormat.BMP:
                width, height = bmp_size(data)
            case ImageFormat.TIFF:
                width, height = tiff_size(data)
            case None:
                raise NotAnImageError("the bytes do not begin like an image")
            case _:
                raise NotAnImageError(f"{format.value} images are not read here")
    except (struct.error, IndexError):
        raise NotAnImageError(f"the {format} header is cut short") from None
    if not (width and height):
        raise NotAnImageError(f"the {format} header states no size")
    return Measured(format, width, height)


def _measure_png(data: Data) -> tuple[int, int]:
    length, name, width, height = struct.unpack_from(">I4sII", data, 8)
    if length != 13 or name != b"IHDR" or max(width, height) > 0x7FFF_FFFF:
        raise NotAnImageError("the png header is damaged")
    return width, height


def _measure_jpeg(data: Data) -> tuple[int, int]:
    position = 2
    for _ in range(_JPEG_MAX_SEGMENTS):
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte; the marker follows
            position += 1
        elif marker in _ALONE:
            position += 2
        elif marker in (_SOS, _EOI):
            break
        elif marker in _SOF:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            if length < 2:
                break
            position += 2 + length
    raise NotAnImageError("the jpeg header states no size")


def _measure_webp(data: Data) -> tuple[int, int]:
    match bytes(data[12:16]):
        case b"VP8 ":
            tag, start, width, height = struct.unpack_from("<B2x3sHH", data, 20)
            if tag & 1 or start != b"\x9d\x01\x2a":
                raise NotAnImageError("the webp header is damaged")
            return width & 0x3FFF, height & 0x3FFF  # the upper two bits are a scaling hint
        case b"VP8L":
            signature, bits = struct.unpack_from("<BI", data, 20)
            if signature != 0x2F:
                raise NotAnImageError("the webp header is damaged")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
            return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
        case _:
            raise NotAnImageError("the webp header is damaged")


def is_complete(data: bytes, format: ImageFormat) -> bool:
    """Whether picture data begins and the end marker stands where the file ends, give or take ``TRAILING_BYTES``.

    Finds a file that was cut off, not one that is damaged in the middle: that takes a full decode.
    Nothing may stand behind AVIF and HEIC. Always False for BMP, TIFF and SVG: the first two are told by decoding them.
    """
    tail = max(0, len(data) - TRAILING_BYTES)
    match format:
        case ImageFormat.PNG:
            return data.find(b"IDAT") > 0 and data.rfind(_PNG_END, tail) > 0
        case ImageFormat.JPEG:
            return data.find(b"\xff\xda") > 0 and data.rfind(_JPEG_END, tail) > 0
        case ImageFormat.WEBP:
            if len(data) < 12:
                return False
            (stated,) = struct.unpack_from("<I", data, 4)
            end: int = stated + 8
            return tail <= end <= len(data)
        case ImageFormat.GIF:
            return data.rfind(b"\x3b", tail) > 0
        case ImageFormat.AVIF | ImageFormat.HEIC:
            return bmff_is_whole(data)
        case _:
            return False
