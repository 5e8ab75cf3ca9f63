"""The task that keeps the board and the store in step, with a store and a board that do as they are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from app import sharing as module
from app.sharing import Sharing
from providers.spec.request import Operation, Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.slices import Slice
from routing.stats.store import Event, Loaded, News, Notice, StoreUnavailableError

NOW = 1_790_000_000.0
INTERVAL_S = 0.005
LONG_S = 30.0
KEY = StatKey("fal/pictura", Operation.GENERATE, Resolution.R1K)
OUTCOME = Outcome(KEY, OutcomeKind.DELIVERED, NOW, 12.0)
NOTICE = Notice("fal/pictura", NOW, Health(), Breaker())


@dataclass
class Board:
    """Remembers what it was told."""

    publish: Callable[[Event], None] | None = None
    replicas: int = 1
    folded: list[Event] = field(default_factory=list)
    seeded: list[Loaded] = field(default_factory=list)
    leases: dict[str, float] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    broken: bool = False
    forgets: bool = False
    """Whether a wish for a lease is told once."""

    def fold(self, event: Event, *, now: float) -> None:
        self.folded.append(event)
        if self.broken:
            raise KeyError("a bug")

    def seed(self, loaded: Loaded, *, now: float) -> None:
        self.seeded.append(Loaded(loaded.events, tuple(loaded.slices)))

    def wanted_leases(self, *, now: float) -> frozenset[str]:
        wanted = self.wanted
        if self.forgets:
            self.wanted = frozenset()
        return wanted

    def granted(self, offer: str, until: float) -> None:
        self.leases[offer] = until


@dataclass
class Store:
    """Answers with what was put into it, raises what was put there, and never ends while ``hangs``."""

    loaded: Loaded = field(default_factory=Loaded)
    news: list[News] = field(default_factory=list)
    error: Exception | None = None
    hangs: bool = False
    sent: int = 0
    dropped: int = 0
    undecodable: int = 0
    published: list[Event] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    wanted: Collection[str] = ()

    def publish(self, event: Event) -> None:
        self.published.append(event)

    async def load(self, *, now: float) -> Loaded:
        await self._called("load")
        return self.loaded

    async def exchange(self, *, now: float, wanted: Collection[str]) -> News:
        await self._called("exchange")
        self.wanted = wanted
        self.sent = len(self.published)
        return self.news.pop(0) if self.news else News()

    async def release(self, offers: Collection[str]) -> None:
        await self._called(f"release {sorted(offers)}")

    async def close(self) -> None:
        await self._called("close")

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


@dataclass
class ServerStore(Store):
    """Keeps its things on a server with a clock of its own."""

    ahead_s: float = 0.0


@dataclass
class Instruments:
    up: list[bool] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    dropped: int = 0

    def store_up(self, up: bool) -> None:
        self.up.append(up)

    def events_sent(self, count: int) -> None:
        self.sent += count

    def events_received(self, count: int) -> None:
        self.received += count

    def events_dropped(self, count: int) -> None:
        self.dropped += count


@dataclass
class Scene:
    store: Store
    board: Board
    instruments: Instruments
    sharing: Sharing

    def publish(self, event: Event) -> None:
        assert self.board.publish is not None
        self.board.publish(event)


@asynccontextmanager
async def sharing(store: Store, board: Board | None = None, *, interval_s: float = INTERVAL_S) -> AsyncIterator[Scene]:
    board, instruments = board or Board(), Instruments()
    made = Sharing(store, board, interval_s=interval_s, instruments=instruments, clock=lambda: NOW)
    await made.start()
    try:
        yield Scene(store, board, instruments, made)
    finally:
        await made.stop()


async def until(holds: Callable[[], Any]) -> None:
    """Waits for it, two seconds at most."""
    async with asyncio.timeout(20.0):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


@contextmanager
def limits(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> Iterator[None]:
    with monkeypatch.context() as patched:
        for name, value in seconds.items():
            patched.setattr(module, name, value)
        yield


async def test_the_board_knows_what_was_known_before_when_the_start_returns() -> None:
    others = StatKey("gemini/pictura", Operation.EDIT, None)
    slices = [(KEY, "1h", 0, Slice()), (KEY, "1d", 0, Slice()), (others, "1h", 0, Slice())]
    async with sharing(Store(Loaded((OUTCOME, NOTICE), iter(slices)))) as scene:
        assert [len(tuple(portion.slices)) for portion in scene.board.seeded] == [2, 1, 0]
        assert scene.board.seeded[-1].events == (OUTCOME, NOTICE)
        assert scene.store.calls[:2] == ["load", "exchange"]


async def test_news_reach_the_board_and_what_it_wants_reaches_the_store() -> None:
    store = Store(news=[News((OUTCOME, NOTICE), {"fal/pictura": NOW + 60.0}, 3)])
    async with sharing(store, Board(wanted=frozenset({"fal/pictura"}))) as scene:
        await until(lambda: scene.board.folded)
        assert scene.board.folded == [OUTCOME, NOTICE]
        assert scene.board.leases == {"fal/pictura": NOW + 60.0}
        assert scene.board.replicas == 3
        assert store.wanted == {"fal/pictura"}
        assert scene.instruments.received == 2


async def test_it_goes_on_exchanging() -> None:
    async with sharing(Store()) as scene:
        await until(lambda: scene.store.calls.count("exchange") > 5)
        assert scene.store.calls.count("load") == 1


async def test_a_notice_is_sent_at_once_and_an_outcome_with_the_next_exchange() -> None:
    async with sharing(Store(), interval_s=LONG_S) as scene:
        scene.publish(OUTCOME)
        await asyncio.sleep(0.02)
        assert scene.store.calls == ["load", "exchange"]
        scene.publish(NOTICE)
        await until(lambda: scene.store.calls.count("exchange") == 2)
        assert scene.store.published == [OUTCOME, NOTICE]
        assert scene.instruments.sent == 2


async def test_an_outage_is_logged_once_and_so_is_its_end() -> None:
    with capture_logs() as lines:
        async with sharing(Store()) as scene:
            scene.store.error = StoreUnavailableError("Redis cannot be reached")
            await until(lambda: scene.instruments.up.count(False) >= 3)
            scene.store.error = None
            await until(lambda: scene.instruments.up[-1])
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("stats_store_unavailable", "Redis cannot be reached"),
        ("stats_store_available", None),
    ]


async def test_a_store_that_is_away_at_the_start_is_loaded_from_when_it_is_back() -> None:
    store = Store(Loaded((OUTCOME,)), error=StoreUnavailableError("gone"))
    async with sharing(store) as scene:
        assert scene.board.seeded == []
        scene.publish(OUTCOME)
        store.error = None
        await until(lambda: scene.board.seeded)
        await until(lambda: "exchange" in store.calls)
        assert store.published == [OUTCOME]


async def test_a_start_does_not_wait_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    with limits(monkeypatch, START_LIMIT_S=0.02, STOP_LIMIT_S=0.02):
        async with asyncio.timeout(20.0):
            async with sharing(Store(hangs=True)) as scene:
                assert scene.store.calls == ["load"]
                scene.publish(OUTCOME)


async def test_an_exchange_that_hangs_is_ended_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with limits(monkeypatch, EXCHANGE_LIMIT_S=0.02):
        async with sharing(Store()) as scene:
            scene.store.hangs = True
            await until(lambda: False in scene.instruments.up)
            scene.store.hangs = False
            await until(lambda: scene.instruments.up[-1])


async def test_while_the_store_is_away_tries_become_rare_whatever_is_published() -> None:
    store = Store(error=StoreUnavailableError("gone"))
    interval_s, began = 0.01, time.monotonic()
    async with sharing(store, interval_s=interval_s) as scene:
        for _ in range(100):
            scene.publish(NOTICE)
            await asyncio.sleep(0.002)
        pauses = [min(2**times * interval_s, module.MAX_PAUSE_S) for times in range(1, len(store.calls))]
        assert sum(pauses) <= time.monotonic() - began + 0.002 * len(pauses)


async def test_while_the_store_is_away_a_replica_probes_on_its_own() -> None:
    store = Store(error=StoreUnavailableError("gone"))
    async with sharing(store, Board(wanted=frozenset({"fal/pictura"}))) as scene:
        assert scene.board.leases == {"fal/pictura": NOW + module.ALONE_S}


@pytest.mark.parametrize("error", [StoreUnavailableError("gone"), ValueError("a bug")])
async def test_a_lease_that_was_wanted_from_a_store_that_went_is_granted_all_the_same(error: Exception) -> None:
    store, board = Store(), Board(forgets=True)
    with capture_logs():
        async with sharing(store, board, interval_s=0.02):
            await until(lambda: "exchange" in store.calls)
            store.error = error
            board.wanted = frozenset({"fal/pictura"})
            await until(lambda: board.leases)
            assert board.leases == {"fal/pictura": NOW + module.ALONE_S}


async def test_a_lease_that_another_replica_holds_is_not_taken_when_the_store_goes_later() -> None:
    store, board = Store(), Board(forgets=True, wanted=frozenset({"fal/pictura"}))
    async with sharing(store, board) as scene:
        await until(lambda: store.wanted)
        await until(lambda: not store.wanted)
        store.error = StoreUnavailableError("gone")
        await until(lambda: False in scene.instruments.up)
        assert board.leases == {}


async def test_a_storm_of_notices_is_gathered() -> None:
    async with sharing(Store(), interval_s=LONG_S) as scene:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 4 * module.MIN_REST_S:
            scene.publish(NOTICE)
            await asyncio.sleep(0.001)
        exchanges = scene.store.calls.count("exchange")
        assert 2 <= exchanges <= 2 + (loop.time() - began) / module.MIN_REST_S


async def test_clocks_that_disagree_are_logged_once_and_so_is_their_agreement() -> None:
    store = ServerStore()
    with capture_logs() as lines:
        async with sharing(store):
            for ahead_s in (4.0, -7.04, -8.0, -4.0, 1.0, 0.0, 6.0):
                store.ahead_s = ahead_s
                store.calls.clear()
                await until(lambda: store.calls.count("exchange") > 1)
    assert [(line["event"], line["log_level"], line["seconds"]) for line in lines] == [
        ("stats_store_clock", "warning", -7.0),
        ("stats_store_clock", "info", 1.0),
        ("stats_store_clock", "warning", 6.0),
    ]


async def test_a_bug_does_not_end_the_sharing() -> None:
    with capture_logs() as lines:
        async with sharing(Store()) as scene:
            scene.store.error = ValueError("secret")
            await until(lambda: lines)
            scene.store.error = None
            exchanges = len(scene.store.calls)
            await until(lambda: len(scene.store.calls) > exchanges)
    assert {line["event"] for line in lines} == {"sharing_failed"}
    assert lines[0]["error"] == "ValueError"
    assert "secret" not in str(lines)


async def test_a_bug_in_loading_does_not_keep_a_replica_from_sharing() -> None:
    store = Store(error=ValueError("a bug"))
    async with sharing(store):
        store.error = None
        await until(lambda: "exchange" in store.calls)
        assert store.calls.count("load") == 1


async def test_an_event_the_board_cannot_take_does_not_cost_the_others() -> None:
    with capture_logs() as lines:
        async with sharing(Store(news=[News((OUTCOME, NOTICE))]), Board(broken=True)) as scene:
            await until(lambda: len(scene.board.folded) == 2)
    assert [line["event"] for line in lines] == ["sharing_failed"]


async def test_what_was_lost_is_measured() -> None:
    async with sharing(Store()) as scene:
        scene.store.dropped, scene.store.undecodable = 5, 2
        await until(lambda: scene.instruments.dropped == 7)


async def test_a_stop_hands_over_gives_leases_back_and_leaves() -> None:
    store = Store(news=[News(granted={"fal/pictura": NOW + 60.0, "gemini/pictura": NOW - 1.0})])
    async with sharing(store, interval_s=LONG_S) as scene:
        scene.publish(OUTCOME)
    assert store.calls == ["load", "exchange", "exchange", "release ['fal/pictura']", "close"]
    assert scene.instruments.sent == 1
    assert scene.board.publish is None


async def test_a_stop_ends_though_the_store_hangs_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for trouble in ("hangs", "error"):
        with limits(monkeypatch, STOP_LIMIT_S=0.02), capture_logs():
            async with asyncio.timeout(20.0):
                async with sharing(Store()) as scene:
                    setattr(scene.store, trouble, RuntimeError("a bug") if trouble == "error" else True)
            assert scene.store.calls[-1] == "close"
