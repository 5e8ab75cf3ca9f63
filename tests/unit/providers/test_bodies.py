"""A request body is as long as it says, and is never one large piece."""

from __future__ import annotations

import asyncio
import mmap
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from providers.blobs import Base64Blob, MemoryBlob
from providers.bodies import body_length, request_body
from providers.spec.blob import BlobDamagedError
from providers.spec.conversation import AsBase64, BodyPart, Raw
from providers.workers import Workers

BIG = bytes(range(256)) * 4096


async def collected(parts: tuple[BodyPart, ...]) -> list[bytes]:
    body = request_body(parts, Workers())
    if isinstance(body, AsyncIterator):
        return [piece async for piece in body]
    return [] if body is None else [body]


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"{}",),
        (b"", AsBase64(MemoryBlob(b"")), b""),
        *((b'"', AsBase64(MemoryBlob(BIG[:size]), "data:image/png;base64,"), b'"') for size in range(1, 8)),
        (b'{"a":"', AsBase64(MemoryBlob(BIG), "é"), b'"}', Raw(MemoryBlob(BIG))),
        (AsBase64(Base64Blob(b"YQ==")), AsBase64(Base64Blob(b"YWI=")), AsBase64(Base64Blob(b"YWJj"))),
        (BIG,),
    ],
    ids=len,
)
async def test_the_length_is_known_beforehand_and_exact(parts: tuple[BodyPart, ...]) -> None:
    pieces = await collected(parts)
    assert sum(map(len, pieces)) == body_length(parts)
    assert all(len(piece) <= 256 * 1024 for piece in pieces)


async def test_the_pieces_are_the_parts_in_order() -> None:
    parts = (b"<", AsBase64(MemoryBlob(b"abc"), "p,"), b"|", Raw(MemoryBlob(b"abc")), b">")
    assert b"".join(await collected(parts)) == b"<p,YWJj|abc>"


async def test_others_have_their_turn_between_the_pieces() -> None:
    body = request_body((Raw(MemoryBlob(BIG)),), Workers())
    assert isinstance(body, AsyncIterator)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    count = len([piece async for piece in body])
    waiting.cancel()
    assert turns >= count == 4  # pieces of 256 KiB


async def test_a_small_body_of_bytes_is_not_streamed() -> None:
    assert request_body((b"{}",), Workers()) == b"{}"


class Liar(MemoryBlob):
    @property
    def length(self) -> int:
        return 5


@pytest.mark.parametrize(
    "part",
    [
        *(Raw(Liar(b"x" * size)) for size in (0, 4, 6)),
        *(AsBase64(Liar(b"x" * size)) for size in (0, 3, 7)),
        AsBase64(Base64Blob(b"YWJjZ")),
        Raw(Base64Blob(b"YWJj!A==")),
    ],
)
async def test_a_blob_that_is_not_as_long_as_it_says_is_damaged(part: BodyPart) -> None:
    with pytest.raises(BlobDamagedError):
        await collected((b"{", part, b"}"))


@pytest.mark.parametrize("kind", ["file", "file as base64", "base64 text"])
async def test_what_lies_in_a_mapped_file_is_sent_from_there_and_not_copied_first(kind: str) -> None:
    """Forty uploads of 50 MB at once would otherwise take 2 GB."""
    mapped = mmap.mmap(-1, 16 * len(BIG))
    for _ in range(16):
        mapped.write(b"A" * len(BIG))
    view = memoryview(mapped)
    part: BodyPart = Raw(MemoryBlob(view))
    if kind != "file":
        part = AsBase64(MemoryBlob(view) if kind == "file as base64" else Base64Blob(view), "data:image/png;base64,")
    body = request_body((b"<", part, b">"), Workers())
    assert isinstance(body, AsyncIterator)
    sent = 0
    tracemalloc.start()
    try:
        async for piece in body:
            sent += len(piece)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(BIG)
    finally:
        tracemalloc.stop()
    assert sent == body_length((b"<", part, b">"))
