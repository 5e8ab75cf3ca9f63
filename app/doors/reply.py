"""Answers as ASGI sends them: error envelopes, and large bodies written in parts with an exact length."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.doors.openai_images.errors import ApiError
from app.doors.within import within
from providers.mapped import is_mapped, let_go, where
from providers.spec.blob import Base64Text

_CHUNK = 512 * 1024
"""Bytes handed to the server at a time; it applies back-pressure between them."""
_LONG = 64 * 1024
"""Bytes of a chunk after which others have their turn."""
WRITE_SECONDS = 60.0
"""Longest a client may take to accept one chunk; at that pace a 20 MB image would take 40 minutes."""


ZERO_COPY: Final = "http.response.zerocopysend"
"""ASGI's extension by that name: a message that names a file, by its descriptor, and where in it a part of the body
lies."""
WHOLE = "gateway.whole"
"""In a request's scope: its server takes a whole answer in one message. In an answer's first message: its body, of at
most 64 KiB and of the length stated, after which no other message comes."""
PIECES = "gateway.pieces"
"""In a request's scope: its server takes several pieces of a body, whose length was stated, in one message. In such a
message: the pieces."""


class ClientTooSlowError(Exception):
    """The client does not read its answer."""


class PartsResponse(Response):
    """A body that lies in several pieces, sent without joining them."""

    def __init__(self, parts: Sequence[Base64Text], headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self._parts = parts
        self._length = sum(map(len, parts))
        # Names are ours, and plain; values may hold what somebody called a model.
        self.raw_headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        self.raw_headers += [(b"content-length", b"%d" % self._length), (b"content-type", b"application/json")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the pieces. Raises ClientTooSlowError when the client takes too long over one of them."""
        start: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if self._length <= _LONG and WHOLE in scope:
            start[WHOLE] = _joined(self._parts)
            await send_in_time(send, start)
            return
        await send(start)
        if self._length <= _CHUNK:
            await send_in_time(send, {"type": "http.response.body", "body": _joined(self._parts), "more_body": False})
            return
        group = _Group(send, scope)
        for piece in (piece for part in self._parts for piece in _lying(part)):
            if await group.takes(piece):
                continue
            lies = where(piece) if group.takes_files and isinstance(piece, memoryview) else None
            if lies is not None:
                await _send_from_file(send, *lies, len(piece))
            else:
                await send_in_chunks(send, piece)
        await group.send()
        await send_in_time(send, {"type": "http.response.body", "body": b"", "more_body": False})


class _Group:
    """Pieces in memory that go out together: each message costs as much as sending 100 KB."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._pieces: list[bytes | memoryview] | None = [] if PIECES in scope else None
        self._size = 0
        self.takes_files = ZERO_COPY in scope.get("extensions", ())

    async def takes(self, piece: bytes | memoryview) -> bool:
        """Whether it goes out with the others, now or later; else they have gone, and it is the next."""
        if self._pieces is None or len(piece) > _CHUNK or is_mapped(piece):
            await self.send()
            return False
        if self._size + len(piece) > _CHUNK:
            await self.send()
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _CHUNK // 2:
            await self.send()
        return True

    async def send(self) -> None:
        """Send those that wait. Raises ClientTooSlowError."""
        if self._pieces:
            pieces, self._pieces, self._size = self._pieces, [], 0
            await send_in_time(self._send, {"type": "http.response.body", PIECES: pieces, "more_body": True})
            await asyncio.sleep(0)  # as in send_in_chunks


async def send_in_chunks(send: Send, part: Base64Text) -> None:
    """Send a piece of a body, of which at most one chunk at a time is copied; more may follow. Raises
    ClientTooSlowError."""
    for chunk in _chunks(part):
        await send_in_time(send, {"type": "http.response.body", "body": chunk, "more_body": True})
        # A client that reads as fast as we send is never waited for: all of the answer would be sent, and everybody
        # else left waiting for tens of milliseconds, before the event loop had a turn. Small ones take no time, and the
        # last words of a stream that is cancelled have none.
        if len(chunk) >= _LONG:
            await asyncio.sleep(0)


async def _send_from_file(send: Send, file: int, offset: int, length: int) -> None:
    """Send what lies in a file from there, without looking at it; more may follow. Raises ClientTooSlowError."""
    for start in range(offset, offset + length, _CHUNK):
        count = min(_CHUNK, offset + length - start)
        await send_in_time(send, {"type": ZERO_COPY, "file": file, "offset": start, "count": count, "more_body": True})
        await asyncio.sleep(0)  # as in send_in_chunks


def _joined(parts: Sequence[Base64Text]) -> bytes:
    pieces: list[bytes | memoryview] = []
    lent: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, bytes):  # lies in no file
            pieces.append(part)
        else:
            lying = [*_lying(part)]
            pieces += lying
            lent += lying
    whole = b"".join(pieces)
    for piece in lent:
        let_go(piece)
    return whole


def _lying(part: Base64Text) -> Iterator[bytes | memoryview]:
    """A part in the pieces it lies in, or is made in."""
    if isinstance(part, bytes | memoryview):
        yield part
    else:
        yield from part.pieces()


def _chunks(part: Base64Text) -> Iterator[bytes | memoryview]:
    for piece in _lying(part):
        view = memoryview(piece)
        mapped = is_mapped(view)
        if len(view) <= _CHUNK and not mapped:
            yield piece
            continue
        for start in range(0, len(view), _CHUNK):
            chunk = view[start : start + _CHUNK]
            # Copied where a client that takes its time would hold pages of a file, or the whole for its end's sake.
            if mapped or start + _CHUNK >= len(view):
                copied = bytes(chunk)
                let_go(view)
                yield copied
            else:
                yield chunk


async def send_in_time(send: Send, message: Message) -> None:
    """Send one message. Raises ClientTooSlowError when the server cannot get rid of what was sent before."""
    try:
        await within(WRITE_SECONDS, send(message))
    except TimeoutError:
        raise ClientTooSlowError from None


def error_response(error: ApiError) -> Response:
    """The envelope as a response."""
    return Response(error.body(), status_code=error.status, headers=dict(error.headers), media_type="application/json")
