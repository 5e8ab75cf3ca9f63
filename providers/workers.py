"""Workers: a few threads for work on image bytes, so that the event loop does none and many images do not crowd it.

All of it shares one small pool. Decoding and copying hold the interpreter's lock for milliseconds at a time; a thread
for each of twenty images at once would make the loop wait behind all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 2
"""Enough for the two cores such a gateway usually has; more only lengthens the queue for the lock."""


class Workers:
    """The pool. Threads start when they are needed and end with ``close``."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="bytes")

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of ``work``, done in a thread. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Take no more work; what is queued is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
