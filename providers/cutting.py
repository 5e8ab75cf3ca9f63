"""Cutting while it comes: long base64 strings are found, and held to be base64, in a JSON body that still arrives.

Each piece is looked at once, while the processor has it at hand, and all that a judge of pictures needs is known with
the last one. Only ordinary bodies are cut so: a few hundred strings, pictures that are strict base64 without escapes
but for their padding. Whatever is out of the ordinary is left to ``blobs.cut``, which has the whole body to look at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pybase64

from providers.blobs import CUT_THRESHOLD
from providers.data_url import data_url_head
from providers.spec.blob import FIRST_BYTES, LAST_BYTES, Ends
from providers.spec.conversation import BLOB_KEY

_MOST_TEXT = 128 * 1024
"""Bytes of a body beside its pictures. Vendors' replies have one to twenty thousand."""
_MOST_QUOTES = 2000
"""Quotes in it, each of which costs a microsecond. Vendors' replies have some hundred."""
_MOST_BACKSLASHES = 64
"""In a row, before a quote."""
_MOST_PICTURES = 64
"""Of each both ends are kept. Vendors' replies have one, at most some ten."""
_MOST_ESCAPED = 64
"""Bytes of a picture's text from its first escape on. Padding that is written as escapes has twelve."""
_BLANKS = re.compile(rb"[ \t\n\r]*")
_COLON = ord(":")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
"""As numbers, which are looked for in bytes at a tenth of the price: bytes are taken for a number first."""


class _OutOfTheOrdinaryError(Exception):
    """Not to be cut here."""


@dataclass(frozen=True, slots=True)
class Found:
    """A picture's text: from ``start`` to ``end`` of the body, and ``padding`` that stood there as escapes."""

    start: int
    end: int
    padding: bytes
    media_type: str
    length: int
    """Of the picture, in bytes."""
    ends: Ends


class Cutter:
    """Fed a body from its first byte to its last, in pieces of any size."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._quotes = 0
        self._came = 0
        """Bytes before the piece at hand."""
        self._string = -1
        """Where in ``_text`` the string under way begins; below zero: there is none."""
        self._picture: _Picture | None = None
        """The long string under way."""
        self._behind_picture = False
        self._found: list[Found] = []
        self._ordinary = True

    def feed(self, piece: bytes | memoryview) -> None:
        """Look at the next piece. Never raises, whatever is in it."""
        picture = self._picture
        # Nearly always; what is looked for otherwise cannot be in what was decoded.
        if picture is None or picture.escaped is not None or not picture.take(memoryview(piece)):
            self._search(piece)
        self._came += len(piece)

    def _search(self, piece: bytes | memoryview) -> None:
        at = 0
        try:
            while at < len(piece) and self._ordinary:
                if self._picture is not None:
                    at = self._in_picture(self._picture, piece, at)
                    continue
                piece = bytes(piece)  # copied the first time at most, for a view cannot be searched
                at = self._in_string(piece, at) if self._string >= 0 else self._between_strings(piece, at)
        except _OutOfTheOrdinaryError:
            self._ordinary = False
            self._text.clear()
            self._picture = None

    def cut(self) -> tuple[bytes, tuple[Found, ...]] | None:
        """The body without its pictures, as ``blobs.cut`` has it, and these; None: it is to be cut there."""
        if not self._ordinary or self._picture is not None:
            return None
        return bytes(self._text), tuple(self._found)

    def _add(self, text: bytes) -> None:
        self._text += text
        if len(self._text) > _MOST_TEXT:
            raise _OutOfTheOrdinaryError

    def _between_strings(self, piece: bytes, at: int) -> int:
        if self._behind_picture:
            blanks = _BLANKS.match(piece, at)
            behind = at if blanks is None else blanks.end()
            if behind < len(piece):
                if piece[behind] == _COLON:  # it was a key
                    raise _OutOfTheOrdinaryError
                self._behind_picture = False
        quote = piece.find(b'"', at)
        end = len(piece) if quote < 0 else quote + 1
        self._add(piece[at:end])
        if quote >= 0:
            self._string = len(self._text)
            self._count_quote()
        return end

    def _count_quote(self) -> None:
        self._quotes += 1
        if self._quotes > _MOST_QUOTES:
            raise _OutOfTheOrdinaryError

    def _in_string(self, piece: bytes, at: int) -> int:
        stop = min(at + CUT_THRESHOLD - (len(self._text) - self._string), len(piece))
        quote = piece.find(b'"', at, stop)
        end = stop if quote < 0 else quote + 1
        self._add(piece[at:end])
        if quote >= 0:
            self._count_quote()
            before = self._text[max(self._string, len(self._text) - 1 - _MOST_BACKSLASHES) : -1]
            backslashes = len(before) - len(before.rstrip(b"\\"))
            if backslashes == _MOST_BACKSLASHES:
                raise _OutOfTheOrdinaryError
            if backslashes % 2 == 0:  # the quote is not escaped
                self._string = -1
        if self._string >= 0 and len(self._text) - self._string >= CUT_THRESHOLD:
            self._begin_picture(self._came + end)
        return end

    def _begin_picture(self, came: int) -> None:
        so_far = bytes(self._text[self._string :])
        head = data_url_head(so_far)
        if head is None:
            raise _OutOfTheOrdinaryError
        begins, media_type = head
        del self._text[self._string - 1 :]
        self._string = -1
        self._picture = _Picture(came - len(so_far) + begins, media_type)
        if _BACKSLASH in so_far or _QUOTE in so_far or not self._picture.take(memoryview(so_far)[begins:]):
            raise _OutOfTheOrdinaryError

    def _in_picture(self, picture: _Picture, piece: bytes | memoryview, at: int) -> int:
        view = memoryview(piece)
        # One that stood at the beginning was tried to be decoded whole.
        if at and picture.escaped is None and picture.take(view[at:]):
            return len(piece)
        piece = bytes(piece)
        if picture.escaped is not None:
            return self._in_escapes(picture, picture.escaped, piece, at)
        quote = piece.find(b'"', at)
        escape = piece.find(b"\\", at, quote if quote >= 0 else len(piece))
        stop = escape if escape >= 0 else quote
        if stop < 0 or not picture.take(view[at:stop]):
            raise _OutOfTheOrdinaryError
        picture.end = self._came + stop
        if escape >= 0:
            picture.escaped = bytearray()
            return stop
        self._end_picture(picture, b"")
        return stop + 1

    def _in_escapes(self, picture: _Picture, escaped: bytearray, piece: bytes, at: int) -> int:
        quote = piece.find(b'"', at, at + _MOST_ESCAPED)
        escaped += piece[at : quote if quote >= 0 else at + _MOST_ESCAPED]
        if quote < 0:
            if len(escaped) >= _MOST_ESCAPED:
                raise _OutOfTheOrdinaryError
            return len(piece)
        try:
            padding = str(json.loads(b'"' + escaped + b'"')).encode("ascii")
        except ValueError:
            raise _OutOfTheOrdinaryError from None
        if _QUOTE in padding or _BACKSLASH in padding or not picture.take(memoryview(padding)):
            raise _OutOfTheOrdinaryError
        self._end_picture(picture, padding)
        return quote + 1

    def _end_picture(self, picture: _Picture, padding: bytes) -> None:
        ends = picture.ends()
        if ends is None or len(self._found) == _MOST_PICTURES:
            raise _OutOfTheOrdinaryError
        found = Found(picture.start, picture.end, padding, picture.media_type, picture.length, ends)
        self._add(json.dumps({BLOB_KEY: len(self._found)}).encode())
        self._found.append(found)
        self._picture = None
        self._behind_picture = True


class _Picture:
    """A picture's text under way: decoded as it comes, of which nothing is kept but both ends."""

    def __init__(self, start: int, media_type: str) -> None:
        self.start = start
        self.end = start
        self.media_type = media_type
        self.length = 0
        self.escaped: bytearray | None = None
        """What came since the first escape."""
        self._head = bytearray()
        self._tail = b""
        self._rest = b""
        """Characters of a group of four whose others have not come."""
        self._padded = False

    def take(self, text: memoryview) -> bool:
        """Decode more text. False, and nothing has happened, when it is no base64 or ends before this does."""
        if not text:
            return True
        at = -len(self._rest) % 4
        if len(text) < at:
            at = end = 0
            group, rest = b"", self._rest + text
        else:
            end = len(text) - (len(text) - at) % 4
            group = self._rest + text[:at] if at else b""
            rest = bytes(text[end:])
        if self._padded or _QUOTE in rest or _BACKSLASH in rest:
            return False
        try:
            first = pybase64.b64decode(group, validate=True) if group else b""
            decoded = pybase64.b64decode(text[at:end], validate=True)
        except ValueError:
            return False
        if len(first) + len(decoded) < (len(group) + end - at) // 4 * 3:
            if rest or (end > at and len(first) < len(group) // 4 * 3):  # padding anywhere but at the end
                return False
            self._padded = True
        self._rest = rest
        self._keep_ends(first, decoded)
        return True

    def _keep_ends(self, first: bytes, decoded: bytes) -> None:
        self.length += len(first) + len(decoded)
        if len(self._head) < FIRST_BYTES:
            self._head += first + decoded[:FIRST_BYTES]
            del self._head[FIRST_BYTES:]
        if len(decoded) < LAST_BYTES:
            decoded = self._tail + first + decoded
        self._tail = decoded[-LAST_BYTES:]

    def ends(self) -> Ends | None:
        """Both ends of the whole picture; None when its text is cut short."""
        return None if self._rest else Ends(bytes(self._head), self._tail)
