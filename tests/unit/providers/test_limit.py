"""A limit ends what is waited for, and nothing else does it for it."""

from __future__ import annotations

import asyncio

import pytest

from providers.limit import Limit


async def test_what_is_done_in_time_is_left_alone() -> None:
    limit = Limit(0.05)
    with limit:
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert not limit.expired


async def test_what_takes_longer_is_ended_and_the_task_goes_on() -> None:
    limit = Limit(0.01)
    with pytest.raises(TimeoutError), limit:
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert (limit.expired, task.cancelling()) == (True, 0)
    await asyncio.sleep(0)


async def test_what_fails_while_it_is_ended_fails_and_the_limit_tells() -> None:
    limit = Limit(0.01)

    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("instead") from None

    with pytest.raises(ValueError, match="instead"), limit:
        await fail()
    assert limit.expired
    await asyncio.sleep(0)


@pytest.mark.parametrize("expires", [False, True])
async def test_a_task_that_somebody_cancels_is_cancelled_whether_its_time_is_over_or_not(expires: bool) -> None:
    limit = Limit(10.0)

    async def wait() -> None:
        with limit:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel("hung up")
    if expires:
        limit._end()
    done, _ = await asyncio.wait({task})
    assert done == {task}
    assert task.cancelled()
    assert limit.expired is expires
