"""A loop with a clock of its own: it stands still while anybody works, and jumps to the next timer where all wait.

For tests of what is in time and what is not: however busy the machine is, everything happens in the same order.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


class OwnClockLoop(asyncio.SelectorEventLoop):
    """Waits for nothing but other threads, where no timer is set."""

    def __init__(self) -> None:
        self._now = 0.0
        waiting = selectors.DefaultSelector()
        really = waiting.select

        def select(timeout: float | None = None) -> Any:
            if timeout is None:
                return really()
            self._now += max(timeout, 0.0)
            return really(0)

        waiting.select = select  # type: ignore[method-assign]
        super().__init__(waiting)

    def time(self) -> float:
        """Seconds since it was made."""
        return self._now


def on_its_own_clock(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs in such a loop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=OwnClockLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
