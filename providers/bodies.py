"""Request bodies: parts become bytes piece by piece, so that an image is never held twice as base64."""

from __future__ import annotations

from collections.abc import AsyncIterator

from providers.spec.blob import BlobDamagedError
from providers.spec.conversation import AsBase64, BodyPart, Raw
from providers.workers import Workers

_THREAD_BYTES = 256 * 1024
"""Blobs above this are read and encoded in a worker thread."""
_PIECE = 256 * 1024


def body_length(parts: tuple[BodyPart, ...]) -> int:
    """Bytes on the wire, without reading a blob."""
    return sum(_length(part) for part in parts)


def request_body(parts: tuple[BodyPart, ...], workers: Workers) -> bytes | AsyncIterator[bytes] | None:
    """The body as bytes when it is small, else as pieces of at most 256 KiB; None when there is none.

    Taking the pieces raises BlobDamagedError when a blob cannot be read or is not as long as it claims.
    """
    if not parts:
        return None
    if len(parts) == 1 and isinstance(parts[0], bytes) and len(parts[0]) <= _PIECE:
        return parts[0]
    return _pieces(parts, workers)


async def _pieces(parts: tuple[BodyPart, ...], workers: Workers) -> AsyncIterator[bytes]:
    for part in parts:
        length = _length(part)
        data = await workers.run(_bytes, part) if length > _THREAD_BYTES else _bytes(part)
        if len(data) != length:
            raise BlobDamagedError("a blob is not as long as it claims")
        for start in range(0, length, _PIECE):
            yield data[start : start + _PIECE]


def _length(part: BodyPart) -> int:
    if isinstance(part, bytes):
        return len(part)
    if isinstance(part, Raw):
        return part.blob.length
    return len(part.prefix.encode()) + (part.blob.length + 2) // 3 * 4


def _bytes(part: BodyPart) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, AsBase64):
        return b"".join((part.prefix.encode(), part.blob.base64()))
    return part.blob.read()
