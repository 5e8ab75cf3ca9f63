"""Answers as ASGI sends them: error envelopes, and large bodies written in parts with an exact length."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.doors.openai_images.errors import ApiError
from app.doors.within import within
from providers.blobs import Encoded
from providers.mapped import is_mapped, let_go, where

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


class ClientTooSlowError(Exception):
    """The client does not read its answer."""


class PartsResponse(Response):
    """A body that lies in several pieces, sent without joining them."""

    def __init__(self, parts: Sequence[bytes | memoryview | Encoded], headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self._parts = parts
        self._length = sum(len(part) for part in parts)
        self.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self.raw_headers += [(b"content-length", b"%d" % self._length), (b"content-type", b"application/json")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the pieces. Raises ClientTooSlowError when the client takes too long over one of them."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if self._length <= _LONG and WHOLE in scope:
            await send_in_time(send, {**start, WHOLE: _joined(self._parts)})
            return
        await send(start)
        if self._length <= _CHUNK:
            await send_in_time(send, {"type": "http.response.body", "body": _joined(self._parts), "more_body": False})
            return
        for part in self._parts:
            lies = where(part) if ZERO_COPY in scope.get("extensions", ()) and isinstance(part, memoryview) else None
            if lies is None:
                await send_in_chunks(send, part)
            else:
                await _send_from_file(send, *lies, len(part))
        await send_in_time(send, {"type": "http.response.body", "body": b"", "more_body": False})


async def send_in_chunks(send: Send, part: bytes | memoryview | Encoded) -> None:
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


def _joined(parts: Sequence[bytes | memoryview | Encoded]) -> bytes:
    plain = [part for part in parts if not isinstance(part, Encoded)]
    if len(plain) < len(parts):
        return b"".join(chunk for part in parts for chunk in _chunks(part))
    whole = b"".join(plain)
    for part in plain:
        let_go(part)
    return whole


def _chunks(part: bytes | memoryview | Encoded) -> Iterator[bytes | memoryview]:
    if isinstance(part, Encoded):
        yield from part.pieces()
        return
    view = memoryview(part)
    mapped = is_mapped(view)
    for start in range(0, len(view), _CHUNK):
        chunk = view[start : start + _CHUNK]
        # Copied where a client that takes its time would hold pages of a file, or the whole for the sake of its end.
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
