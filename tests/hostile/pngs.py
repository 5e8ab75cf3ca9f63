"""PNG files that are not what they should be."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests.hostile.case import REFUSED, TAKEN, Case, cut_everywhere, upload

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MIB = 1024 * 1024


def chunk(name: bytes, data: bytes, *, length: int | None = None, crc: int | None = None) -> bytes:
    """One chunk, which may lie about its length and its sum."""
    told = len(data) if length is None else length
    summed = zlib.crc32(name + data) if crc is None else crc
    return struct.pack(">I", told) + name + data + struct.pack(">I", summed)


def header(width: int, height: int, *, bits: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    """The chunk that begins every file."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def rows(width: int, height: int, *, bytes_a_pixel: int = 3, filter: int = 0) -> bytes:
    """The picture's chunk, in one grey."""
    return chunk(b"IDAT", zlib.compress((bytes([filter]) + b"\x7f" * (width * bytes_a_pixel)) * height, 9))


def zeros(length: int) -> bytes:
    """So many zero bytes, compressed a thousandfold."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(length // MIB)), packer.flush()])


def orientation(value: int, *, directory: int = 8) -> bytes:
    """An EXIF block that states an orientation; the directory may lie elsewhere than it says."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, value, 0)
    return b"II*\0" + struct.pack("<I", directory) + struct.pack("<H", 1) + entry + struct.pack("<I", 8)


END = chunk(b"IEND", b"")
SIDE = 32


def png(*more: bytes, head: bytes | None = None, picture: bytes | None = None, end: bytes = END) -> bytes:
    """A whole file, in which any part may be another."""
    head = header(SIDE, SIDE) if head is None else head
    picture = rows(SIDE, SIDE) if picture is None else picture
    return SIGNATURE + head + b"".join(more) + picture + end


TURNED = chunk(b"eXIf", orientation(6))
"""Makes the gateway decode a file that it would pass on by its structure."""
PROFILE_BOMB = chunk(b"iCCP", b"x\0\0" + zeros(7 * MIB))


def cases() -> Iterator[Case]:
    """All of them."""
    yield from cut_everywhere("png", png())
    yield from _sums_and_lengths()
    yield from _sizes()
    yield from _kinds()
    yield from _chunks()


def _sums_and_lengths() -> Iterator[Case]:
    yield upload("png with a wrong sum of its header", png(head=chunk(b"IHDR", header(SIDE, SIDE)[8:21], crc=1)))
    yield upload("png with a wrong sum of its picture", png(picture=chunk(b"IDAT", zlib.compress(b""), crc=1)))
    yield upload("png with a wrong sum of its end", png(end=chunk(b"IEND", b"", crc=1)))
    yield upload("png with a wrong sum of its profile", png(chunk(b"iCCP", b"x\0\0", crc=1)), TAKEN)
    for length in (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF4):
        yield upload(f"png with a chunk of {length:#x} bytes", png(chunk(b"tEXt", b"a\0b", length=length)))
    yield upload("png with a header of twelve bytes", png(head=chunk(b"IHDR", bytes(12))))


def _sizes() -> Iterator[Case]:
    bomb = chunk(b"IDAT", zeros(100 * MIB))
    for width, height in ((50_000, 50_000), (40_000, 1), (1, 40_000), (0x7FFFFFFF, 0x7FFFFFFF), (9_000, 9_000)):
        yield upload(f"png bomb of {width} x {height}", png(head=header(width, height, bits=1, colour=0), picture=bomb))
    for width, height in ((0, 0), (0, 9), (9, 0), (0x80000000, 1)):
        yield upload(f"png of {width} x {height}", png(head=header(width, height)))
    large = png(TURNED, head=header(5000, 5000, bits=1, colour=0), picture=bomb)
    yield upload("png of 25 megapixels out of 3 MB, to be turned", large, TAKEN, REFUSED)
    short = png(TURNED, head=header(5000, 5000), picture=rows(8, 8))
    yield upload("png of 25 megapixels out of 50 bytes, to be turned", short)
    long = png(TURNED, picture=bomb)
    yield upload("png of 32 x 32 out of 100 MB of picture, to be turned", long, TAKEN, REFUSED)


def _kinds() -> Iterator[Case]:
    yield upload(
        "png of 16 bits", png(head=header(SIDE, SIDE, bits=16), picture=rows(SIDE, SIDE, bytes_a_pixel=6)), TAKEN
    )
    interlaced = header(SIDE, SIDE, interlaced=1)
    yield upload("png interlaced", png(head=interlaced), TAKEN)
    short = png(TURNED, head=interlaced, picture=rows(4, 4))
    yield upload("png interlaced that is too short, to be turned", short, REFUSED, TAKEN)
    palette = header(SIDE, SIDE, colour=3)
    picture = rows(SIDE, SIDE, bytes_a_pixel=1)
    yield upload("png with a palette", png(chunk(b"PLTE", bytes(768)), head=palette, picture=picture), TAKEN)
    yield upload("png without its palette", png(head=palette, picture=picture), TAKEN)
    yield upload("png without its palette, to be turned", png(TURNED, head=palette, picture=picture), TAKEN, REFUSED)
    yield upload(
        "png with a palette of 9,000 bytes, to be turned", png(TURNED, chunk(b"PLTE", bytes(9000)), head=palette)
    )
    yield upload("png with two palettes", png(chunk(b"PLTE", bytes(768)), chunk(b"PLTE", bytes(768))))
    for bits, colour in ((3, 2), (0, 0), (255, 255), (16, 3), (8, 5)):
        strange = png(TURNED, head=header(SIDE, SIDE, bits=bits, colour=colour))
        yield upload(f"png of {bits} bits in colours of kind {colour}, to be turned", strange, REFUSED, TAKEN)
    yield upload("png with an unknown filter, to be turned", png(TURNED, picture=rows(SIDE, SIDE, filter=9)))
    yield upload("png whose picture is no zlib, to be turned", png(TURNED, picture=chunk(b"IDAT", b"no zlib at all")))
    frame = chunk(b"fcTL", bytes(26)) + chunk(b"fdAT", bytes(4) + zlib.compress(bytes(99)))
    moving = png(chunk(b"acTL", struct.pack(">II", 5000, 0)), picture=rows(SIDE, SIDE) + frame * 5000)
    yield upload("png of 5,000 frames", moving, TAKEN)
    yield upload("png that says it moves and does not", png(chunk(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))), TAKEN)
    yield upload("png with half an acTL", png(chunk(b"acTL", b"")), TAKEN)


def _chunks() -> Iterator[Case]:
    yield upload("png that is a signature", SIGNATURE)
    yield upload("png without a picture", SIGNATURE + header(SIDE, SIDE) + END)
    yield upload("png without an end", SIGNATURE + header(SIDE, SIDE) + rows(SIDE, SIDE))
    yield upload("png with its picture first", SIGNATURE + rows(SIDE, SIDE) + header(SIDE, SIDE) + END)
    yield upload("png with two headers", png(header(SIDE, SIDE)))
    yield upload("png with an unknown part that counts", png(chunk(b"ABCD", b"")))
    yield upload("png with a part named by bytes", png(chunk(b"\0\xff\x01\x02", b"")))
    yield upload("png of 100,001 parts", png(chunk(b"teXt", b"") * 100_001))
    yield upload("png of 90,000 empty pictures", png(picture=rows(SIDE, SIDE) + chunk(b"IDAT", b"") * 90_000), TAKEN)
    yield upload("png with text that unpacks to 100 MB", png(chunk(b"zTXt", b"x\0\0" + zeros(100 * MIB))), TAKEN)
    yield upload("png with 10 MB of text", png(chunk(b"tEXt", b"x\0" + b"y" * 10 * MIB)), TAKEN)
    yield upload("png with a profile of 7 MiB, to be turned", png(TURNED, PROFILE_BOMB), TAKEN)
    yield upload("png with 300 profiles of 7 MiB, to be turned", png(TURNED, PROFILE_BOMB * 300), TAKEN)
    too_much = chunk(b"iCCP", b"x\0\0" + zeros(100 * MIB))
    yield upload("png with a profile of 100 MB, to be turned", png(TURNED, too_much))
    for directory in (0, 4, 8, 0xFFFFFFFF, 20):
        block = chunk(b"eXIf", orientation(6, directory=directory))
        yield upload(f"png whose EXIF begins at {directory:#x}", png(block), TAKEN)
    yield upload("png with empty EXIF", png(chunk(b"eXIf", b"")), TAKEN)
    for name, tail in (("an archive", b"PK\x03\x04"), ("a page", b"<script>1</script>"), ("a document", b"%PDF-1.7")):
        yield upload(f"png with {name} behind it", png() + tail)
    yield upload("png with 100 bytes behind it", png() + bytes(100), TAKEN)
    yield upload("png with 2 MB behind it", png() + bytes(2 * MIB))
