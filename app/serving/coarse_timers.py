"""Coarse timers: the server's event loop, with a cheap way to wait for what hardly ever happens.

A request sets some eight limits of many seconds and takes each of them back. A timer of the loop costs 10 us, of a
request that costs below a thousand in all; a place on the list of its tenth of a second costs 1.

Limits within limits that end in the same tenth end together: the outer one is then told. Python's collector may run
wherever an object is made, and finalizers set timers and take them back: nothing may be half done where one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from heapq import heappop, heappush
from math import ceil
from typing import Any, TypeVarTuple

import uvloop

COARSE_SECONDS = 5.0
"""Waits from this long on are coarse ones,"""
LONGEST_SECONDS = 86_400.0
"""up to this long; beyond, somebody means for ever."""
GRAIN_SECONDS = 0.1
"""What a coarse wait may take longer. It never takes less than was asked for."""
_Given = TypeVarTuple("_Given")
_NOBODYS = Context()
"""For the timer of a grain, which is nobody's: in a request's own, it would keep what that request knew."""


class _Coarse:
    """A call that is due at about a time; has what of ``asyncio.TimerHandle`` is used."""

    __slots__ = ("_args", "_callback", "_context", "_others", "_when")

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
        others: dict[_Coarse, None],
    ) -> None:
        self._when = when
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._context = context
        self._others = others
        """Those due in the same grain, with this one."""

    def __repr__(self) -> str:
        name = getattr(self._callback, "__qualname__", type(self._callback).__name__)
        return f"<{name} at {self._when:.1f}>"  # nothing of what it is called with, which may be anybody's

    def when(self) -> float:
        """Seconds of the loop's clock."""
        return self._when

    def cancelled(self) -> bool:
        """Whether the call was called off, or is made already."""
        return self._callback is None

    def cancel(self) -> None:
        """Call it off, and let go of all it was to be made with."""
        self._others.pop(self, None)
        self._callback = self._context = None
        self._args = ()

    def begin(self, loop: uvloop.Loop) -> None:
        """Make the call in the loop's next round, unless it is called off until then."""
        loop.call_soon(self._made, context=self._context)

    def _made(self) -> None:
        callback, args = self._callback, self._args
        self.cancel()
        if callback is not None:
            callback(*args)


class CoarseLoop(uvloop.Loop):
    """uvloop's event loop, but for waits of ``COARSE_SECONDS`` and more. Given to uvicorn by its name."""

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[int, dict[_Coarse, None]] = {}
        """What is due, by the grain at whose beginning it is."""
        self._grains: list[int] = []
        """The same grains, as a heap."""
        self._next = 0
        """The grain that is waited for, while one is."""
        self._waiting: Any = None

    def call_later(
        self, delay: float, callback: Callable[[*_Given], object], *args: *_Given, context: Context | None = None
    ) -> Any:
        """As every event loop has it."""
        if not COARSE_SECONDS <= delay <= LONGEST_SECONDS or self.is_closed() or self.get_debug():
            return super().call_later(delay, callback, *args, context=context)
        return self._coarse(self.time() + delay, callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*_Given], object], *args: *_Given, context: Context | None = None
    ) -> Any:
        """As every event loop has it."""
        if not COARSE_SECONDS <= when - self.time() <= LONGEST_SECONDS or self.is_closed() or self.get_debug():
            return super().call_at(when, callback, *args, context=context)
        return self._coarse(when, callback, args, context)

    def _coarse(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> _Coarse:
        grain = ceil(when / GRAIN_SECONDS)
        others = self._due.get(grain)
        if others is None:
            made: dict[_Coarse, None] = {}
            others = self._due.setdefault(grain, made)
            if others is made:
                heappush(self._grains, grain)
                if self._waiting is None or grain < self._next:
                    self._wait_for(grain)
        coarse = _Coarse(when, callback, args, copy_context() if context is None else context, others)
        others[coarse] = None
        return coarse

    def _wait_for(self, grain: int) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._next = grain
        seconds = max(grain * GRAIN_SECONDS - self.time(), 0.0)
        self._waiting = super().call_later(seconds, self._grain_began, context=_NOBODYS)

    def _grain_began(self) -> None:
        self._waiting = None
        while self._grains:
            grain = self._grains[0]
            others = self._due[grain]
            if others and grain * GRAIN_SECONDS > self.time():
                self._wait_for(grain)
                return
            heappop(self._grains)
            del self._due[grain]
            for coarse in list(others):
                coarse.begin(self)
            others.clear()  # each of them leads to it

    def close(self) -> None:
        """As every event loop has it; what is still due is let go of."""
        super().close()
        for coarse in [each for others in self._due.values() for each in others]:
            coarse.cancel()
        self._due.clear()
        self._grains.clear()
        self._waiting = None
