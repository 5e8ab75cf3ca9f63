"""TIFF files that are not what they should be, and EXIF, which is one."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

import pillow_heif
from PIL import Image

from tests.hostile.case import REFUSED, TAKEN, Case, upload

MIB = 1024 * 1024
SHORT, LONG, BYTES = 3, 4, 7
SIDE = 16
PICTURE = 8
"""Where the picture lies."""
Entry = tuple[int, int, int, int]
"""Tag, kind, count, and the value or where it lies."""


def directory(entries: Sequence[Entry], *, next: int = 0, count: int | None = None) -> bytes:
    """A directory, which may lie about its length."""
    told = len(entries) if count is None else count
    lines = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", told) + lines + struct.pack("<I", next)


def tiff(*more: Entry, extra: bytes = b"", start: int | None = None, next: int = 0, count: int | None = None) -> bytes:
    """A grey TIFF in which entries may be others. ``extra`` lies at ``EXTRA``."""
    found: dict[int, Entry] = {entry[0]: entry for entry in PLAIN}
    found |= {entry[0]: entry for entry in more}
    place = EXTRA + len(extra)
    head = b"II*\0" + struct.pack("<I", place if start is None else start)
    return head + bytes(SIDE * SIDE) + extra + directory(list(found.values()), next=next, count=count)


EXTRA = PICTURE + SIDE * SIDE
PLAIN: tuple[Entry, ...] = (
    (256, LONG, 1, SIDE), (257, LONG, 1, SIDE), (258, SHORT, 1, 8), (259, SHORT, 1, 1), (262, SHORT, 1, 1),
    (273, LONG, 1, PICTURE), (277, SHORT, 1, 1), (278, LONG, 1, SIDE), (279, LONG, 1, SIDE * SIDE),
)  # fmt: skip


def numbers(length: int) -> bytes:
    """Numbers that no table of small ones holds."""
    return bytes(range(1, 255, 2)) * (length // 127)


def cases() -> Iterator[Case]:
    """All of them."""
    yield upload("tiff", tiff(), TAKEN)
    for start in (0, 4, 0xFFFFFFF0):
        yield upload(f"tiff whose directory lies at {start:#x}", tiff(start=start))
    own = len(tiff()) - 4 - 2 - 12 * len(PLAIN)
    yield upload("tiff whose directory is followed by itself", tiff(next=own), TAKEN)
    yield upload("tiff whose next directory lies beyond its end", tiff(next=0xFFFFFFF0), TAKEN, REFUSED)
    yield upload("tiff that says it has 65,535 entries", tiff(count=65535), REFUSED, TAKEN)
    yield upload("tiff that says it has none", tiff(count=0))
    yield upload("tiff that leads to itself for its EXIF", tiff((34665, LONG, 1, own)), TAKEN)
    loop = directory([(34665, LONG, 1, EXTRA), (40965, LONG, 1, EXTRA)])
    yield upload("tiff whose EXIF leads to itself", tiff((34665, LONG, 1, EXTRA), extra=loop), TAKEN)
    for width, height in ((30001, 1), (9000, 9000), (0xFFFFFFFF, 0xFFFFFFFF), (0, 16)):
        yield upload(f"tiff of {width} x {height}", tiff((256, LONG, 1, width), (257, LONG, 1, height)))
    yield upload("tiff of 8000 x 8000 out of 256 bytes", tiff((256, LONG, 1, 8000), (257, LONG, 1, 8000)))
    yield upload("tiff whose picture lies beyond its end", tiff((273, LONG, 1, 0xFFFFFF00)))
    yield upload("tiff whose picture has 4 GB", tiff((279, LONG, 1, 0xFFFFFFFF)), REFUSED, TAKEN)
    edgeless = tiff((322, LONG, 1, 0), (323, LONG, 1, 0), (324, LONG, 1, 8))
    yield upload("tiff of tiles without an edge", edgeless, REFUSED, TAKEN)
    for compression in (2, 3, 4, 5, 7, 8, 32773, 50000, 34661):
        yield upload(f"tiff of compression {compression}", tiff((259, SHORT, 1, compression)), REFUSED, TAKEN)
    for bits in (0, 3, 64, 65535):
        yield upload(f"tiff of {bits} bits", tiff((258, SHORT, 1, bits)))
    far = [(40000 + each, BYTES, 4 * MIB, EXTRA) for each in range(500)]
    yield upload("tiff of 500 entries, each of the same 4 MB", tiff(*far, extra=bytes(4 * MIB)), TAKEN)
    small = [(1000 + each, SHORT, 9, 0xFFFFFFF0) for each in range(20_000)]
    yield upload("tiff of 20,000 entries that lie beyond its end", tiff(*small), TAKEN, REFUSED)
    for kind in (0, 14, 99):
        strange = [(1000 + each, kind, 1, 8) for each in range(60_000)]
        yield upload(f"tiff of 60,000 entries of kind {kind}", tiff((259, SHORT, 1, 5), *strange))
    ten = numbers(10 * MIB)
    for tag in (258, 338, 339, 273, 320):
        lying = tiff((tag, SHORT, len(ten) // 2, EXTRA), extra=ten)
        yield upload(f"tiff with five million numbers for tag {tag}", lying, REFUSED, TAKEN)
    inner = directory([(0x9000, SHORT, len(ten) // 2, EXTRA + 18)])
    yield upload("tiff with five million numbers in its EXIF", tiff((34665, LONG, 1, EXTRA), extra=inner + ten), TAKEN)
    yield from _exif(ten)


def _exif(many: bytes) -> Iterator[Case]:
    entry = struct.pack("<HHII", 0x0112, SHORT, len(many) // 2, 26)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0) + many
    picture = Image.new("RGB", (64, 48), "teal")
    for format in ("AVIF", "HEIC"):
        kept = io.BytesIO()
        pillow_heif.from_pillow(picture).save(kept, exif=block) if format == "HEIC" else _avif(picture, block, kept)
        yield upload(f"{format.lower()} with five million orientations", kept.getvalue(), TAKEN, REFUSED)


def _avif(picture: Image.Image, block: bytes, kept: io.BytesIO) -> None:
    """The library would read the block before it writes it, so a short one is written first and then made to lie."""
    room = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 0) + bytes(len(block) - 16)
    picture.save(kept, "AVIF", exif=room)
    data = kept.getvalue()
    at = data.index(b"MM\0*")
    kept.seek(0)
    kept.write(data[:at] + block[6:] + data[at + len(block) - 6 :])
    kept.truncate()
