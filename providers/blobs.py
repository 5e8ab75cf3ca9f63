"""Where image bytes lie: in memory, or as base64 text inside a reply body (itself in memory or in a mapped file)."""

from __future__ import annotations

import json
import mmap
import re
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pybase64

from providers.data_url import LONGEST_HEAD, data_url_head
from providers.mapped import let_go
from providers.spec.blob import PIECE_BYTES, Blob, BlobDamagedError, Ends
from providers.spec.conversation import BLOB_KEY

CUT_THRESHOLD = 16 * 1024
"""Bytes. JSON strings longer than this that look like base64 are cut out before parsing: a parsed 4K answer costs
20 to 40 ms of CPU and two more copies, a cut one under 2 ms."""

_ALPHABET = (string.ascii_letters + string.digits + "+/=").encode()
_COLON_NEXT = re.compile(rb"[ \t\n\r]*:")
_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""What a JSON string may hold without ending, escapes as a whole."""
_LOOK = 4096
_PIECE = PIECE_BYTES // 3 * 4
"""Bytes of text that are decoded, or unescaped, at a time."""
_COPIED = 1024 * 1024
_SEARCHED = 256 * 1024
"""Bytes of a string that are searched at a time."""
_LONGEST_ESCAPE = 6
"""Bytes of ``\\u003d``."""

Bytes = bytes | mmap.mmap
Gather = Callable[[Iterable[bytes | memoryview]], Bytes]


class TextTooLargeError(Exception):
    """What is left of a JSON body without its images is larger than the limit."""


@dataclass(frozen=True, slots=True, repr=False)
class MemoryBlob:
    """Image bytes as they are."""

    data: bytes | memoryview
    media_type: str = ""

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.data)

    def read(self) -> bytes:
        """The bytes; those of a mapped file are held twice while they are copied.

        Copied piece by piece: 50 MB at once hold the interpreter's lock for a tenth of a second, in which the event
        loop stands still. The pieces are put together without it.
        """
        if isinstance(self.data, bytes):
            return self.data
        copied = b"".join([bytes(self.data[at : at + _COPIED]) for at in range(0, len(self.data), _COPIED)])
        let_go(self.data)
        return copied

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces; pages of a mapped file are let go of behind each."""
        for at in range(0, len(self.data), PIECE_BYTES):
            piece = bytes(self.data[at : at + PIECE_BYTES])
            let_go(self.data)
            yield piece

    def base64(self) -> bytes | Encoded:
        """The bytes as base64: what is long is encoded when it is sent."""
        return Encoded(self) if self.length > PIECE_BYTES else pybase64.b64encode(self.data)

    @property
    def ends(self) -> Ends | None:
        """Nobody looked."""
        return None

    def __repr__(self) -> str:
        return f"MemoryBlob({self.length} bytes, {self.media_type or 'unknown type'})"


@dataclass(frozen=True, slots=True, repr=False)
class Base64Blob:
    """Image bytes as base64 text, decoded only when somebody reads them."""

    text: bytes | memoryview = field(repr=False)
    media_type: str = ""

    @property
    def length(self) -> int:
        """Bytes once decoded, computed from the text's length and padding."""
        padding = bytes(self.text[-2:]).count(b"=")
        return len(self.text) // 4 * 3 - padding

    def read(self) -> bytes:
        """The decoded bytes. Raises BlobDamagedError when the text is not strict base64."""
        try:
            return pybase64.b64decode(self.text, validate=True)
        except ValueError as broken:
            raise BlobDamagedError("the base64 text is damaged") from broken
        finally:
            let_go(self.text)

    def pieces(self) -> Iterator[bytes]:
        """The decoded bytes in pieces; pages of a mapped file are let go of behind each. Raises BlobDamagedError when
        the text is not strict base64."""
        text = self.text
        for at in range(0, len(text), _PIECE):
            try:
                piece = pybase64.b64decode(text[at : at + _PIECE], validate=True)
            except ValueError as broken:
                raise BlobDamagedError("the base64 text is damaged") from broken
            finally:
                let_go(text)
            if at + _PIECE < len(text) and len(piece) < PIECE_BYTES:  # padding anywhere but at the end
                raise BlobDamagedError("the base64 text is damaged")
            yield piece

    def base64(self) -> bytes | memoryview:
        """The text itself. Raises BlobDamagedError when its length is not that of padded base64."""
        if len(self.text) % 4:
            raise BlobDamagedError("the base64 text is cut short")
        return self.text

    @property
    def ends(self) -> Ends | None:
        """Nobody looked."""
        return None

    def __repr__(self) -> str:
        return f"Base64Blob({self.length} bytes, {self.media_type or 'unknown type'})"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The base64 of an image file, made a piece at a time while it is sent: of a 4K image it would be 22 MB."""

    file: Blob
    """Its pieces, but for the last, are of a multiple of three bytes, so that no padding is between them."""

    def __len__(self) -> int:
        """Characters."""
        return (self.file.length + 2) // 3 * 4

    def pieces(self) -> Iterator[bytes]:
        """The text in order, at most 512 KiB at a time."""
        for piece in self.file.pieces():
            yield pybase64.b64encode(piece)


def in_place(blob: Blob) -> bytes | memoryview:
    """The image bytes for a look in place: a mapped file as it lies, anything else read.

    Whoever looks lets go of the pages behind it. Raises BlobDamagedError when they cannot be had.
    """
    return blob.data if isinstance(blob, MemoryBlob) else blob.read()


def cut(body: Bytes, *, text_limit: int | None = None, gather: Gather = b"".join) -> tuple[bytes, tuple[Blob, ...]]:
    """Split a JSON body into a small skeleton and the long base64 strings that stood in it.

    In the skeleton an object ``{BLOB_KEY: index}`` takes each string's place. A data URL is cut whole and gives its
    media type. Object keys, and anything that does not look like base64, stay, so that the real parser judges them.

    ``text_limit`` bounds the skeleton, in bytes: TextTooLargeError beyond it, before anything of that size is copied.
    ``gather`` says where the text of a string with escapes is put together; by itself, in memory.
    """
    if len(body) <= CUT_THRESHOLD:
        return bytes(body[:]), ()
    most = len(body) if text_limit is None else text_limit
    view = memoryview(body)
    pieces: list[bytes] = []
    blobs: list[Blob] = []
    kept = at = taken = 0
    while (start := body.find(b'"', at)) != -1:
        if start - taken > most:
            raise TextTooLargeError
        end, escape = _string_end(body, start, ceiling=taken + most)
        if end == -1:
            break
        at = end + 1
        if end - start <= CUT_THRESHOLD or _COLON_NEXT.match(body, at):
            continue
        if (blob := _as_blob(view, start + 1, end, escape, gather)) is not None:
            pieces.append(bytes(view[kept:start]))
            pieces.append(json.dumps({BLOB_KEY: len(blobs)}).encode())
            blobs.append(blob)
            kept = at
            taken += at - start
    if len(body) - taken > most:
        raise TextTooLargeError
    pieces.append(bytes(view[kept:]))
    let_go(body)
    return b"".join(pieces), tuple(blobs)


def blob_of_text(text: bytes | memoryview) -> Blob | None:
    """Base64 text, or a data URL of it, as a blob; None when both its ends do not look like that."""
    view = memoryview(text)
    return _as_blob(view, 0, len(view), -1, b"".join)


def _string_end(body: Bytes, start: int, *, ceiling: int) -> tuple[int, int]:
    """Where a string that begins at ``start`` ends, and where its first backslash is; -1 for what there is not.

    By the piece, whose pages are let go of: both are looked for while it is at hand, and no more of it is held.
    """
    at, end, escape = start + 1, -1, -1
    while end == -1 and at < len(body):
        stop = min(at + _SEARCHED, len(body))
        end = body.find(b'"', at, stop)
        if escape == -1:
            escape = body.find(b"\\", at, stop if end == -1 else end)
        if end == -1:
            at = stop
            let_go(body)
    if end == -1 or escape == -1 or _backslashes_before(body, end, start + 1) % 2 == 0:
        return end, escape
    # A string with quotes in it is no image, so all of it counts as text. There may be millions of them.
    at = end + 1
    while (found := _TEXT.match(body, at, at + _PIECE)) is not None and found.end() > at:
        at = found.end()
        if body[at : at + 1] == b'"':
            return at, escape
        if at > ceiling:
            raise TextTooLargeError
    return (at if body[at : at + 1] == b'"' else -1), escape


def _backslashes_before(body: Bytes, end: int, floor: int) -> int:
    """How many stand right before ``end``, by the block: a hostile body may have millions."""
    counted = 0
    while end > floor:
        block = body[max(floor, end - _LOOK) : end]
        found = len(block) - len(block.rstrip(b"\\"))
        counted += found
        if found < len(block):
            break
        end -= len(block)
    return counted


def _unescaped(body: memoryview, start: int, escape: int, end: int) -> Iterator[bytes | memoryview]:
    """A JSON string's bytes without escapes, in pieces; ``escape`` is where the first one is.

    Raises ValueError for what cannot be base64 text: other characters than ASCII, a backslash that stands for itself.
    """
    yield body[start:escape]
    while escape < end:
        stop = min(escape + _PIECE, end)
        piece = bytes(body[escape:stop])
        if stop < end and (last := piece.rfind(b"\\", -_LONGEST_ESCAPE)) > 0:
            piece = piece[:last]  # the escape it begins may go on beyond this piece
        if b"\\\\" in piece:
            raise ValueError("base64 has no backslash")
        text: str = json.loads(b'"' + piece + b'"')
        yield text.encode("ascii")
        escape += len(piece)


def _as_blob(body: memoryview, start: int, end: int, escape: int, gather: Gather) -> Blob | None:
    """The string between these positions as a blob, if it is one. ``escape``: where its first backslash is, or -1."""
    text, padding = body[start:end], b""
    if escape != -1:
        # Google may write "=" as an escape, PHP every "/". What stands before the first one, often the whole picture
        # but its padding, is taken as it is; a real parser reads the rest.
        in_place = not body.readonly and end - escape <= _LOOK
        try:
            if in_place:
                text, padding = body[start:escape], b"".join(_unescaped(body, escape, escape, end))
            else:
                text = memoryview(gather(_unescaped(body, start, escape, end)))
        except ValueError:
            return None
    head = data_url_head(bytes(text[:LONGEST_HEAD]))
    if head is None:
        return None
    begins, media_type = head
    text = text[begins:]
    # Both ends stand for the whole: looking at all of it takes longer than parsing it would.
    if (bytes(text[:_LOOK]) + bytes(text[-_LOOK:]) + padding).translate(None, _ALPHABET):
        return None
    if padding:  # put where its escape begins: the string is whole without being copied, and nobody else reads it
        body[escape : escape + len(padding)] = padding
        text = body[escape - len(text) : escape + len(padding)]
    return Base64Blob(text, media_type)
