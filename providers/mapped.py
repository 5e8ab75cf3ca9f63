"""Mapped files, given back: pages that were looked at are let go of, so that a body does not stay in memory whole."""

from __future__ import annotations

import mmap

_ADVICE: int | None = getattr(mmap, "MADV_DONTNEED", None)


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
