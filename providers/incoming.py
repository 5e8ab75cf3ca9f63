"""Incoming: a reply of more than one read, kept where there is room and looked at while it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.blobs import cut
from providers.cutting import Cutter, Found
from providers.piece_spool import PieceSpool
from providers.pieced import PiecedFile, PiecedText
from providers.pieces import Span, between, length_of
from providers.spec.blob import Blob
from providers.spool import Spool
from providers.workers import Workers


class Incoming:
    """One reply. ``limit`` and ``stated`` are those of its spool. Once whole it is taken, as an image or a document."""

    def __init__(self, directory: Path | None, *, limit: int, stated: int | None, is_image: bool) -> None:
        self._directory = directory
        self._spool = PieceSpool(directory, limit=limit, stated=stated)
        self._cutter = None if is_image else Cutter()

    @property
    def length(self) -> int:
        """Bytes that came."""
        return self._spool.length

    async def find_room(self) -> None:
        """Wait a moment for memory, if it will be large. To be called before anything is written."""
        await self._spool.find_room()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises BodyTooLargeError and SpoolFailedError."""
        self._spool.write(chunk)
        if self._cutter is not None:
            self._cutter.feed(chunk)

    def image(self, media_type: str) -> Blob:
        """The whole body as an image. Raises SpoolFailedError."""
        return PiecedFile(self._body(), media_type)

    async def document(self, workers: Workers) -> tuple[bytes, tuple[Blob, ...]]:
        """The whole body without the images in it, and these. Raises SpoolFailedError."""
        body = self._body()
        found = None if self._cutter is None else self._cutter.cut()
        if found is None:
            return await workers.run(_cut_at_last, body, self._directory)
        skeleton, pictures = found
        return skeleton, tuple([PiecedText(_text(body, each), each) for each in pictures])

    def _body(self) -> tuple[Span, ...]:
        with self.closed_on_error():
            return self._spool.finish()

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """Whatever is raised inside, what came is freed."""
        try:
            yield
        except BaseException:
            self._spool.close()
            raise


def _text(body: tuple[Span, ...], found: Found) -> tuple[Span, ...]:
    text = between(body, found.start, found.end)
    return (*text, Span(found.padding)) if found.padding else text


def _cut_at_last(body: tuple[Span, ...], directory: Path | None) -> tuple[bytes, tuple[Blob, ...]]:
    """What the cutter left alone, cut when it lies in one piece. Work for a worker thread, where it is not counted a
    second time."""
    spool = Spool(directory, limit=length_of(body))
    try:
        for span in body:
            spool.write(span.data)
        return cut(spool.finish())
    finally:
        spool.close()
