"""Memory for large replies: never promised twice, and given in the order it was asked for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import pieces
from providers.pieces import POINTLESS_S, Memory
from tests.own_clock import on_its_own_clock

PATIENCE_S = 20.0
LONG_S = 3600.0


async def begun(memory: Memory, count: int, *, seconds: float = LONG_S, most_s: float = LONG_S) -> asyncio.Task[bool]:
    """Somebody who waits for so many bytes."""
    waiting = asyncio.create_task(memory.wait_for(count, seconds, most_s))
    await asyncio.sleep(0)
    return waiting


async def soon(waiting: asyncio.Task[bool]) -> bool:
    return await asyncio.wait_for(waiting, PATIENCE_S)


async def turns() -> None:
    """Let everybody who can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_no_more_is_taken_than_there_is() -> None:
    memory = Memory(10)
    assert memory.take(7)
    assert not memory.take(4)
    assert memory.free == 3
    assert memory.take(3)
    assert memory.free == 0
    memory.give(10)
    assert memory.free == 10


def test_what_has_to_be_taken_is_counted_though_it_is_not_there() -> None:
    memory = Memory(10)
    memory.overdraw(15)
    assert memory.free == -5
    memory.give(5)
    assert memory.free == 0
    assert not memory.take(1)
    memory.give(10)
    assert memory.take(10)


@given(st.lists(st.tuples(st.sampled_from(["take", "anyway", "give"]), st.integers(0, 12)), max_size=40))
def test_the_books_balance(steps: list[tuple[str, int]]) -> None:
    memory, free = Memory(20), 20
    for what, count in steps:
        if what == "take":
            fits = count <= free
            assert memory.take(count) is fits
            free -= count * fits
        elif what == "anyway":
            memory.overdraw(count)
            free -= count
        else:
            memory.give(count)
            free += count
        assert memory.free == free


async def test_what_is_free_need_not_be_waited_for() -> None:
    memory = Memory(10)
    assert await memory.wait_for(10, 0, LONG_S)
    assert memory.free == 0


async def test_who_waits_has_it_as_soon_as_it_is_free_and_it_is_taken() -> None:
    memory = Memory(10)
    memory.take(10)
    waiting = await begun(memory, 6)
    memory.give(5)
    await turns()
    assert not waiting.done()
    memory.give(2)
    assert await soon(waiting)
    assert memory.free == 1


async def test_who_comes_first_is_served_first_and_nobody_takes_before_them() -> None:
    memory = Memory(10)
    memory.take(10)
    large, small, last = [await begun(memory, count) for count in (8, 1, 5)]
    memory.give(7)
    await turns()
    assert [large.done(), small.done(), last.done()] == [False] * 3
    assert not memory.take(1)
    assert memory.free == 7
    memory.give(3)
    assert await soon(large)
    assert await soon(small)
    assert memory.free == 1
    assert not last.done()
    memory.give(4)
    assert await soon(last)
    assert memory.free == 0
    memory.give(1)
    assert memory.take(1)


@on_its_own_clock
async def test_who_waits_in_vain_has_nothing_and_stands_in_nobodys_way() -> None:
    memory = Memory(10)
    memory.take(8)
    in_vain = await begun(memory, 9, seconds=0.05)
    behind = await begun(memory, 2)
    assert not behind.done()
    assert await soon(in_vain) is False
    assert await soon(behind)
    assert memory.free == 0
    memory.give(10)
    assert memory.take(10)


@on_its_own_clock
async def test_after_somebody_has_waited_in_vain_nobody_waits_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(10)
    memory.take(10)
    assert not await memory.wait_for(1, 0.01, LONG_S)
    assert await soon(asyncio.create_task(memory.wait_for(1, LONG_S, LONG_S))) is False
    memory.give(1)
    assert await memory.wait_for(1, LONG_S, LONG_S)
    loop = asyncio.get_running_loop()
    really = loop.time
    monkeypatch.setattr(loop, "time", lambda: really() + POINTLESS_S + 1)
    waiting = await begun(memory, 1)
    assert not waiting.done()
    memory.give(1)
    assert await soon(waiting)


@on_its_own_clock
async def test_nobody_gives_up_while_others_are_served() -> None:
    memory = Memory(10)
    memory.take(10)
    others = [await begun(memory, 1) for _ in range(8)]
    last = await begun(memory, 10, seconds=0.2)
    for other in others:
        await asyncio.sleep(0.05)
        memory.give(1)
        assert await soon(other)
    assert not last.done()
    memory.give(10)
    assert await soon(last)


@on_its_own_clock
async def test_but_not_for_ever_and_that_was_not_in_vain() -> None:
    memory = Memory(10)
    memory.take(10)
    others = [await begun(memory, 1) for _ in range(2)]
    last = await begun(memory, 10, seconds=0.1, most_s=0.15)
    await asyncio.sleep(0.01)
    memory.give(1)
    assert await soon(others[0])
    assert await soon(last) is False
    assert asyncio.get_running_loop().time() == pytest.approx(0.15, abs=0.01)
    memory.give(1)
    assert await soon(others[1])
    waiting = await begun(memory, 1)
    assert not waiting.done()
    memory.give(1)
    assert await soon(waiting)


async def test_who_is_served_makes_no_waiting_pointless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "POINTLESS_S", LONG_S)
    memory = Memory(10)
    memory.take(10)
    for _ in range(2):
        waiting = await begun(memory, 10)
        assert not waiting.done()
        memory.give(10)
        assert await soon(waiting)


async def test_more_than_there_ever_is_is_not_waited_for() -> None:
    memory = Memory(10)
    assert await soon(asyncio.create_task(memory.wait_for(11, LONG_S, LONG_S))) is False
    memory.take(10)
    waiting = await begun(memory, 10)  # nor has anybody waited in vain
    memory.give(10)
    assert await soon(waiting)


async def test_who_is_cancelled_leaves_their_place_to_the_next() -> None:
    memory = Memory(10)
    memory.take(8)
    cancelled, behind = await begun(memory, 9), await begun(memory, 2)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await soon(behind)
    assert memory.free == 0


async def test_who_is_cancelled_when_it_was_theirs_already_gives_it_to_the_next() -> None:
    memory = Memory(10)
    memory.take(10)
    cancelled, behind = await begun(memory, 9), await begun(memory, 10)
    memory.give(10)
    await asyncio.sleep(0)
    assert memory.free == 1
    assert not cancelled.done()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await soon(behind)
    assert memory.free == 0


async def test_who_is_cancelled_has_not_waited_in_vain() -> None:
    memory = Memory(10)
    memory.take(10)
    cancelled = await begun(memory, 1)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    waiting = await begun(memory, 1)
    memory.give(1)
    assert await soon(waiting)


async def test_what_another_thread_gives_wakes_who_waits() -> None:
    memory = Memory(10)
    memory.take(10)
    waiting = await begun(memory, 10)

    def give() -> None:
        time.sleep(0.05)  # until the event loop waits for something to happen
        memory.give(10)

    thread = threading.Thread(target=give)
    thread.start()
    assert await soon(waiting)
    thread.join()
    assert memory.free == 0


class Woken:
    """Counts how often the event loop is told to serve those who wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self._loop = asyncio.get_running_loop()
        self._really = self._loop.call_soon_threadsafe
        monkeypatch.setattr(self._loop, "call_soon_threadsafe", self)

    def __call__(self, *what: Any) -> Any:
        self.times += 1
        return self._really(*what)


async def test_the_event_loop_is_woken_when_there_is_enough_and_not_for_each_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = Memory(10)
    memory.take(8)
    waiting = await begun(memory, 6)
    woken = Woken(monkeypatch)
    for _ in range(3):
        memory.give(1)
        await turns()
    assert (woken.times, waiting.done()) == (0, False)
    memory.give(1)
    assert await soon(waiting)
    assert (woken.times, memory.free) == (1, 0)


class Between(deque[int]):
    """What was given, with something that another thread does just before it is added up, or behind a look at it."""

    def __init__(self, before: Callable[[], object], behind: Callable[[], object]) -> None:
        super().__init__()
        self._before, self._behind = before, behind

    def __iter__(self) -> Iterator[int]:
        self._before()
        return super().__iter__()

    def popleft(self) -> int:
        first = super().popleft()
        self._behind()
        return first


def test_what_is_settled_while_it_is_added_up_is_not_missed() -> None:
    memory = Memory(10)
    memory.take(10)
    memory._given = Between(memory._settle, lambda: None)
    memory.give(10)
    assert memory._are_enough(10)


def test_what_is_added_up_while_it_is_settled_is_not_missed() -> None:
    memory = Memory(10)
    memory.take(10)
    found: list[bool] = []
    memory._given = Between(lambda: None, lambda: found.append(memory._are_enough(10)))
    memory.give(10)
    assert memory.free == 10
    assert found == [True]


async def test_pieces_that_pile_up_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(1 << 20)
    memory.take(1 << 20)
    waiting = await begun(memory, 1 << 20)
    woken = Woken(monkeypatch)
    for _ in range(1000):
        memory.give(1)
        if len(memory._given) > 100:
            await turns()
    assert len(memory._given) <= 100
    assert 0 < woken.times < 11
    waiting.cancel()


async def test_who_waits_is_woken_though_the_event_loop_was_faster_than_the_thread_that_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = Memory(10)
    memory.take(10)
    first, second = await begun(memory, 5), await begun(memory, 5)
    with monkeypatch.context() as faster:
        faster.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", lambda hand_on: hand_on())
        memory.give(5)
    assert await soon(first)
    memory.give(5)
    assert await soon(second)


async def test_who_waits_is_served_whatever_is_settled_while_a_thread_gives() -> None:
    memory = Memory(1000)

    def give() -> None:
        for _ in range(250):
            memory.give(1)

    for _ in range(300):
        memory.take(1000)
        waiting = await begun(memory, 1000)
        threads = [threading.Thread(target=give) for _ in range(4)]
        for thread in threads:
            thread.start()
        while not waiting.done():
            memory.overdraw(0)  # settles in between, and serves nobody
            await asyncio.sleep(0)
        for thread in threads:
            thread.join()
        assert waiting.result()
        assert memory.free == 0
        memory.give(1000)


async def test_what_is_given_just_before_somebody_begins_to_wait_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(10)
    memory.take(10)
    loop = asyncio.get_running_loop()
    really = loop.create_future

    def while_another_thread_gives() -> asyncio.Future[None]:
        monkeypatch.undo()
        memory.give(10)
        return really()

    monkeypatch.setattr(loop, "create_future", while_another_thread_gives)
    waiting = await begun(memory, 10)
    assert await soon(waiting)
    assert memory.free == 0


def test_what_is_given_when_the_event_loop_of_those_who_wait_has_ended_is_counted() -> None:
    memory = Memory(10)
    memory.take(10)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(memory.wait_for(5, LONG_S, LONG_S))
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    loop.close()
    memory.give(10)
    assert memory.free == 10
