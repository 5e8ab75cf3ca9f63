"""Request bodies: parts become bytes piece by piece.

Memory: one piece for each body being sent. A file in memory or in a mapped spool, and base64 text that lies in one, are
read where they lie; only base64 text that has to be decoded is held whole meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pybase64

from providers.blobs import Base64Blob, MemoryBlob
from providers.mapped import let_go
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
    first = parts[0]
    if len(parts) == 1 and isinstance(first, bytes) and len(first) <= _PIECE:
        return first
    return _pieces(parts, workers)


async def _pieces(parts: tuple[BodyPart, ...], workers: Workers) -> AsyncIterator[bytes]:
    for part in parts:
        length = _length(part)
        data: bytes | memoryview | None = _where_it_lies(part)
        if data is None:
            data = await workers.run(_bytes, part) if length > _THREAD_BYTES else _bytes(part)
        prefix = part.prefix.encode() if isinstance(part, AsBase64) else b""
        # Encoded here and not in a worker: 0.1 ms a piece, and nobody waits behind those that decode pictures.
        encode = isinstance(part, AsBase64) and isinstance(part.blob, MemoryBlob)
        if len(prefix) + (_base64_length(len(data)) if encode else len(data)) != length:
            raise BlobDamagedError("a blob is not as long as it claims")
        if prefix:
            yield prefix
        step = _PIECE // 4 * 3 if encode else _PIECE
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            yield pybase64.b64encode(piece) if encode else bytes(piece)
            let_go(piece)
            await asyncio.sleep(0)  # a vendor that takes all at once is never waited for, and nobody else had a turn


def _where_it_lies(part: BodyPart) -> memoryview | None:
    """What can be sent without being copied first: a file as it is, base64 text as text. None for all else."""
    if isinstance(part, bytes):
        return memoryview(part)
    if isinstance(part.blob, MemoryBlob):
        return memoryview(part.blob.data)
    if isinstance(part, AsBase64) and isinstance(part.blob, Base64Blob):
        return memoryview(part.blob.base64())
    return None


def _length(part: BodyPart) -> int:
    if isinstance(part, bytes):
        return len(part)
    if isinstance(part, Raw):
        return part.blob.length
    return len(part.prefix.encode()) + _base64_length(part.blob.length)


def _base64_length(length: int) -> int:
    return (length + 2) // 3 * 4


def _bytes(part: BodyPart) -> bytes | memoryview:
    if isinstance(part, bytes):
        return part
    if isinstance(part, Raw):
        return part.blob.read()
    text = part.blob.base64()
    return text if isinstance(text, bytes | memoryview) else b"".join(text.pieces())
