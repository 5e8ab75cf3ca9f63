"""Heap: how much freed memory the C library keeps instead of giving it back and asking for it again.

Left alone, glibc gives the end of the heap back as soon as a few bodies there are done with. The next image of 2 MB has
it again page by page, zeroed each time: a fifth of all work on it.
"""

from __future__ import annotations

import ctypes

KEPT_BYTES = 32 * 1024 * 1024
"""Most that is kept at the end of the heap. It counts as the process's memory, once and not for each request."""
LARGE_BYTES = 8 * 1024 * 1024
"""What is asked for in one piece from this size on is no part of the heap, and is given back as soon as it is freed.
Bodies in memory are half as large at most (``providers.spool``)."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As ``mallopt(3)`` numbers them."""


def hold_on() -> bool:
    """Keep freed memory from now on; whether the C library can be told so, which glibc can and musl cannot."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # TypeError: where a library must have a name
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, LARGE_BYTES))
