"""Hang-ups: noticing that a caller has left, and ending what was done for it.

The server cancels no handler whose client is gone, and sending to one is silent. Its receive channel tells, which takes
a task that waits for it; our own protocol tells too, by a call, which takes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.types import Receive, Scope

WHEN_LOST = "gateway.when_lost"
"""Where in its scope a request finds ``WhenLost``, if the server has one."""
WhenLost = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes what is to be called, once, when the connection is lost, at once if it is; returns how to call that off."""
T = TypeVar("T")


async def hung_up(receive: Receive) -> None:
    """Returns when the client has left. The body must have been read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result; None when the caller left first, in which case the work was cancelled, or never begun."""
    when_lost: WhenLost | None = request.scope.get(WHEN_LOST)
    if when_lost is None:
        return await _watched(request, work)
    own = asyncio.current_task()
    left = begun = False

    def leave() -> None:
        nonlocal left
        left = True
        # Cancelled before it has begun, the work would go on to its first wait, which may be for something paid.
        if begun and own is not None:
            own.cancel()

    call_off = when_lost(leave)
    if left:
        work.close()
        return None
    begun = True
    try:
        return await work
    except asyncio.CancelledError:
        # Cancelled by the server as well, it is the server's end that counts.
        if left and own is not None and own.uncancel() == 0:
            return None
        raise
    finally:
        call_off()


def has_left(scope: Scope) -> bool:
    """Whether the caller is known to have left; False also where the server does not tell."""
    when_lost: WhenLost | None = scope.get(WHEN_LOST)
    if when_lost is None:
        return False
    left = False

    def leave() -> None:
        nonlocal left
        left = True

    when_lost(leave)()
    return left


async def _watched(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    working = asyncio.create_task(work)
    watching = asyncio.create_task(hung_up(request.receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
        del working, watching, task  # a failure leads to this frame, and the task to it: they would keep each other
