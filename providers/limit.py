"""Limit: a time limit around what a task waits for."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Limit:
    """``asyncio.timeout`` for a limit that is never moved: entered and left without coroutines, in a third of the
    steps. Raises TimeoutError at the end of the block when the time was over."""

    __slots__ = ("_cancelling", "_handle", "_seconds", "_task", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False
        """The time was over before the block was."""

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("nobody waits outside of a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._handle = task.get_loop().call_later(self._seconds, self._end)

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        # Who was cancelled by somebody else as well stays cancelled.
        if self.expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from raised

    def _end(self) -> None:
        self.expired = True
        self._task.cancel()
