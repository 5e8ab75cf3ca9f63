"""A PNG, JPEG or WebP file without what does not belong to its picture, found by its structure: nothing is decoded.

What shows the picture stays (with its colour profile), and so does its C2PA manifest, which says where it came from.
Everything else goes: EXIF, XMP and IPTC, which may hold a place and a name, text, thumbnails, unknown parts, and what
stands behind the end. So a file can carry nothing to a vendor but a picture. Names are listed that stay, not names that
go, because tools find ever new places for EXIF.

A mapped file is looked at where it lies, and its pages are let go of behind the look: it is never in memory whole.

Sources: the PNG specification, third edition (W3C); ITU-T T.81 (JPEG), ICC.1 annex B, C2PA 2.1 appendix A; RFC 9649.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from app.media.sniff import TRAILING_BYTES, Data, ImageFormat, NotAnImageError
from providers.mapped import let_go

MAX_PARTS = 100_000
"""Chunks or segments of one file. A PNG of 50 MiB in the usual 8 KiB chunks has 6,400; this bounds hostile ones."""
MAX_SCANS = 100
"""Scans of a progressive JPEG. Encoders write about ten; each makes a decoder go over the whole picture again."""

MAX_SCANNED = 1_500_000_000
"""Scans times pixels: a hundred scans of 15 megapixels, twenty-two of 67. Without it 400 KB of empty scans over 67
megapixels take a decoder ten seconds (measured)."""

_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV",
     b"cLLI", b"pHYs", b"caBX"}
)  # fmt: skip
_JPEG_KEPT = ((0xE0, b"JFIF\0"), (0xE2, b"ICC_PROFILE\0"), (0xEB, b"JP"), (0xEE, b"Adobe"))
"""Application segments that stay. Adobe's says how colours are stored; without it they come out inverted."""
_WEBP_KEPT = frozenset({b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF", b"C2PA"})
_WEBP_ANIMATED, _WEBP_METADATA = 0x02, 0x0C

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}
_SOI, _EOI, _SOS, _APP, _COMMENT = 0xD8, 0xD9, 0xDA, range(0xE0, 0xF0), 0xFE
_RESERVED = frozenset((*range(0x02, 0xC0), 0xC8, *range(0xF0, 0xFE)))
"""For what is yet to be invented (T.81, table B.1): no picture needs it, and anything may stand there."""
MAX_FILL = 4096
"""Fill bytes before a marker of a JPEG. There may be any number (T.81, B.1.1.2); encoders write none, or a few."""
SEARCHED = 256 * 1024
"""Bytes searched at a time for the end of a scan, or counted towards a checksum. A search holds the interpreter's lock:
of 50 MB at once, up to 0.4 s in which the event loop stands still; of this, 2 ms."""
_MARKER = re.compile(rb"\xff{1,%d}+(.)" % MAX_FILL, re.DOTALL)
_AFTER_SCAN = re.compile(rb"\xff[^\xff\x00\xd0-\xd7]", re.DOTALL)
_FOREIGN = re.compile(rb"PK\x03\x04|PK\x05\x06|%PDF-|<[!?/a-zA-Z]")
"""Archives, documents and markup are told to their sender, however short."""
_CAMERA = re.compile(rb"\x00{0,4096}(?:\xff\xd8\xff|\x00\x00..ftyp)", re.DOTALL)
"""Phones put more behind the end of a JPEG: its gain map or a second view (another JPEG), a film of the moment."""
_SAMSUNG_END = b"SEFT"
"""How the trailer ends that Samsung's phones write to every photograph."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """``pieces`` in order are the file; with nothing ``changed`` they are the bytes that were given."""

    pieces: tuple[bytes | memoryview, ...]
    changed: bool
    orientation: int
    """As EXIF counts, 1 to 8; 1 is upright."""
    animated: bool


def stripped(data: Data, format: ImageFormat) -> Stripped:
    """The bare file. ``format`` is PNG, JPEG or WEBP and already known from the first bytes.

    Raises NotAnImageError when the structure is damaged or cut short, or when something else is appended.
    """
    reader = {ImageFormat.PNG: _png, ImageFormat.JPEG: _jpeg, ImageFormat.WEBP: _webp}[format]
    try:
        return reader(data)
    except struct.error:
        raise _cut_short() from None


class _Kept:
    """Collects ranges of the file; those that touch become one piece."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._ranges: list[tuple[int, int]] = []

    def keep(self, start: int, end: int) -> None:
        if self._ranges and self._ranges[-1][1] == start:
            start = self._ranges.pop()[0]
        self._ranges.append((start, end))

    def pieces(self) -> tuple[memoryview, ...]:
        view = memoryview(self._data)
        return tuple(view[start:end] for start, end in self._ranges)

    @property
    def length(self) -> int:
        return sum(end - start for start, end in self._ranges)

    def done(self, orientation: int, *, animated: bool = False) -> Stripped:
        return Stripped(self.pieces(), self.length != len(self._data), orientation, animated)


def _png(data: Data) -> Stripped:
    kept = _Kept(data)
    kept.keep(0, 8)
    view = memoryview(data)
    # Each may come once but the picture's own. A decoder reads every one it is given: six thousand profiles of 8 KB,
    # which unpack to 8 MiB each, are minutes of a worker thread.
    seen: set[bytes] = set()
    at, behind, orientation, animated, pictured = 8, 0, 1, False, False
    for _ in range(MAX_PARTS):
        if at - behind >= SEARCHED:
            let_go(view)
            behind = at
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise _cut_short()
        critical = not name[0] & 0x20
        if (at == 8) != (name == b"IHDR") or (critical and name not in _PNG_KEPT) or not name.isalpha():
            raise _damaged()
        if name in _PNG_KEPT:
            again = name in seen and name != b"IDAT"
            seen.add(name)
            if struct.unpack_from(">I", data, end - 4)[0] != _checksum(view[at + 4 : end - 4]):
                if critical:
                    raise _damaged()
            elif not again:
                kept.keep(at, end)
            elif critical:
                raise _damaged()
        elif name == b"eXIf":
            orientation = orientation_of(bytes(view[at + 8 : end - 4]))
        elif name == b"acTL":
            animated = struct.unpack_from(">I", data, at + 8)[0] > 1
        pictured = pictured or name == b"IDAT"
        at = end
        if name == b"IEND":
            if not pictured:
                raise NotAnImageError("there is no picture in it")
            _check_behind(data, at)
            return kept.done(orientation, animated=animated)
    raise _damaged()


def _checksum(chunk: memoryview) -> int:
    """Of a chunk's name and content; counting holds no lock."""
    counted = 0
    for at in range(0, len(chunk), SEARCHED):
        counted = zlib.crc32(chunk[at : at + SEARCHED], counted)
        if len(chunk) > SEARCHED:
            let_go(chunk)
    return counted


def _jpeg(data: Data) -> Stripped:
    kept = _Kept(data)
    kept.keep(0, 2)
    at, orientation, pixels, scans = 2, 0, 0, 0
    for _ in range(MAX_PARTS):
        start = at
        found = _MARKER.match(data, at)
        if found is None:
            raise _damaged() if at < len(data) and data[at] != 0xFF else _cut_short()
        marker, at = found[1][0], found.end()
        if marker == _EOI:
            if not (pixels and scans):
                raise NotAnImageError("there is no picture in it")
            kept.keep(start, at)
            _check_behind(data, at, camera=True)
            return kept.done(orientation or 1)
        if marker not in _ALONE:
            (length,) = struct.unpack_from(">H", data, at)
            if length < 2 or marker in (0, 0xFF, _SOI):
                raise _damaged()
            inside, at = at + 2, at + length
            if at > len(data):
                raise _cut_short()
            if marker == _COMMENT or marker in _RESERVED or (marker in _APP and not _is_kept(data, marker, inside)):
                if marker == 0xE1 and not orientation and data[inside : inside + 5] == b"Exif\0":
                    orientation = orientation_of(bytes(data[inside:at]))
                continue
        if marker in _SOF:
            height, width = struct.unpack_from(">HH", data, inside + 1)
            pixels = max(pixels, height * width)
        if marker == _SOS:
            scans += 1
            at = _behind_scan(data, at)
            if scans > MAX_SCANS or scans * pixels > MAX_SCANNED:
                raise NotAnImageError("it is a progressive jpeg of too many scans for its size")
        kept.keep(start, at)
    raise _damaged()


def _behind_scan(data: Data, start: int) -> int:
    """Where the marker behind a scan's data stands."""
    for at in range(start, len(data), SEARCHED):
        # One byte more than the step: a marker has two, and may stand across the border.
        found = _AFTER_SCAN.search(data, at, at + SEARCHED + 1)
        let_go(data)
        if found is not None:
            return found.start()
    raise _cut_short()


def _is_kept(data: Data, marker: int, inside: int) -> bool:
    return any(marker == listed and data[inside : inside + len(head)] == head for listed, head in _JPEG_KEPT)


def _webp(data: Data) -> Stripped:
    (stated,) = struct.unpack_from("<I", data, 4)
    stop = stated + 8
    if stop > len(data):
        raise _cut_short()
    kept = _Kept(data)
    at, orientation, pictured, flags_at = 12, 1, False, None
    for _ in range(MAX_PARTS):
        if at >= stop:
            break
        name, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length + (length & 1)
        if end > stop:
            raise _cut_short()
        if name == b"EXIF":
            orientation = orientation_of(bytes(data[at + 8 : at + 8 + length]))
        elif name in _WEBP_KEPT:
            kept.keep(at, end)
            if name == b"VP8X" and flags_at is None:
                flags_at = at + 8
        pictured = pictured or name in (b"VP8 ", b"VP8L", b"ANMF")
        at = end
    if at < stop or not pictured:
        raise _damaged() if pictured else NotAnImageError("there is no picture in it")
    _check_behind(data, stop)
    flags = 0 if flags_at is None else data[flags_at]
    animated = bool(flags & _WEBP_ANIMATED)
    if kept.length + 12 == len(data) and not flags & _WEBP_METADATA:
        return Stripped((data,), changed=False, orientation=orientation, animated=animated)
    head = b"RIFF" + struct.pack("<I", kept.length + 4) + b"WEBP"
    return Stripped((head, *_unflagged(kept.pieces(), flags)), True, orientation, animated)


def _unflagged(pieces: tuple[memoryview, ...], flags: int) -> tuple[bytes | memoryview, ...]:
    """The chunks, of which the first, where it is the extended header, no longer announces EXIF and XMP."""
    first = pieces[0]
    if bytes(first[:4]) != b"VP8X":
        return pieces
    return (bytes(first[:8]) + bytes([flags & ~_WEBP_METADATA]), first[9:], *pieces[1:])


def _check_behind(data: Data, end: int, *, camera: bool = False) -> None:
    """What stands behind the picture is always left out. Raises NotAnImageError when it is no mere padding or note."""
    if len(data) - end <= TRAILING_BYTES and not _FOREIGN.search(data, end):
        return
    if not (camera and (_CAMERA.match(data, end) or data[-len(_SAMSUNG_END) :] == _SAMSUNG_END)):
        raise NotAnImageError("something else stands behind the end of the picture")


def orientation_of(exif: bytes) -> int:
    """The orientation an EXIF block states, 1 to 8; 1 when it states none that can be read."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (0x0112, 3):
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _damaged() -> NotAnImageError:
    return NotAnImageError("the file is damaged")


def _cut_short() -> NotAnImageError:
    return NotAnImageError("the file ends before the picture does")
