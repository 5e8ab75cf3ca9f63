"""WebP, GIF, BMP, TIFF, AVIF and HEIC files that are not what they should be."""

from __future__ import annotations

import functools
import io
import random
import struct
from collections.abc import Iterator

import pillow_heif
from PIL import Image

from tests.hostile.case import REFUSED, TAKEN, Case, cut_everywhere, upload
from tests.hostile.pngs import orientation

MIB = 1024 * 1024


@functools.cache
def saved(format: str, frames: int = 1) -> bytes:
    """A sound one of several frames."""
    picture = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    kept = io.BytesIO()
    if format == "HEIC":
        pillow_heif.from_pillow(picture).save(kept)
        return kept.getvalue()
    others = [picture.rotate(90 * turn) for turn in range(1, frames)]
    picture.save(kept, format, **({"save_all": True, "append_images": others} if others else {}))
    return kept.getvalue()


def cases() -> Iterator[Case]:
    """All of them."""
    for format in ("WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"):
        yield from cut_everywhere(format.lower(), saved(format)[:-12], steps=8)
        yield upload(f"{format.lower()} that is a beginning", saved(format)[:16])
    yield from _webp()
    yield from _gif()
    yield from _bmp()
    yield from _boxes()


def riff(name: bytes, data: bytes, *, length: int | None = None) -> bytes:
    """One chunk of a WebP, which may lie about its length."""
    told = len(data) if length is None else length
    return name + struct.pack("<I", told) + data + b"\0" * (len(data) % 2)


def webp(*chunks: bytes, length: int | None = None) -> bytes:
    """A WebP of these chunks, which may lie about its length."""
    inner = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(inner) if length is None else length) + inner


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    """The extended header."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff(b"VP8X", bytes([flags, 0, 0, 0]) + size)


def _webp() -> Iterator[Case]:
    sound = saved("WEBP")
    picture = sound[12:]
    for length in (0, 4, 8, len(sound), 0x7FFFFFFF, 0xFFFFFFFF):
        yield upload(f"webp that says it has {length:#x} bytes", webp(picture, length=length))
    yield upload("webp with a canvas of 16,777,216 x 16,777,216", webp(canvas(1 << 24, 1 << 24), picture))
    yield upload("webp with a canvas of another size", webp(canvas(640, 480), picture), TAKEN, REFUSED)
    yield upload("webp with a canvas and no picture", webp(canvas(64, 48)))
    yield upload("webp of no frames", webp(canvas(64, 48, 2), riff(b"ANIM", bytes(6))))
    yield upload("webp of an empty frame", webp(canvas(64, 48, 2), riff(b"ANIM", bytes(6)), riff(b"ANMF", bytes(16))))
    frame = riff(b"ANMF", bytes(16) + picture)
    moving = webp(canvas(64, 48, 2), riff(b"ANIM", bytes(6)), frame * 3000)
    yield upload("webp of 3,000 frames", moving, TAKEN, REFUSED)
    for length in (0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFF8):
        lying = webp(canvas(64, 48), riff(b"EXIF", b"", length=length), picture)
        yield upload(f"webp with a chunk of {length:#x} bytes", lying)
    turned = webp(canvas(64, 48, 8), picture, riff(b"EXIF", orientation(6)))
    yield upload("webp to be turned", turned, TAKEN)
    broken = webp(canvas(64, 48, 8), picture[:60] + b"\xff" * (len(picture) - 60), riff(b"EXIF", orientation(6)))
    yield upload("webp to be turned, with a broken picture", broken, REFUSED, TAKEN)
    yield upload("webp of 100,001 chunks", webp(canvas(64, 48), riff(b"JUNK", b"") * 100_001, picture))
    yield upload("webp with an archive behind it", sound + b"PK\x03\x04")


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    """A GIF of these blocks, without a palette for all."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"".join(blocks) + b";"


def frame(width: int, height: int, data: bytes, *, left: int = 0) -> bytes:
    """One picture of a GIF, with a palette of two colours."""
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    return b"," + struct.pack("<HHHHB", left, 0, width, height, 0x80) + bytes(6) + b"\x02" + blocks + b"\0"


def _gif() -> Iterator[Case]:
    dot = b"\x44\x01"
    yield upload("gif of one pixel", gif(1, 1, frame(1, 1, dot)), TAKEN)
    yield upload("gif of no frames", gif(10, 10))
    yield upload("gif of 0 x 0", gif(0, 0, frame(1, 1, dot)))
    yield upload("gif of 65,535 x 65,535", gif(65535, 65535, frame(1, 1, dot)))
    yield upload("gif of one pixel with a frame of 60,000 x 60,000", gif(1, 1, frame(60000, 60000, dot)))
    yield upload("gif with a frame far outside", gif(1, 1, frame(9, 9, dot, left=65000)))
    yield upload("gif of 8000 x 8000 out of two bytes", gif(8000, 8000, frame(8000, 8000, dot)))
    yield upload("gif of 5,000 frames", gif(1, 1, frame(1, 1, dot) * 5000), TAKEN)
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 8000 + b"\0"
    yield upload("gif with 2 MB of comment", gif(1, 1, comment, frame(1, 1, dot)), TAKEN)
    yield upload("gif with 50,000 comments", gif(1, 1, b"!\xfe\x01x\0" * 50_000, frame(1, 1, dot)), TAKEN)
    yield upload("gif with an unknown block", gif(1, 1, b"\x99" * 2000, frame(1, 1, dot)), TAKEN, REFUSED)
    yield upload("gif with codes that are none", gif(64, 64, frame(64, 64, b"\xff" * 500)), REFUSED, TAKEN)
    archive = gif(1, 1, frame(1, 1, dot)) + b"PK\x03\x04" + bytes(500) + b"PK\x05\x06" + bytes(18)
    yield upload("gif that is an archive too", archive, TAKEN)


def bmp(width: int, height: int, data: bytes, *, bits: int = 24, compression: int = 0, offset: int = 54) -> bytes:
    """A BMP with this header, whatever its data hold."""
    head = struct.pack("<IHHI", 54 + len(data), 0, 0, offset)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0) + data


def _bmp() -> Iterator[Case]:
    yield upload("bmp from top to bottom", bmp(4, -4, bytes(48)), TAKEN)
    for width, height in ((-4, 4), (0, 0), (1 << 30, 1), (30000, 30000), (4, -0x80000000)):
        yield upload(f"bmp of {width} x {height}", bmp(width, height, bytes(48)))
    for bits in (0, 3, 64, 65535):
        yield upload(f"bmp of {bits} bits", bmp(4, 4, bytes(64), bits=bits))
    yield upload("bmp whose picture lies elsewhere", bmp(4, 4, bytes(48), offset=0xFFFFFFF0))
    yield upload("bmp of 8000 x 8000 out of 48 bytes", bmp(8000, 8000, bytes(48)))
    lines = bmp(30000, 2236, bytes(1024) + b"\1\0\0\0" * 2236, bits=8, compression=1, offset=54 + 1024)
    yield upload("bmp of run lengths that make 67 megapixels of 10 KB", lines)
    for compression in (2, 4, 5, 99):
        yield upload(f"bmp of compression {compression}", bmp(4, 4, bytes(64), compression=compression))


def box(name: bytes, data: bytes, *, length: int | None = None) -> bytes:
    """One box, which may lie about its length."""
    return struct.pack(">I", len(data) + 8 if length is None else length) + name + data


def _boxes() -> Iterator[Case]:
    for format, brand in (("AVIF", b"avif"), ("HEIC", b"heic")):
        kind, sound = format.lower(), saved(format)
        start = box(b"ftyp", brand + bytes(4) + brand + b"mif1")
        yield upload(f"{kind} of one box", start)
        for length in (0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF):
            yield upload(f"{kind} with a box of {length:#x} bytes", start + box(b"meta", bytes(64), length=length))
        far = struct.pack(">I4sQ", 1, b"meta", 1 << 63) + bytes(64)
        yield upload(f"{kind} with a box of 2^63 bytes", start + far)
        yield upload(f"{kind} of 20,000 boxes", start + box(b"free", b"") * 20_000)
        nested = bytes(8)
        for _ in range(2000):
            nested = box(b"meta", bytes(4) + nested)
        yield upload(f"{kind} with boxes in boxes", start + nested)
        place = sound.index(b"ispe") + 8
        for width, height in ((8, 8), (60000, 60000), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (2500, 2500)):
            lying = sound[:place] + struct.pack(">II", width, height) + sound[place + 8 :]
            yield upload(f"{kind} that says it has {width} x {height}", lying, REFUSED, TAKEN)
        mixed = bytearray(sound)
        mixed[len(sound) // 2 :] = random.Random(kind).randbytes(len(sound) - len(sound) // 2)
        yield upload(f"{kind} of which the second half is noise", bytes(mixed), REFUSED, TAKEN)
        yield upload(f"{kind} with an archive behind it", sound + b"PK\x03\x04" + bytes(40), TAKEN, REFUSED)
    yield upload("a film", box(b"ftyp", b"isom" + bytes(4) + b"isomavc1") + box(b"moov", bytes(900)))
