"""A multipart body as it arrives: files into spools, text into strings, everything counted while it comes.

Knows no socket: it is fed bytes. The wire format is the multipart library's business; what may be in it is ours.

What one body holds of the heap: for each file, for each text that is an image, and for the part that is just arriving
at most a spool's threshold (1 MiB); all other text together at most ``text_bytes``; a piece of at most 256 KiB, which
the library may hold twice.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from app.doors.openai_images.body_limits import BodyLimits, part_too_large
from app.doors.openai_images.errors import INVALID_REQUEST, ApiError, ParameterError, shown
from app.doors.openai_images.form import path_of
from app.doors.openai_images.image_names import ENTRY_KEYS, IMAGE_NAMES, MARKUP, MASK_NAMES
from providers.blobs import CUT_THRESHOLD, MemoryBlob, blob_of_text
from providers.spec.blob import Blob
from providers.spool import BodyTooLargeError, Spool

_SINGLE_NAMES = frozenset({*MASK_NAMES, MARKUP})
_FILE_NAMES = _SINGLE_NAMES.union(IMAGE_NAMES)
_URL_KEYS = frozenset({"", *ENTRY_KEYS})
_BOUNDARY = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
"""Printable, up to 200 characters. The RFC (2046, 5.1.1) allows fewer kinds and 70."""
_HEADER_LINES = 8
"""Header lines of a part; the RFC (7578, 4.8) knows three."""
_PIECE = 256 * 1024
_BYTE_OF_A_BUFFER = re.compile(r"[0-9]{1,3}")
_LOST_OBJECT = "[object Object]"
"""What JavaScript makes of an object that is put into a form as text."""
_NUMBERED = re.compile(r"[^\[\]]+\[[0-9]+\]")
_BLANKS = b" \t\r\n"
_LOOK = 1024


def boundary_of(content_type: str) -> str:
    """The boundary a Content-Type names. Raises ParameterError when there is none, or none that can be one."""
    boundary: str = parse_options_header(content_type)[1].get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        what = "has a boundary that is not readable" if boundary else "names no boundary"
        raise ParameterError(
            "body",
            f"The Content-Type multipart/form-data {what}: leave that header to your HTTP library, which adds its own.",
            "invalid_multipart",
        )
    return boundary


@dataclass(slots=True)
class _Part:
    """The part that is arriving."""

    name: str
    root: str
    media_type: str
    is_file: bool
    was_chosen: bool
    """False for the part a browser sends for a file field that was left empty."""
    is_image: bool
    """A file, or text that stands where an image does."""
    limit: int
    spool: Spool


class MultipartBody:
    """One body. Feed it what arrives, then ask for the parts. An error ends it; ``close`` frees what it holds."""

    def __init__(self, boundary: str, spool_dir: Path | None, limits: BodyLimits) -> None:
        self._parser = PushMultipartParser(
            boundary, max_header_size=limits.header_bytes, max_header_count=_HEADER_LINES
        )
        self._spool_dir = spool_dir
        self._limits = limits
        self._parts: list[tuple[str, Any]] = []
        self._part: _Part | None = None
        self._begun = self._images = self._text_bytes = 0
        self._singles: set[str] = set()

    def feed(self, chunk: bytes) -> None:
        """Take bytes. Raises ApiError for what may not be, SpoolFailedError when our disk fails."""
        for start in range(0, len(chunk), _PIECE):
            piece = chunk[start : start + _PIECE]
            for event in self._events(piece):
                if isinstance(event, MultipartSegment):
                    self._part = self._opened(event)
                elif self._part is None:
                    continue
                elif event is None:
                    self._closed(self._part)
                    self._part = None
                else:
                    self._grown(self._part, event)

    def finish(self) -> list[tuple[str, Any]]:
        """Name and value (text or Blob) of every part as they came. Raises ParameterError for a body cut short."""
        try:
            self._parser.close()
        except MultipartError:
            raise self._malformed("it ends before its last boundary") from None
        return self._parts

    def close(self) -> None:
        """Free what is held. Blobs that were handed out stay."""
        if self._part is not None:
            self._part.spool.close()
            self._part = None
        self._parts = []

    def _events(self, piece: bytes) -> Iterator[MultipartSegment | bytes | bytearray | None]:
        try:
            yield from self._parser.parse(piece)
        except ParserLimitReached:
            raise ParameterError(
                "body",
                f"Part {self._begun + 1} of the form has more than {_HEADER_LINES} header lines, or one longer than "
                f"{self._limits.header_bytes:,} bytes.",
                "invalid_multipart",
            ) from None
        except MultipartError:
            raise self._malformed("a boundary or a part's header is not as it must be") from None

    def _malformed(self, why: str) -> ParameterError:
        where = f"in part {self._begun}" if self._begun else "before the first part"
        return ParameterError(
            "body", f"The request body is not readable as multipart/form-data: {why} ({where}).", "invalid_multipart"
        )

    def _opened(self, segment: MultipartSegment) -> _Part:
        self._begun += 1
        if self._begun > self._limits.parts:
            raise ParameterError("body", f"The form has more than {self._limits.parts:,} parts.")
        name = segment.name or ""
        path = path_of(name)
        media_type = segment.content_type or ""
        textual = not media_type or media_type.startswith("text/") or media_type.endswith("json")
        root = path[0]
        if (segment.header("Content-Transfer-Encoding") or "").strip().lower() in ("base64", "quoted-printable"):
            raise ParameterError(
                name, f"{shown(name)} has a Content-Transfer-Encoding, which is not read: send it as it is."
            )
        is_file = segment.filename is not None or not textual
        if root not in _FILE_NAMES:
            if segment.filename is not None and not textual:
                raise ParameterError(
                    name, f"{shown(name)} must be text and came as a file. Images go into image, images or mask."
                )
            is_file = False
        # An inner key such as "type" or "detail" stands beside an image and is none.
        is_image = is_file or (root in _FILE_NAMES and all(key in _URL_KEYS or key.isdigit() for key in path[1:]))
        limit = self._limits.image_bytes if is_file else self._limits.text_image_bytes
        return _Part(
            name=name,
            root=root,
            media_type=media_type,
            is_file=is_file,
            was_chosen=segment.filename != "",
            is_image=is_image,
            limit=limit,
            spool=Spool(self._spool_dir, limit=limit),
        )

    def _grown(self, part: _Part, data: bytes | bytearray) -> None:
        if part.is_image and part.spool.length == 0:
            self._count(part)  # with its first byte: an empty one is none
        try:
            # On the event loop: it is a copy into the page cache of a fraction of a millisecond, and a thread would
            # have to be waited for behind those that decode pictures.
            part.spool.write(data if isinstance(data, bytes) else bytes(data))
        except BodyTooLargeError:
            raise part_too_large(part.name, part.limit) from None

    def _count(self, part: _Part) -> None:
        if part.root in _SINGLE_NAMES:
            if part.root in self._singles:
                raise ParameterError(part.name, f"{part.root} must be one image; these are several.")
            self._singles.add(part.root)
            return
        self._images += 1
        if self._images > self._limits.images:
            root = part.root
            raise ParameterError(root, f"{root} may be at most {self._limits.images} images; these are more.")

    def _closed(self, part: _Part) -> None:
        data = part.spool.finish()
        if not part.is_file:
            self._parts.append((part.name, self._text(part, data)))
        elif part.was_chosen or len(data):
            held = data if isinstance(data, bytes) else memoryview(data)
            self._parts.append((part.name, MemoryBlob(held, part.media_type)))

    def _text(self, part: _Part, data: bytes | mmap.mmap) -> str | Blob:
        if len(data) > CUT_THRESHOLD:
            text = _trimmed(data)
            is_data_url = bytes(text[:5]).lower() == b"data:"
            blob = blob_of_text(text) if is_data_url or part.is_image else None
            if blob is not None:
                if not part.is_image and isinstance(data, bytes):
                    self._take_text(part, len(data))  # images are few, other fields need not be
                return blob
            if part.is_image:
                raise ParameterError(
                    part.name,
                    f"{shown(part.name)} is long text and neither a data URL of base64 nor base64 without line breaks; "
                    "send the file itself.",
                )
        self._take_text(part, len(data))
        try:
            value = bytes(data[:]).decode("utf-8-sig")
        except UnicodeDecodeError as wrong:
            raise ParameterError(part.name, f"{shown(part.name)} is not UTF-8 text (byte {wrong.start}).") from None
        if part.is_image and _NUMBERED.fullmatch(part.name) and _BYTE_OF_A_BUFFER.fullmatch(value):
            raise ParameterError(
                part.name,
                f"{shown(part.name)} is the number {value}: the client sent raw bytes one by one. Give it a file "
                "with a name instead; the OpenAI library for Node has toFile() for that.",
            )
        if value.startswith(_LOST_OBJECT) and part.root != "prompt":
            raise ParameterError(
                part.name,
                f'{shown(part.name)} is the text "{_LOST_OBJECT}": the client lost an object on its way into the form. '
                "Give it as JSON text, JSON.stringify(...) in JavaScript.",
            )
        return value

    def _take_text(self, part: _Part, length: int) -> None:
        self._text_bytes += length
        if self._text_bytes > self._limits.text_bytes:
            raise ApiError(
                413,
                f"The text in the form, without images, is larger than {self._limits.text_bytes:,} bytes; "
                f"{shown(part.name)} is too much.",
                type=INVALID_REQUEST,
                param=shown(part.name),
                code="request_too_large",
            )


def _trimmed(data: bytes | mmap.mmap) -> memoryview:
    """Without the line break that tools add behind a text."""
    view = memoryview(data)
    head, tail = bytes(view[:_LOOK]), bytes(view[-_LOOK:])
    return view[len(head) - len(head.lstrip(_BLANKS)) : len(view) - (len(tail) - len(tail.rstrip(_BLANKS)))]
