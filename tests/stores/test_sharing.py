"""Boards of several replicas kept in step over a real Redis, at the pace a gateway has by default."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from structlog.testing import capture_logs

from app.sharing import Sharing
from routing.board import Board
from routing.breaker import BreakerState
from routing.policy import Policy
from routing.stats.outcome import OutcomeKind, StatKey
from routing.stats.redis_store import RedisStore
from routing.stats.store import News, Notice
from tests.redis_server import RedisServer
from tests.stores.making import fresh_prefix, notice, outcome, redis_store
from tests.unit.routing.making import offer

OFFER = offer("fal")
KEY = OFFER.key


class Instruments:
    def __init__(self) -> None:
        self.up = True

    def store_up(self, up: bool) -> None:
        self.up = up

    def events_sent(self, count: int) -> None: ...
    def events_received(self, count: int) -> None: ...
    def events_dropped(self, count: int) -> None: ...


class Counting:
    """A store whose exchanges are counted when they are through."""

    def __init__(self, store: RedisStore, number: int, counts: Counter[int]) -> None:
        self._store = store
        self._number = number
        self._counts = counts

    async def exchange(self, *, now: float, wanted: Collection[str]) -> News:
        news = await self._store.exchange(now=now, wanted=wanted)
        self._counts[self._number] += 1
        return news

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@asynccontextmanager
async def boards(
    url: str, prefix: str, count: int, counts: Counter[int] | None = None
) -> AsyncIterator[list[tuple[Board, Instruments]]]:
    """Boards in step; each one's exchanges are counted into ``counts`` under its number."""
    policy = Policy()
    async with AsyncExitStack() as stack:
        made = []
        for number in range(count):
            board, instruments = Board([OFFER], policy), Instruments()
            store = Counting(redis_store(url, prefix), number, Counter() if counts is None else counts)
            sharing = Sharing(store, board, interval_s=policy.sharing_interval_s, instruments=instruments)
            await sharing.start()
            stack.push_async_callback(sharing.stop)
            made.append((board, instruments))
        yield made


async def seconds_until(holds: Callable[[], Any]) -> float:
    began = time.monotonic()
    async with asyncio.timeout(8.0):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_a_breaker_that_opened_in_one_replica_is_open_in_all_within_three_exchanges(redis_url: str) -> None:
    """Three last less than two seconds: tests/unit/routing/test_policy.py."""
    counts: Counter[int] = Counter()
    async with boards(redis_url, fresh_prefix(), 3, counts) as made:
        now = time.time()
        publish = made[0][0].publish
        assert publish is not None
        publish(notice(KEY, at=now))
        before = counts.copy()
        others = dict(enumerate([board for board, _ in made[1:]], start=1))
        while others:
            assert max(counts[number] - before[number] for number in others) <= 3
            knowing = [n for n, board in others.items() if board.breaker(KEY).state(now=now) is BreakerState.OPEN]
            for number in knowing:
                del others[number]
            await asyncio.sleep(0.005)


async def test_a_clock_that_is_not_the_servers_is_told_to_the_operator(redis_url: str) -> None:
    made = Sharing(
        redis_store(redis_url, fresh_prefix()),
        Board([OFFER], Policy()),
        interval_s=0.01,
        instruments=Instruments(),
        clock=lambda: time.time() - 300.0,
    )
    with capture_logs() as lines:
        await made.start()
        await seconds_until(lambda: lines)
        await made.stop()
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("stats_store_clock", "warning")
    assert 299.0 < line["seconds"] < 301.0


async def test_replicas_go_on_and_find_each_other_again_when_redis_was_killed(server: RedisServer) -> None:
    async with boards(server.url, "test", 2) as made:
        (one, _), (two, instruments) = made
        await seconds_until(lambda: one.replicas == two.replicas == 2)
        server.kill()
        publish = one.publish
        assert publish is not None
        publish(Notice(KEY, time.time(), notice(KEY).health, notice(KEY).breaker))
        publish(outcome(at=time.time(), kind=OutcomeKind.FAILED, key=StatKey(KEY, outcome().key.operation, None)))
        await seconds_until(lambda: not instruments.up)
        server.start()
        await seconds_until(lambda: two.statistics.windows(StatKey(KEY, outcome().key.operation, None)))
        assert instruments.up


async def test_a_restarted_replica_knows_the_figures_of_before(redis_url: str) -> None:
    prefix, now = fresh_prefix(), time.time()
    key = StatKey(KEY, outcome().key.operation, None)
    async with boards(redis_url, prefix, 1) as made:
        board, publish = made[0][0], made[0][0].publish
        assert publish is not None
        for number in range(100):
            told = outcome(at=now - 7 * number, seconds=20.0 + number % 5, key=key)
            board.fold(told, now=now)
            publish(told)
        before = board.statistics.estimate(key, now=now)
    async with boards(redis_url, prefix, 1) as made:
        after = made[0][0].statistics.estimate(key, now=now)
        windows = made[0][0].statistics.windows(key)
        assert windows is not None
        assert windows.figures("24h", now).samples == windows.figures("30d", now).samples == 100
    assert abs(after.median_s / before.median_s - 1) < 0.02
    assert abs(after.success - before.success) < 0.01
