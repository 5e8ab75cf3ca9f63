"""JPEG files that are not what they should be."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator

from PIL import Image

from tests.hostile.case import REFUSED, TAKEN, Case, cut_everywhere, upload
from tests.hostile.pngs import orientation

MIB = 1024 * 1024
HEAD, END = b"\xff\xd8", b"\xff\xd9"


def jpeg(*, progressive: bool = False) -> bytes:
    """A sound one."""
    kept = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(kept, "JPEG", progressive=progressive)
    return kept.getvalue()


def segment(marker: int, data: bytes, *, length: int | None = None) -> bytes:
    """One segment, which may lie about its length."""
    told = len(data) + 2 if length is None else length
    return b"\xff" + bytes([marker]) + struct.pack(">H", told) + data


SOUND = jpeg()
FRAME = SOUND.index(b"\xff\xc0")
SCAN = SOUND.index(b"\xff\xda")
TURNED = segment(0xE1, b"Exif\0\0" + orientation(6))


def with_(*more: bytes) -> bytes:
    """The sound one with segments behind its first marker."""
    return HEAD + b"".join(more) + SOUND[2:]


def sized(width: int, height: int) -> bytes:
    """The sound one, of which the frame states another size."""
    return SOUND[: FRAME + 5] + struct.pack(">HH", height, width) + SOUND[FRAME + 9 :]


def cases() -> Iterator[Case]:
    """All of them."""
    yield from cut_everywhere("jpeg", SOUND)
    yield from cut_everywhere("progressive jpeg", jpeg(progressive=True), steps=6)
    yield from _markers()
    yield from _blocks()
    yield from _behind()


def _markers() -> Iterator[Case]:
    yield upload("jpeg that is a beginning", HEAD + b"\xff")
    yield upload("jpeg that is a beginning and an end", HEAD + END)
    yield upload("jpeg without a frame", HEAD + SOUND[SCAN:])
    yield upload("jpeg without a scan", SOUND[:SCAN] + END)
    yield upload("jpeg without an end", SOUND[:-2])
    yield upload("jpeg with no marker where one must be", with_(b"<html>"))
    yield upload("jpeg with a second beginning", with_(HEAD))
    yield upload("jpeg with a marker that is none", with_(b"\xff\x00"))
    yield upload("jpeg of fill bytes", HEAD + b"\xff" * 2 * MIB)
    yield upload("jpeg with 5,000 fill bytes", with_(b"\xff" * 5000))
    yield upload("jpeg with a segment of no length", with_(segment(0xE5, b"", length=0)))
    yield upload("jpeg with a segment of length one", with_(segment(0xE5, b"", length=1)))
    yield upload("jpeg with a segment beyond its end", with_(segment(0xFE, b"", length=0xFFFF)))
    yield upload("jpeg with a frame beyond its end", HEAD + segment(0xC0, b"\x08", length=0xFFFF) + END)
    yield upload("jpeg of 90,000 comments", with_(segment(0xFE, b"") * 90_000), REFUSED)
    yield upload("jpeg of 4,000 comments", with_(segment(0xFE, b"") * 4000), TAKEN)
    yield upload("jpeg of 200 scans", SOUND[:-2] + SOUND[SCAN:-2] * 200 + END)
    yield upload("jpeg of 60 scans, to be turned", with_(TURNED)[:-2] + SOUND[SCAN:-2] * 60 + END, TAKEN, REFUSED)
    wide = sized(8000, 8000)
    yield upload("jpeg of 8000 x 8000 in 60 empty scans", wide[:-2] + wide[SCAN:-2] * 60 + END)
    for width, height in ((65535, 65535), (0, 32), (48, 0), (0, 0), (30001, 1)):
        yield upload(f"jpeg of {width} x {height}", sized(width, height))
    yield upload(
        "jpeg of 3000 x 3000 out of nothing, to be turned", HEAD + TURNED + sized(3000, 3000)[2:], REFUSED, TAKEN
    )
    for kind in (0xC3, 0xC9, 0xCB, 0xCF):
        other = re.sub(rb"\xff\xc0", bytes([0xFF, kind]), HEAD + TURNED + SOUND[2:], count=1)
        yield upload(f"jpeg with a frame of kind {kind:#x}, to be turned", other, REFUSED, TAKEN)
    tables = re.sub(rb"\xff\xdb|\xff\xc4", b"\xff\xfe", HEAD + TURNED + SOUND[2:])
    yield upload("jpeg without its tables, to be turned", tables)


def _blocks() -> Iterator[Case]:
    for directory in (0, 8, 20, 0xFFFFFFFF):
        block = segment(0xE1, b"Exif\0\0" + orientation(6, directory=directory))
        yield upload(f"jpeg whose EXIF begins at {directory:#x}", with_(block), TAKEN)
    for value in (0, 9, 0xFFFF):
        yield upload(
            f"jpeg with the orientation {value}", with_(segment(0xE1, b"Exif\0\0" + orientation(value))), TAKEN
        )
    endless = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 0xFFFF) + struct.pack("<HHII", 0x8769, 4, 1, 8) * 5000
    yield upload("jpeg whose EXIF leads back to itself", with_(segment(0xE1, endless)), TAKEN)
    yield upload("jpeg with 64 blocks of EXIF", with_(TURNED * 64), TAKEN)
    profile = segment(0xE2, b"ICC_PROFILE\0\xff\x01" + bytes(65_000))
    yield upload("jpeg with 100 profiles, to be turned", with_(TURNED, profile * 100), TAKEN)
    half = with_(TURNED, segment(0xE2, b"ICC_PROFILE\0"))
    yield upload("jpeg with half a profile, to be turned", half, TAKEN, REFUSED)
    yield upload("jpeg with a page for a comment", with_(segment(0xFE, b"<script>1</script>")), TAKEN)
    manifest = segment(0xEB, b"JP\0\1\0\0\0\1\xff\xff\xff\xffjumb" + bytes(60_000))
    yield upload("jpeg with a manifest that lies about its length", with_(manifest), TAKEN)
    yield upload("jpeg with half an Adobe, to be turned", with_(TURNED, segment(0xEE, b"Adobe")), TAKEN, REFUSED)


def _behind() -> Iterator[Case]:
    for name, tail in (("an archive", b"PK\x03\x04"), ("a page", b"<html>"), ("a document", b"%PDF-1.7 1 0 obj")):
        yield upload(f"jpeg with {name} behind it", SOUND + tail)
    yield upload("jpeg with another behind it", SOUND + SOUND, TAKEN)
    yield upload("jpeg with a film behind it", SOUND + b"\0\0\0\x18ftypmp42" + bytes(2000), TAKEN)
    yield upload("jpeg behind a document", b"%PDF-1.7\n" + SOUND)
    yield upload("jpeg behind a page", b"<!doctype html>" + SOUND)
