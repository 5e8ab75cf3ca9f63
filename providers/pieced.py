"""Pieced blobs: images of a reply whose body lies in several pieces, as text or as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pybase64

from providers.cutting import Found
from providers.mapped import let_go
from providers.pieces import Span, between, length_of
from providers.spec.blob import FIRST_BYTES, LAST_BYTES, PIECE_BYTES, Ends

_TEXT_BYTES = PIECE_BYTES // 3 * 4


@dataclass(frozen=True, slots=True, repr=False)
class PiecedText:
    """An image as base64 text that was found to be sound while it came."""

    text: tuple[Span, ...]
    found: Found

    @property
    def media_type(self) -> str:
        """As a data URL states it; else empty."""
        return self.found.media_type

    @property
    def length(self) -> int:
        """Bytes once decoded."""
        return self.found.length

    @property
    def ends(self) -> Ends | None:
        """Both ends."""
        return self.found.ends

    def read(self) -> bytes:
        """The decoded bytes."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The decoded bytes in pieces; pages of a mapped file are let go of behind each."""
        for text in _regrouped(self.text, _TEXT_BYTES, group=4):
            yield pybase64.b64decode(text, validate=True)

    def base64(self) -> TextAsItCame:
        """The text itself."""
        return TextAsItCame(self.text)

    def __repr__(self) -> str:
        return f"PiecedText({self.length} bytes, {self.media_type or 'unknown type'})"


class TextAsItCame:
    """Base64 text as it lies. To be had once: each piece is let go of when the next is asked for, so that it need not
    wait for a client that takes its time over the rest."""

    __slots__ = ("_length", "_text")

    def __init__(self, text: tuple[Span, ...]) -> None:
        self._length = length_of(text)
        self._text = list(text)

    def __len__(self) -> int:
        """Characters."""
        return self._length

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The text in order."""
        for span in _given_up(self._text):
            yield span.data


class EncodedPieces:
    """The base64 of an image file, made while it is sent. To be had once, as above."""

    __slots__ = ("_body", "_length")

    def __init__(self, body: tuple[Span, ...]) -> None:
        self._length = (length_of(body) + 2) // 3 * 4
        self._body = list(body)

    def __len__(self) -> int:
        """Characters."""
        return self._length

    def pieces(self) -> Iterator[bytes]:
        """The text in order, at most 512 KiB at a time."""
        for piece in _regrouped(_given_up(self._body), PIECE_BYTES, group=3):
            yield pybase64.b64encode(piece)


@dataclass(frozen=True, slots=True, repr=False)
class PiecedFile:
    """An image as it is."""

    body: tuple[Span, ...]
    media_type: str
    length: int
    """Bytes."""
    ends: Ends | None
    """Both ends."""

    @classmethod
    def of(cls, body: tuple[Span, ...], media_type: str = "") -> PiecedFile:
        """A body that is an image, looked at where it lies."""
        length = length_of(body)
        (head,) = between(body, (0, min(length, FIRST_BYTES)))
        (tail,) = between(body, (max(0, length - LAST_BYTES), length))
        ends = Ends(*(b"".join([span.data for span in end]) for end in (head, tail)))
        for span in body:
            let_go(span.data)
        return cls(body, media_type, length, ends)

    def read(self) -> bytes:
        """The bytes; held twice while those of a mapped file are copied."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of a multiple of three, but for the last; pages of a mapped file are let go of behind
        each."""
        return _regrouped(self.body, PIECE_BYTES, group=3)

    def base64(self) -> EncodedPieces:
        """The bytes as base64, encoded when it is sent."""
        return EncodedPieces(self.body)

    def __repr__(self) -> str:
        return f"PiecedFile({self.length} bytes, {self.media_type or 'unknown type'})"


def _given_up(spans: list[Span]) -> Iterator[Span]:
    """These, which are taken out of the list one by one."""
    spans.reverse()
    while spans:
        yield spans.pop()


def _regrouped(spans: Iterable[Span], most: int, *, group: int) -> Iterator[bytes]:
    """The same bytes in pieces of at most ``most`` and of whole groups, but for the last; none is empty."""
    rest = b""
    for data, _ in spans:
        view = memoryview(data)
        at = 0
        while at < len(view):
            count = min(most - len(rest), len(view) - at)
            count -= (len(rest) + count) % group
            if count <= 0:  # less than a group is left
                rest += bytes(view[at:])
                break
            if isinstance(data, bytes) and not rest and count == len(data):
                yield data
            else:
                yield b"".join((rest, view[at : at + count]))
            rest = b""
            at += count
            let_go(view)
    if rest:
        yield rest
