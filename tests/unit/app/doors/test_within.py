"""A limit that is set only where something is waited for is the limit it would be otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.doors.within import within


async def at_once(value: str) -> str:
    return value


async def after(seconds: float, value: str, *, times: int = 1) -> str:
    for _ in range(times):
        await asyncio.sleep(seconds)
    return value


async def failing(*, waits: bool) -> str:
    if waits:
        await asyncio.sleep(0)
    raise LookupError("its own")


async def test_what_waits_for_nothing_has_no_limit_and_gives_nobody_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: float) -> Any:
        raise AssertionError("a limit was set")

    monkeypatch.setattr("app.doors.within.asyncio.timeout", nobody)
    others: list[str] = []
    asyncio.get_running_loop().call_soon(others.append, "a turn")
    assert await within(1.0, at_once("there")) == "there"
    assert others == []


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_what_waits_in_time_is_given_back(times: int) -> None:
    assert await within(5.0, after(0.0, "later", times=times)) == "later"
    assert await within(5.0, after(0.001, "later", times=times)) == "later"


@pytest.mark.parametrize("waits", [False, True])
async def test_what_goes_wrong_is_raised(waits: bool) -> None:
    with pytest.raises(LookupError, match="its own"):
        await within(5.0, failing(waits=waits))


async def test_what_takes_longer_is_ended_where_it_waits() -> None:
    ended: list[str] = []

    async def long() -> None:
        await asyncio.sleep(0)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("there")
            raise

    with pytest.raises(TimeoutError):
        await within(0.02, long())
    assert ended == ["there"]
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_work_may_decline_to_end_as_it_may_with_a_limit_around_it() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "done"

    async with asyncio.timeout(0.02):
        assert await stubborn() == "done"
    assert await within(0.02, stubborn()) == "done"


async def test_a_time_out_of_its_own_stays_one() -> None:
    async def own() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await within(60, own())


async def test_whoever_is_cancelled_ends_the_work() -> None:
    ended = asyncio.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(within(60, long()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_pieces_of_a_stream_are_taken_one_by_one() -> None:
    async def numbers() -> AsyncIterator[int]:
        for each in range(4):
            if each % 2:
                await asyncio.sleep(0)
            yield each

    stream = numbers()
    taken = [await within(5.0, anext(stream, None)) for _ in range(5)]
    assert taken == [0, 1, 2, 3, None]


async def test_work_that_is_dropped_while_it_waits_is_closed() -> None:
    closed: list[bool] = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    dropped = within(60, long())
    dropped.send(None)
    dropped.close()
    assert closed == [True]
