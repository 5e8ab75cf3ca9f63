"""Sharing: a task beside the requests that keeps the board and the store of all replicas in step.

Requests never wait for it. While the store is away the board goes on with what it knows, and this replica decides on
its own whom to probe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from itertools import groupby, islice
from typing import Protocol, runtime_checkable

import structlog

from providers.spec.excerpt import place_of
from routing.stats.store import Event, Loaded, News, Notice, StatsStore, StoredSlice, StoreUnavailableError

START_LIMIT_S = 2.0
"""How long a start waits for what was known before; then requests are served and it follows when it has come."""
LOAD_LIMIT_S = 60.0
"""How long one try at reading it may take: seconds even when all there can be is there."""
EXCHANGE_LIMIT_S = 5.0
"""How long one exchange may take. The store limits each answer; this limits them all."""
STOP_LIMIT_S = 2.0
"""How long the last exchange may take, and leaving after it."""
MAX_PAUSE_S = 5.0
"""The longest pause between tries at a store that is away."""
ALONE_S = 15.0
"""How long this replica may probe without a lease while the store is away: longer than until it tries again."""
MIN_REST_S = 0.05
"""The shortest time from one exchange to the next. In a storm every refused try is a notice; gathered for so long they
cost twenty exchanges a second at most, and nobody hears of a trip noticeably later."""
CLOCK_S = 5.0
"""How far apart the clocks of store and process may be: beyond, replicas judge each other's times wrongly. Far above
what an exchange takes, which cannot be told from a difference."""
_PORTION = 500
"""Events or slices the board takes in at a time, so that requests get their turn in between."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class SharedBoard(Protocol):
    """What is kept in step."""

    publish: Callable[[Event], None] | None
    replicas: int

    def fold(self, event: Event, *, now: float) -> None:
        """Take in what another replica saw."""

    def seed(self, loaded: Loaded, *, now: float) -> None:
        """Begin with what was known before; may be called several times with a portion each."""

    def wanted_leases(self, *, now: float) -> frozenset[str]:
        """Offers this replica would probe if it alone might."""

    def granted(self, offer: str, until: float) -> None:
        """This replica alone may probe the offer until then."""


class SharingInstruments(Protocol):
    """What is measured."""

    def store_up(self, up: bool) -> None:
        """Whether the store could be used the last time."""

    def events_sent(self, count: int) -> None:
        """So many more events reached the store."""

    def events_received(self, count: int) -> None:
        """So many more events of other replicas came."""

    def events_dropped(self, count: int) -> None:
        """So many more events were lost because the store was away for too long, or could not be read."""


@runtime_checkable
class HasClock(Protocol):
    """A store on a server that has a clock of its own."""

    @property
    def ahead_s(self) -> float:
        """Seconds by which it is ahead of this process's; below zero: behind."""


class Sharing:
    """The task. ``start`` and ``stop`` once each, in one event loop."""

    def __init__(
        self,
        store: StatsStore,
        board: SharedBoard,
        *,
        interval_s: float,
        instruments: SharingInstruments,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``interval_s``: seconds between exchanges; a notice is sent at once. ``clock`` tells unix seconds."""
        self._store = store
        self._board = board
        self._interval_s = interval_s
        self._instruments = instruments
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._first_try = asyncio.Event()
        self._loaded = False
        self._up: bool | None = None
        self._clocks_agree = True
        self._asked: frozenset[str] = frozenset()  # in the exchange under way; the board forgets a wish it has told
        self._pause_s = interval_s
        self._sent = self._lost = 0
        self._leases: Mapping[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns when the board knows what was known before, or that it cannot be told just now."""
        self._board.publish = self._publish
        self._task = asyncio.create_task(self._run(), name="sharing")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._first_try.wait(), START_LIMIT_S)

    async def stop(self) -> None:
        """Hand over what is still to be handed over, give leases back, and leave; within a few seconds, come what may.

        Call it when no request is under way any more.
        """
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=STOP_LIMIT_S)
            if not done:
                self._task.cancel()
                await asyncio.wait({self._task})
        self._board.publish = None
        await self._within_limit(self._hand_over())
        await self._within_limit(self._store.close())

    def _publish(self, event: Event) -> None:
        self._store.publish(event)
        if isinstance(event, Notice):
            self._wake.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                try:
                    await self._step()
                except StoreUnavailableError as error:
                    self._away(str(error))
                except TimeoutError:
                    self._away("the store does not answer in time")
            except Exception as bug:  # noqa: BLE001 - ours, and no reason to stop sharing for good
                self._slow_down()
                _failed(bug)
                self._go_alone(self._asked)
            self._first_try.set()
            await self._rest()

    async def _step(self) -> None:
        if not self._loaded:
            await self._load()
        self._wake.clear()
        now = self._clock()
        self._asked = self._board.wanted_leases(now=now)
        async with asyncio.timeout(EXCHANGE_LIMIT_S):
            news = await self._store.exchange(now=now, wanted=self._asked)
        self._asked = frozenset()
        self._back()
        await self._take_in(news)

    async def _load(self) -> None:
        try:
            async with asyncio.timeout(LOAD_LIMIT_S):
                loaded = await self._store.load(now=self._clock())
        except (StoreUnavailableError, TimeoutError):
            raise
        except Exception:
            self._loaded = True  # a bug stays where it is: better to begin with nothing than never to share
            raise
        # Before it is taken in: whatever comes of that, it must not be taken in twice.
        self._loaded = True
        await self._seed(loaded)

    async def _hand_over(self) -> None:
        if self._loaded:
            with suppress(StoreUnavailableError):
                await self._store.exchange(now=self._clock(), wanted=())
            self._measure()
        await self._store.release(self._held())

    async def _within_limit(self, last: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await last
        except TimeoutError:
            pass
        except Exception as bug:  # noqa: BLE001 - the gateway must stop all the same
            _failed(bug)

    async def _seed(self, loaded: Loaded) -> None:
        slices = iter(loaded.slices)
        for portion in _by_key(slices):
            self._board.seed(Loaded(slices=portion), now=self._clock())
            await asyncio.sleep(0)
        for start in range(0, len(loaded.events), _PORTION):
            self._board.seed(Loaded(events=loaded.events[start : start + _PORTION]), now=self._clock())
            await asyncio.sleep(0)

    async def _take_in(self, news: News) -> None:
        self._board.replicas = news.replicas
        self._leases = news.granted
        for offer, until in news.granted.items():
            self._board.granted(offer, until)
        self._measure()
        self._instruments.events_received(len(news.events))
        told = False
        for number, event in enumerate(news.events, 1):
            try:
                self._board.fold(event, now=self._clock())
            except Exception as bug:  # noqa: BLE001 - one event must not cost the others
                if not told:
                    told = True
                    _failed(bug)
            if number % _PORTION == 0:
                await asyncio.sleep(0)

    def _measure(self) -> None:
        store = self._store
        sent, lost = store.sent, store.dropped + store.undecodable
        self._instruments.events_sent(sent - self._sent)
        # A load that is begun again counts anew what it cannot read.
        self._instruments.events_dropped(max(0, lost - self._lost))
        self._sent, self._lost = sent, lost

    def _away(self, reason: str) -> None:
        self._slow_down()
        self._instruments.store_up(False)
        self._measure()
        if self._up is not False:
            self._up = False
            _log.warning("stats_store_unavailable", reason=reason)
        self._go_alone(self._asked | self._board.wanted_leases(now=self._clock()))

    def _go_alone(self, wanted: frozenset[str]) -> None:
        """Nobody can be asked for these leases just now: this replica takes them."""
        self._asked = frozenset()
        until = self._clock() + ALONE_S
        for offer in wanted:
            self._board.granted(offer, until)

    def _slow_down(self) -> None:
        self._pause_s = min(2 * self._pause_s, max(MAX_PAUSE_S, self._interval_s))

    def _back(self) -> None:
        self._pause_s = self._interval_s
        self._instruments.store_up(True)
        if self._up is False:
            _log.info("stats_store_available")
        self._up = True
        if isinstance(self._store, HasClock):
            self._compare_clocks(self._store.ahead_s)

    def _compare_clocks(self, ahead_s: float) -> None:
        # Half as far apart is agreement again, so that a difference about the bound is told once.
        agree = abs(ahead_s) <= (CLOCK_S if self._clocks_agree else CLOCK_S / 2)
        if agree is self._clocks_agree:
            return
        self._clocks_agree = agree
        tell = _log.info if agree else _log.warning
        tell("stats_store_clock", seconds=round(ahead_s, 1), agree=agree)

    async def _rest(self) -> None:
        least_s = min(MIN_REST_S, self._pause_s)
        # While the store is away a notice is no reason to ask it sooner.
        sooner = self._wake if self._pause_s <= self._interval_s else self._stopping
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), least_s)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(sooner.wait(), self._pause_s - least_s)

    def _held(self) -> list[str]:
        now = self._clock()
        return [offer for offer, until in self._leases.items() if until > now]


def _failed(bug: Exception) -> None:
    """Only the kind and place of a bug are logged."""
    _log.error("sharing_failed", error=type(bug).__name__, place=place_of(bug))


def _by_key(slices: Iterator[StoredSlice]) -> Iterator[tuple[StoredSlice, ...]]:
    """Portions of slices, each of one key."""
    for _, group in groupby(slices, key=lambda stored: stored[0]):
        while portion := tuple(islice(group, _PORTION)):
            yield portion
