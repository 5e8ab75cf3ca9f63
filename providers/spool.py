"""A reply body as it arrives: small ones in memory, large ones in an anonymous file that is then mapped.

A mapped file's pages belong to the page cache: they can be reclaimed, and the heap holds no 20 MB buffers.
"""

from __future__ import annotations

import mmap
import tempfile
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Protocol

from providers.mapped import MappedFile

SPOOL_THRESHOLD = 1024 * 1024
"""Bytes held in memory before a body moves to a file."""
STATED_THRESHOLD = 4 * 1024 * 1024
"""The same for a body whose length was stated beforehand: one of up to this stays in memory to its end, and one of more
does not begin there. A file costs as much as all other work on an image of 2 MB."""
LITTLE_BYTES = 4096
"""Bytes. Chunks of fewer are put together before they are kept: a body that drips must not take fifty bytes for one."""
SCARCE_THRESHOLD = 64 * 1024
"""The same for all while whoever is responsible for the body holds that memory is scarce."""


class Holder(Protocol):
    """Who answers for the bytes of bodies: told of them as they come, and of those that are dropped unfinished."""

    @property
    def half_full(self) -> bool:
        """Whether bodies had better lie on disk than in memory."""

    def took(self, count: int) -> None:
        """Bytes came."""

    def gave_back(self, count: int) -> None:
        """Bytes that had come were dropped."""


holder: ContextVar[Holder | None] = ContextVar("holder", default=None)
"""Who answers for bodies that come now; tasks inherit it, so it is whose request this is. Worker threads do not: what
is made there of a body takes its place and is not counted a second time."""


def hold(count: int) -> None:
    """Tell whoever answers for bodies of bytes that came and are collected in no spool."""
    answers = holder.get()
    if answers is not None:
        answers.took(count)


class BodyTooLargeError(Exception):
    """More bytes came than this call may bring."""


class SpoolFailedError(Exception):
    """Our own disk failed: full, not writable, gone. Nobody else's fault."""


class Spool:
    """Collects one body. ``limit`` is in bytes, and so is ``stated``, the length its sender claims, if any: that one
    decides where it lies and nothing else. Not reusable; dropping it frees everything."""

    def __init__(self, directory: Path | None, *, limit: int, stated: int | None = None) -> None:
        self._directory = directory
        self._limit = limit
        self._memory: list[bytes] = []
        self._little = bytearray()
        self._file: IO[bytes] | None = None
        self._holder = holder.get()
        self._counted = 0
        self._in_memory = SPOOL_THRESHOLD
        """Most bytes that are held there."""
        if stated is not None:
            self._in_memory = STATED_THRESHOLD if stated <= STATED_THRESHOLD else 0
        self.length = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes. Raises BodyTooLargeError past the limit, SpoolFailedError when the disk takes no more."""
        self.length += len(chunk)
        if self.length > self._limit:
            self.close()
            raise BodyTooLargeError
        if self._holder is not None:
            self._holder.took(len(chunk))
            self._counted += len(chunk)
        if self._file is None:
            most = min(self._in_memory, SCARCE_THRESHOLD) if self._scarce() else self._in_memory
            if self.length <= most:
                self._keep(chunk)
                return
            try:
                self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - see close()
            except OSError as failed:
                self.close()
                raise SpoolFailedError("no spool file can be made") from failed
            self._put(self._file, self._kept())
        self._put(self._file, chunk)

    def _keep(self, chunk: bytes | memoryview) -> None:
        """In pieces, which are put together once: a buffer that grows is copied again and again."""
        if len(chunk) < LITTLE_BYTES:
            self._little += chunk
            if len(self._little) < SCARCE_THRESHOLD:
                return
            chunk = b""
        if self._little:
            self._memory.append(bytes(self._little))
            self._little.clear()
        if chunk:
            self._memory.append(chunk if isinstance(chunk, bytes) else bytes(chunk))

    def _kept(self) -> bytes:
        """All that lies in memory, which is given up."""
        whole = b"".join((*self._memory, self._little))
        self._memory.clear()
        self._little.clear()
        return whole

    def _put(self, file: IO[bytes], data: bytes | memoryview) -> None:
        try:
            with memoryview(data) as view:
                done = 0
                while done < len(view):
                    done += file.write(view[done:])
        except OSError as failed:
            self.close()
            raise SpoolFailedError("the spool file takes no more bytes") from failed

    def finish(self) -> bytes | mmap.mmap:
        """The whole body. The mapping alone keeps the file until it is dropped, and may be written to by whoever cuts
        it."""
        if self._file is None:
            self._counted = 0  # from now on the holder's affair
            return self._kept()
        try:
            mapped = MappedFile.of(self._file, self.length)
        except (OSError, ValueError) as failed:  # ValueError: the file is shorter than what was written to it
            raise SpoolFailedError("the spool file cannot be mapped") from failed
        else:
            self._counted = 0
        finally:
            self.close()
        return mapped

    def close(self) -> None:
        """Free what was collected."""
        self._memory.clear()
        self._little.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._holder is not None and self._counted:
            self._holder.gave_back(self._counted)
            self._counted = 0

    def _scarce(self) -> bool:
        return self._holder is not None and self._holder.half_full
