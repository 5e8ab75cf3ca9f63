"""Blob: a handle to image bytes. Where the bytes lie (memory, file, store) is the implementation's business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pybase64

from providers.spec.unguarded import unguarded

PIECE_BYTES = 384 * 1024
"""Of a piece of an image: 512 KiB as base64, decoded in 0.05 ms."""

FIRST_BYTES = 64 * 1024
"""Of an image, that are kept of its beginning when it was seen as it came: what comes before the pixels is shorter but
in rare files, which are then read again."""
LAST_BYTES = 2048
"""The same of its end."""


class BlobDamagedError(Exception):
    """The bytes behind a blob cannot be read as what they claim to be, for example broken base64."""


class LongText(Protocol):
    """Base64 text that is had in pieces, because nobody wants all of it in one."""

    def __len__(self) -> int:
        """Characters."""

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The text in order, in pieces of at most some hundred KiB, or as it lies in a mapped file."""


Base64Text = bytes | memoryview | LongText


@dataclass(frozen=True, slots=True, repr=False)
class Ends:
    """Both ends of an image that was seen whole while it came, and can be read."""

    head: bytes
    """All of it, when it has no more than ``FIRST_BYTES``."""
    tail: bytes


class Blob(Protocol):
    """Image bytes by reference. Reading one of 20 MB is work for a worker thread, not for the event loop."""

    @property
    def media_type(self) -> str:
        """Media type as its sender claimed it, lower case; empty when unknown. Never trusted: the bytes decide."""

    @property
    def length(self) -> int:
        """Size of the image in bytes (decoded, never the size of its base64 text)."""

    def read(self) -> bytes:
        """The image bytes. Raises BlobDamagedError when they cannot be had."""

    def pieces(self) -> Iterator[bytes]:
        """The same bytes in order and in pieces of at most ``PIECE_BYTES``, for a look at all of them that holds few.
        Raises BlobDamagedError likewise, at the latest when the last piece is taken."""

    def base64(self) -> Base64Text:
        """The image bytes as standard base64 without line breaks, of which nothing long is copied or encoded before it
        is sent. Raises BlobDamagedError likewise."""

    @property
    def ends(self) -> Ends | None:
        """What was seen of it while it came, so that it need not be read to be judged; None: nobody looked."""


@unguarded
@dataclass(frozen=True, slots=True)
class InlineBlob:
    """An image whose base64 text was short enough to stay in the reply; decoded only when somebody reads it."""

    text: str = field(repr=False)
    media_type: str = ""
    _sound: bool = field(default=False, init=False, repr=False, compare=False)
    """It was decoded once, and so it can be sent as it is."""

    @property
    def length(self) -> int:
        """Bytes once decoded, computed from the text's length and padding."""
        padding = len(self.text) - len(self.text.rstrip("="))
        return max(0, len(self.text) * 3 // 4 - padding)

    def read(self) -> bytes:
        """The decoded bytes. Raises BlobDamagedError when the text is not strict standard base64."""
        if len(self.text) % 4 or self.text.endswith("==="):  # padding too much, which the decoder lets pass
            raise BlobDamagedError("the base64 text is damaged")
        try:
            data = pybase64.b64decode(self.text, validate=True)
        except ValueError as broken:
            raise BlobDamagedError("the base64 text is damaged") from broken
        object.__setattr__(self, "_sound", True)
        return data

    def pieces(self) -> Iterator[bytes]:
        """The decoded bytes, as one piece: the text is short."""
        yield self.read()

    @property
    def ends(self) -> Ends | None:
        """Nobody looked: it is short."""
        return None

    def base64(self) -> bytes:
        """The text itself. Raises BlobDamagedError when it is none: it is decoded once, being short."""
        if not self._sound:
            self.read()
        return self.text.encode("ascii")
