"""A caller who leaves ends the work done for it, however the server tells; nobody else's end counts as that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.doors.hang_up import WHEN_LOST, has_left, unless_hung_up


class Connection:
    """One that tells by a call."""

    def __init__(self, *, lost: bool = False) -> None:
        self.lost = lost
        self.waiting: list[Callable[[], None]] = []

    def when_lost(self, call: Callable[[], None]) -> Callable[[], None]:
        if self.lost:
            call()
        else:
            self.waiting.append(call)
        return lambda: self.waiting.remove(call) if call in self.waiting else None

    def lose(self) -> None:
        for call in self.waiting:
            call()


class Work:
    """Never ends by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False

    async def done(self) -> str:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "never"


async def nothing_comes() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def request(connection: Connection | None, receive: Any = nothing_comes) -> Request:
    scope: dict[str, Any] = {"type": "http", "headers": []}
    if connection is not None:
        scope[WHEN_LOST] = connection.when_lost
    return Request(scope, receive)


async def answered() -> str:
    return "an image"


@pytest.mark.parametrize("connection", [Connection(), None])
async def test_work_that_ends_in_time_is_handed_over(connection: Connection | None) -> None:
    assert await unless_hung_up(request(connection), answered()) == "an image"
    assert connection is None or not connection.waiting


async def test_a_lost_connection_ends_the_work() -> None:
    connection, work = Connection(), Work()
    task = asyncio.create_task(unless_hung_up(request(connection), work.done()))
    await work.begun.wait()
    connection.lose()
    assert await task is None
    assert work.cancelled
    assert not connection.waiting


async def test_a_connection_that_was_lost_before_ends_the_work_at_once() -> None:
    work = Work()
    asked = request(Connection(lost=True))
    assert await unless_hung_up(asked, work.done()) is None
    assert not work.begun.is_set()  # its first step may be one that is paid for
    assert has_left(asked.scope)
    assert not has_left(request(Connection()).scope)
    assert not has_left(request(None).scope)


async def test_a_server_that_tells_by_message_ends_the_work() -> None:
    left, work = asyncio.Event(), Work()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(unless_hung_up(request(None, receive), work.done()))
    await work.begun.wait()
    left.set()
    assert await task is None
    assert work.cancelled


async def test_the_servers_own_end_is_no_hang_up() -> None:
    connection, work = Connection(), Work()
    task = asyncio.create_task(unless_hung_up(request(connection), work.done()))
    await work.begun.wait()
    connection.lose()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled
    assert not connection.waiting
