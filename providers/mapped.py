"""Mapped files, given back: pages that were looked at are let go of, so that a body does not stay in memory whole.

And files still: what lies in one can be sent from there without being looked at.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
from contextlib import suppress
from typing import IO

_ADVICE: int | None = getattr(mmap, "MADV_DONTNEED", None)


_SCARCE = 4
"""Descriptors above this part of those there may be are taken for scarce."""


class MappedFile(mmap.mmap):
    """A mapped file that can still be sent from, unless descriptors may become scarce: a mapping keeps one of its own
    besides."""

    descriptor = -1
    """Of the file, open for as long as it is mapped; below zero: there is none."""
    _close = staticmethod(os.close)
    """Kept here: when the interpreter ends modules are emptied, and what is held then may go after them."""

    @classmethod
    def of(cls, file: IO[bytes], length: int) -> MappedFile:
        """The first ``length`` bytes of a file, which may be written to and may be closed. Raises OSError, or
        ValueError where the file is shorter."""
        mapped = cls(file.fileno(), length, access=mmap.ACCESS_WRITE)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        with suppress(OSError):  # none left: then it is copied
            own = os.dup(file.fileno())  # the lowest number that is free
            if most == resource.RLIM_INFINITY or own <= most // _SCARCE:
                mapped.descriptor = own
            else:
                os.close(own)
        return mapped

    def __del__(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            self._close(self.descriptor)


def where(data: bytes | bytearray | mmap.mmap | memoryview) -> tuple[int, int] | None:
    """The descriptor of the file that ``data`` lies in, and at which byte it begins there; None for what lies in none
    that is open."""
    lies_in = _lies_in(data)
    if not isinstance(lies_in, MappedFile) or lies_in.descriptor < 0 or not len(data):
        return None
    if isinstance(data, memoryview) and data.readonly:
        return None
    return lies_in.descriptor, _address(data) - _address(lies_in)


def _address(data: bytes | bytearray | mmap.mmap | memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(data))


def let_go(data: bytes | bytearray | mmap.mmap | memoryview) -> None:
    """Let go of the pages of the mapped file that ``data`` is or lies in; nothing happens to anything else.

    They stop counting as this process's memory and stay in the page cache, from where the next look has them again for
    the price of a page fault. The bytes are the same before and after, also for whoever reads them meanwhile.
    """
    lies_in = _lies_in(data)
    if _ADVICE is not None and isinstance(lies_in, mmap.mmap):
        lies_in.madvise(_ADVICE)


def is_mapped(data: bytes | bytearray | mmap.mmap | memoryview) -> bool:
    """Whether ``data`` is or lies in a mapped file."""
    return isinstance(_lies_in(data), mmap.mmap)


def _lies_in(data: bytes | bytearray | mmap.mmap | memoryview) -> object:
    return data.obj if isinstance(data, memoryview) else data
