"""Coarse timers keep what timers promise: never early, a little late at most, not at all once called off."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context, ContextVar
from typing import Any

import pytest

from app.serving import coarse_timers
from app.serving.coarse_timers import CoarseLoop

SHORT = 0.15
"""Stands for ``COARSE_SECONDS`` here, so that nobody waits."""
LATE = coarse_timers.GRAIN_SECONDS + 0.5
"""How long is waited for a call that is due: what waits for longer is itself a coarse wait, and ends behind it."""
LATEST = coarse_timers.GRAIN_SECONDS + 5.0
"""How late a call may be; all but a tenth of a second of it is a busy machine's."""
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
    assert all(-0.002 <= each < LATEST for each in late), late  # the loop counts whole milliseconds


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

    assert SHORT - 0.002 <= run(ended) < SHORT + LATEST


def test_short_waits_are_exact_ones_and_endless_ones_the_loops_affair(run: Run) -> None:
    async def handles(loop: CoarseLoop) -> list[Any]:
        delays = (2 * SHORT, 0.01, -1, float("inf"), 1e12)
        later = [loop.call_later(delay, print) for delay in delays]
        return later + [loop.call_at(loop.time() + delay, print) for delay in delays]

    coarse, *exact = run(handles)
    assert [type(each) for each in exact].count(type(coarse)) == 1
    assert type(exact[4]) is type(coarse)
    assert coarse.when() > 0


def test_an_empty_context_is_one(run: Run) -> None:
    async def seen(loop: CoarseLoop) -> list[str]:
        seen: list[str] = []
        named.set("whoever asked")
        loop.call_later(0.2, lambda: seen.append(named.get()), context=Context())
        await asyncio.sleep(0.2 + LATE)
        return seen

    assert run(seen) == ["nobody"]


def test_the_context_a_grain_was_first_asked_for_in_is_let_go_of(run: Run) -> None:
    class Visit:
        pass

    held: ContextVar[Visit | None] = ContextVar("held", default=None)

    async def kept(loop: CoarseLoop) -> object:
        async def request() -> weakref.ref[Visit]:
            visit = Visit()
            held.set(visit)
            loop.call_later(0.2, print).cancel()
            return weakref.ref(visit)

        watched = await asyncio.create_task(request())
        loop.call_later(0.9, print)
        await asyncio.sleep(0.25 + LATE / 2)
        gc.collect()
        return watched()

    assert run(kept) is None


def test_the_collector_may_come_by_wherever_an_object_is_made(run: Run) -> None:
    """Its finalizers set timers of the grain that is being made, and take back those of one that begins."""

    class Setting:
        def __init__(self, loop: CoarseLoop, due: float, made: list[str]) -> None:
            self.me, self.loop, self.due, self.made = self, loop, due, made

        def __del__(self) -> None:
            self.loop.call_at(self.due, self.made.append, "by a finalizer")

    class TakingBack:
        def __init__(self, handle: asyncio.TimerHandle) -> None:
            self.me, self.handle = self, handle

        def __del__(self) -> None:
            self.handle.cancel()

    async def made(loop: CoarseLoop) -> tuple[list[str], int, list[str]]:
        first: list[str] = []
        many: list[int] = []
        last: list[str] = []
        due = loop.time() + 0.3
        before = gc.get_threshold()
        held = [{} for _ in range(200)]  # type: ignore[var-annotated]  # else a dict that was let go of is used again
        gc.collect()
        try:
            Setting(loop, due, first)
            by_hand = first.append  # an object, too: the next one is to be the list of the grain
            gc.set_threshold(1)
            loop.call_at(due, by_hand, "by hand")
            gc.set_threshold(*before)
            begins = due + 0.3
            for _ in range(300):
                loop.call_at(begins, many.append, 1)
            loop.call_at(due + 0.7, last.append, "last")
            gc.collect()
            gc.set_threshold(150)
            TakingBack(loop.call_at(begins, many.append, 1))
            for _ in range(14):
                await asyncio.sleep(SHORT * 2 / 3)  # no coarse wait, which might not end
        finally:
            gc.set_threshold(*before)
        del held
        return first, len(many), last

    first, many, last = run(made)
    assert sorted(first) == ["by a finalizer", "by hand"]
    assert many in (300, 301)
    assert last == ["last"]


def test_a_closed_loop_takes_nothing_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coarse_timers, "COARSE_SECONDS", SHORT)

    class Large:
        pass

    loop, large = CoarseLoop(), Large()
    watched = weakref.ref(large)
    handle = loop.call_later(60, print, large)
    loop.close()
    del large
    assert watched() is None
    assert handle.cancelled()
    for delay in (0.01, 60):
        with pytest.raises(RuntimeError, match="closed"):
            loop.call_later(delay, print)


def test_what_a_call_is_made_with_is_not_told(run: Run) -> None:
    async def told(loop: CoarseLoop) -> str:
        return repr(loop.call_later(60, print, "a prompt"))

    assert run(told).startswith("<print at ")
