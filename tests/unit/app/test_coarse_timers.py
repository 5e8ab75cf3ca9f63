"""Coarse timers keep what timers promise: never early, a little late at most, not at all once called off."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from app import coarse_timers
from app.coarse_timers import CoarseLoop

SHORT = 0.15
"""Stands for ``COARSE_SECONDS`` here, so that nobody waits."""
LATE = coarse_timers.GRAIN_SECONDS + 0.5
"""How late a call may be; half a second of it is a busy machine's."""
named: ContextVar[str] = ContextVar("named", default="nobody")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[CoarseLoop], Awaitable[Any]]], Any]]:
    monkeypatch.setattr(coarse_timers, "COARSE_SECONDS", SHORT)
    with asyncio.Runner(loop_factory=CoarseLoop) as runner:

        def running(what: Callable[[CoarseLoop], Awaitable[Any]]) -> Any:
            async def wrapped() -> Any:
                loop = asyncio.get_running_loop()
                assert isinstance(loop, CoarseLoop)
                return await what(loop)

            return runner.run(wrapped())

        yield running


Run = Callable[[Callable[[CoarseLoop], Awaitable[Any]]], Any]


def test_a_call_is_made_when_it_is_due_and_never_before(run: Run) -> None:
    async def all_called(loop: CoarseLoop) -> list[float]:
        late: list[float] = []

        def called(due: float) -> None:
            late.append(loop.time() - due)

        for delay in (0.9, 0.15, 0.31, 0.3, 0.22, 0.449):
            due = loop.time() + delay
            loop.call_later(delay, called, due)
            loop.call_at(due, called, due)
        await asyncio.sleep(0.9 + LATE)
        return late

    late = run(all_called)
    assert len(late) == 12
    assert all(-0.002 <= each < LATE for each in late), late  # the loop counts whole milliseconds


def test_calls_are_made_in_the_order_of_their_grains_whatever_order_they_were_asked_for_in(run: Run) -> None:
    async def order(loop: CoarseLoop) -> list[str]:
        made: list[str] = []
        loop.call_later(0.8, made.append, "last")
        loop.call_later(0.2, made.append, "first")
        loop.call_later(0.5, made.append, "middle")
        await asyncio.sleep(0.8 + LATE)
        return made

    assert run(order) == ["first", "middle", "last"]


def test_a_call_that_was_called_off_is_not_made_and_those_beside_it_are(run: Run) -> None:
    async def made(loop: CoarseLoop) -> list[str]:
        done: list[str] = []
        off = loop.call_later(0.2, done.append, "off")
        loop.call_later(0.2, done.append, "on")
        assert not off.cancelled()
        off.cancel()
        off.cancel()
        assert off.cancelled()
        await asyncio.sleep(0.2 + LATE)
        return done

    assert run(made) == ["on"]


def test_a_call_may_call_off_another_that_is_due_with_it(run: Run) -> None:
    async def made(loop: CoarseLoop) -> list[str]:
        done: list[str] = []
        due = loop.time() + 0.2
        to_call_off: list[asyncio.TimerHandle] = []

        def one() -> None:
            done.append("one")
            to_call_off[0].cancel()

        loop.call_at(due, one)
        to_call_off.append(loop.call_at(due, done.append, "other"))
        await asyncio.sleep(0.2 + LATE)
        return done

    assert run(made) == ["one"]


def test_a_call_sees_the_context_it_was_asked_for_in(run: Run) -> None:
    async def seen(loop: CoarseLoop) -> list[str]:
        seen: list[str] = []
        named.set("its own")
        loop.call_later(0.2, lambda: seen.append(named.get()))
        named.set("a later one")
        await asyncio.sleep(0.2 + LATE)
        return seen

    assert run(seen) == ["its own"]


def test_what_was_called_off_or_made_is_let_go_of_without_the_collector(run: Run) -> None:
    class Large:
        pass

    async def kept(loop: CoarseLoop) -> list[object]:
        gc.disable()
        one, other = Large(), Large()
        watched = [weakref.ref(one), weakref.ref(other)]
        loop.call_later(60, print, one).cancel()
        loop.call_later(0.2, lambda _: None, other)
        del one, other
        await asyncio.sleep(0.2 + LATE)
        return [each() for each in watched]

    try:
        assert run(kept) == [None, None]
    finally:
        gc.enable()


def test_time_outs_end_what_takes_too_long_and_nothing_else(run: Run) -> None:
    async def ended(loop: CoarseLoop) -> float:
        for _ in range(100):
            async with asyncio.timeout(SHORT):
                await asyncio.sleep(0)
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await asyncio.sleep(60)
        return loop.time() - began

    assert SHORT - 0.002 <= run(ended) < SHORT + LATE


def test_short_waits_are_exact_ones_and_endless_ones_the_loops_affair(run: Run) -> None:
    async def handles(loop: CoarseLoop) -> list[Any]:
        delays = (SHORT, 0.01, -1, float("inf"), 1e12)
        later = [loop.call_later(delay, print) for delay in delays]
        return later + [loop.call_at(loop.time() + delay, print) for delay in delays]

    coarse, *exact = run(handles)
    assert [type(each) for each in exact].count(type(coarse)) == 1
    assert type(exact[4]) is type(coarse)
    assert coarse.when() > 0
