"""Provenance: what a file says about where its picture came from, what of it outlives a new encoding, and what not.

C2PA manifests are signed over the file's own bytes, so none can be carried into another file. XMP (with the IPTC
DigitalSourceType), EXIF and ICC profiles are plain metadata and can. Watermarks such as SynthID are in the pixels.
Where a manifest lies: C2PA technical specification, "Embedding manifests into various file formats".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from app.media.sniff import HEAD_BYTES, ImageFormat, sniff
from providers.spec.request import OutputFormat
from providers.spec.result import Warning

MAX_PARTS = 4096
"""Chunks, segments or boxes of a file that are looked at. Real files have tens, or a thousand of picture data."""
JPEG_XMP_BYTES = 65_504
"""A JPEG segment holds 65,533 bytes; the name in front of the XMP takes 29."""
JPEG_EXIF_BYTES = 65_533
JPEG_ICC_BYTES = 255 * 65_519
"""A profile may be spread over 255 segments."""

_EXIF_HEAD = b"Exif\x00\x00"
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The uuid of a C2PA box in AVIF and its relatives."""
_APP11, _SOS = 0xEB, 0xDA


@dataclass(frozen=True, slots=True)
class Carried:
    """Metadata to be written into a new file. Empty: none."""

    xmp: bytes = b""
    exif: bytes = b""
    """With the six bytes in front that JPEG wants and the others strip."""
    icc: bytes = b""


def carried(image: Image.Image) -> Carried:
    """What an opened picture brings along."""
    xmp = image.info.get("xmp") or b""
    if isinstance(xmp, str):
        xmp = xmp.encode()
    exif = image.info.get("exif") or b""
    if exif:
        exif = _EXIF_HEAD + exif.removeprefix(_EXIF_HEAD)
    return Carried(xmp, exif, image.info.get("icc_profile") or b"")


def fitting(kept: Carried, format: OutputFormat) -> Carried:
    """What of it a file of this format can hold. GIF has a place for XMP alone; JPEG takes one segment of it."""
    if format is OutputFormat.GIF:
        return Carried(xmp=kept.xmp)
    if format is OutputFormat.JPEG:
        return Carried(
            kept.xmp if len(kept.xmp) <= JPEG_XMP_BYTES else b"",
            kept.exif if len(kept.exif) <= JPEG_EXIF_BYTES else b"",
            kept.icc if len(kept.icc) <= JPEG_ICC_BYTES else b"",
        )
    return kept


def losses(data: bytes, kept: Carried, format: OutputFormat, parameter: str) -> tuple[Warning, ...]:
    """What is lost when the file ``data`` is encoded anew as ``format`` because of the caller's ``parameter``."""
    warnings = []
    if has_c2pa(data):
        message = (
            "the image was encoded anew, and its C2PA provenance manifest was dropped, as its signature fits only the"
            " provider's own file; a watermark in the provider's pixels, such as SynthID, stays"
        )
        warnings.append(Warning(parameter, message))
    if kept.xmp and not fitting(kept, format).xmp:
        message = f"the image's XMP metadata, which may say how it was made, is too long for {format} and was dropped"
        warnings.append(Warning(parameter, message))
    if kept.exif and not fitting(kept, format).exif:
        warnings.append(
            Warning(parameter, f"the image's EXIF metadata cannot be kept in this {format} and was dropped")
        )
    return tuple(warnings)


def has_c2pa(data: bytes) -> bool:
    """Whether the file holds a C2PA manifest. Never raises, whatever the bytes."""
    try:
        match sniff(data[:HEAD_BYTES]):
            case ImageFormat.PNG:
                return any(name == b"caBX" for name, _ in _png_chunks(data))
            case ImageFormat.JPEG:
                # APP11 carries JUMBF in general; its first box says whose.
                return any(
                    marker == _APP11 and data[at : at + 2] == b"JP" and b"c2pa" in data[at : at + 128]
                    for marker, at in _jpeg_segments(data)
                )
            case ImageFormat.WEBP:
                return any(name == b"C2PA" for name, _ in _riff_chunks(data))
            case ImageFormat.GIF:
                return b"\x21\xff\x0bC2PA_GIF" in data
            case ImageFormat.AVIF:
                return any(name == b"uuid" and data[at : at + 16] == _C2PA_BOX for name, at in _boxes(data))
            case _:
                return False
    except (struct.error, IndexError):
        return False


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = 8
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, at + 8
        at += 12 + length


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, at + 8
        at += 8 + length + length % 2


def _boxes(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        yield name, at + head
        if length < head:  # 0: up to the end of the file
            return
        at += length


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    at = 2
    for _ in range(MAX_PARTS):
        if data[at] != 0xFF or data[at + 1] == _SOS:
            return
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield data[at + 1], at + 4
        at += 2 + length
