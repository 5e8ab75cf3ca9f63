"""Within: a limit on how long something may take, which costs nothing where nothing is waited for.

What a client sent is there already as a rule, and what is sent to it it takes at once. A limit that is set and taken
back costs more than either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float | Callable[[], float], work: Awaitable[T]) -> T:
    """The work's result, as ``asyncio.timeout`` around it; seconds that are worked out are so only where it waits.

    Raises TimeoutError, and what the work raises.
    """
    steps = work.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(seconds() if callable(seconds) else seconds):
        return await _Begun(steps, waits_for)


class _Begun(Awaitable[T]):
    """Work that has begun, and waits for something."""

    def __init__(self, steps: Generator[Any, Any, T], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        steps, waits_for = self._steps, self._waits_for
        while True:
            try:
                try:
                    answer = yield waits_for
                except BaseException as thrown:  # noqa: BLE001 - meant for the work, which waits here
                    waits_for = steps.throw(thrown)
                else:
                    waits_for = steps.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
