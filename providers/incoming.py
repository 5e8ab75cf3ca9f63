"""Incoming: a reply of more than one read, kept where there is room and looked at while it comes."""

from __future__ import annotations

import mmap
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.blobs import Bytes, cut
from providers.cutting import Cutter, Found
from providers.piece_spool import PieceSpool
from providers.pieced import PiecedFile, PiecedText
from providers.pieces import Memory, Span, between, length_of
from providers.spec.blob import Blob
from providers.spool import STATED_THRESHOLD, Spool, SpoolFailedError
from providers.workers import Workers


class Incoming:
    """One reply. ``limit``, ``stated`` and ``memory`` are those of its spool. Once whole it is taken, as an image or a
    document."""

    def __init__(
        self, directory: Path | None, *, limit: int, stated: int | None, memory: Memory, is_image: bool
    ) -> None:
        self._directory = directory
        self._spool = PieceSpool(directory, limit=limit, stated=stated, memory=memory)
        self._cutter = None if is_image else Cutter()

    async def collect(
        self,
        first: bytes,
        more: Callable[[], Awaitable[bytes]],
        *,
        cap: int | None,
        rest: Callable[[Incoming, int], Awaitable[bool]] | None = None,
    ) -> None:
        """Take a body of which ``first`` was read, or as much of all as ``cap`` bytes.

        ``more`` reads on; it gives nothing at the end. ``rest`` is told how much was read and may bring all that is
        left; whether it did. Raises BodyTooLargeError, SpoolFailedError, and what both raise; then all is freed.
        """
        with self._closed_on_error():
            await self._spool.find_room()
            chunk = first
            while chunk:
                room = len(chunk) if cap is None else cap - self._spool.length
                too_much = room < len(chunk)
                chunk = chunk[:room] if too_much else chunk
                self.keep(chunk)
                self.look(chunk)
                if too_much or (rest is not None and await rest(self, self._spool.length)):
                    return
                chunk = await more()

    def look(self, part: bytes | memoryview) -> None:
        """Look at what comes next. Never raises."""
        if self._cutter is not None:
            self._cutter.feed(part)

    def keep(self, piece: bytes | memoryview) -> None:
        """Keep what comes next. Raises BodyTooLargeError, SpoolFailedError."""
        self._spool.write(piece)

    def image(self, media_type: str) -> Blob:
        """The whole body as an image. Raises SpoolFailedError."""
        return PiecedFile.of(self._body(), media_type)

    async def document(self, workers: Workers) -> tuple[bytes, tuple[Blob, ...]]:
        """The whole body without the images in it, and these. Raises SpoolFailedError."""
        body = self._body()
        found = None if self._cutter is None else self._cutter.cut()
        if found is None:
            return await workers.run(_cut_at_last, body, self._directory)
        skeleton, pictures = found
        texts = between(body, *((each.start, each.end) for each in pictures))
        return skeleton, tuple([_picture(text, each) for text, each in zip(texts, pictures, strict=True)])

    def _body(self) -> tuple[Span, ...]:
        with self._closed_on_error():
            return self._spool.finish()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._spool.close()
            raise


def _picture(text: tuple[Span, ...], found: Found) -> Blob:
    return PiecedText((*text, Span(found.padding)) if found.padding else text, found)


def _cut_at_last(body: tuple[Span, ...], directory: Path | None) -> tuple[bytes, tuple[Blob, ...]]:
    """What the cutter left alone, cut when it lies in one piece. Work for a worker thread, where it is not counted a
    second time."""
    alone = body[0].data if len(body) == 1 else b""
    lies_in = alone.obj if isinstance(alone, memoryview) else alone
    return cut(lies_in if isinstance(lies_in, mmap.mmap) else _in_one(body, directory))


def _in_one(body: tuple[Span, ...], directory: Path | None) -> Bytes:
    """A body put together: a small one in memory, and one that no file can be made for where it lies in memory anyway,
    for it is paid. Raises SpoolFailedError."""
    length = length_of(body)
    in_memory = all(span.held is not None for span in body)
    if length > STATED_THRESHOLD or not in_memory:
        spool = Spool(directory, limit=length, stated=length)
        try:
            for span in body:
                spool.write(span.data)
            return spool.finish()
        except SpoolFailedError:
            if not in_memory:
                raise
        finally:
            spool.close()
    return b"".join([span.data for span in body])
