"""Heap: how much freed memory the C library keeps instead of giving it back and asking for it again.

Left alone, glibc gives the end of the heap back as soon as a few bodies there are done with. The next image of 2 MB has
it again page by page, zeroed each time: a fifth of all work on it.
"""

from __future__ import annotations

import ctypes
import os

KEPT_BYTES = 32 * 1024 * 1024
"""Most that is kept at the end of the heap beside what large replies may take there. It counts as the process's memory,
however many requests there were."""
LARGE_BYTES = 8 * 1024 * 1024
"""What is asked for in one piece from this size on is no part of the heap, and is given back as soon as it is freed.
Bodies in memory are half as large at most (``providers.spool``)."""
_MOST_KEPT = 2**31 - 1
"""The C library counts in int."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""As ``mallopt(3)`` numbers them."""
_THE_OPERATORS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
"""Variables by which whoever starts the process has said it already."""


def hold_on(reply_memory: int) -> bool:
    """Keep freed memory from now on, ``reply_memory`` bytes of it for large replies; whether that was done.

    It is not where the environment says otherwise, nor with a C library that cannot be told so, as musl.
    """
    if any(name in os.environ for name in _THE_OPERATORS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # TypeError: where a library must have a name
        return False
    kept = mallopt(_TRIM_THRESHOLD, min(KEPT_BYTES + reply_memory, _MOST_KEPT)) and mallopt(
        _MMAP_THRESHOLD, LARGE_BYTES
    )
    # One heap for all threads: otherwise each that works on images has its own, and keeps as much again.
    return bool(kept and mallopt(_ARENA_MAX, 1))
