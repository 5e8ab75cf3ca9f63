"""Replicas on one Redis: news, leases, slices, and the figures they add up to."""

from __future__ import annotations

import json
import struct
import time

import pytest

from routing.knobs import Priors, StatisticsKnobs
from routing.stats.ledger import KEPT
from routing.stats.outcome import Outcome, OutcomeKind
from routing.stats.slices import Entry, Slice
from routing.stats.statistics import Statistics
from routing.stats.store import Loaded
from routing.stats.windows import WINDOW_NAMES
from routing.stats.wire import decode_slice, encode_entry
from tests.stores.conftest import Replicas
from tests.stores.making import KEY, NOW, notice, outcome, outcomes, redis_store


def counted(loaded: Loaded) -> dict[tuple[object, ...], dict[str, int]]:
    """All slices of a start, events included."""
    slices: dict[tuple[object, ...], Slice] = {}
    for key, granularity, start, found in loaded.slices:
        slices.setdefault((key, granularity, start), Slice()).merge(found)
    for event in loaded.events:
        if isinstance(event, Outcome):
            add(slices, event)
    return {place: found.to_fields() for place, found in slices.items() if found.to_fields()}


def add(slices: dict[tuple[object, ...], Slice], event: Outcome) -> None:
    for name, granularity in KEPT.items():
        start = int(event.at) - int(event.at) % granularity.span_s
        slices.setdefault((event.key, name, start), Slice()).add(Entry(event))


def expected(events: list[Outcome]) -> dict[tuple[object, ...], dict[str, int]]:
    slices: dict[tuple[object, ...], Slice] = {}
    for event in events:
        add(slices, event)
    return {place: found.to_fields() for place, found in slices.items()}


async def test_what_one_publishes_the_others_get_with_their_next_exchange(replica: Replicas) -> None:
    one, two, three = replica(), replica(), replica()
    for store in (one, two, three):
        await store.load(now=NOW)
        await store.exchange(now=NOW, wanted=())
    told = (outcome(seconds=1 / 3), notice(), outcome(at=NOW - 0.1))
    for event in told:
        one.publish(event)
    await one.exchange(now=NOW, wanted=())
    for store in (two, three):
        news = await store.exchange(now=NOW, wanted=())
        assert news.events == told
        assert news.replicas == 3
        assert (await store.exchange(now=NOW, wanted=())).events == ()


async def test_a_replica_that_never_loaded_hears_what_comes_and_not_what_was(replica: Replicas) -> None:
    one, late = replica(), replica()
    one.publish(outcome(at=NOW - 5.0))
    await one.exchange(now=NOW, wanted=())
    assert (await late.exchange(now=NOW, wanted=())).events == ()
    one.publish(outcome(at=NOW))
    await one.exchange(now=NOW, wanted=())
    assert (await late.exchange(now=NOW, wanted=())).events == (outcome(at=NOW),)


async def test_more_than_one_exchange_can_carry_arrives_whole_and_in_order(replica: Replicas) -> None:
    one, two = replica(), replica()
    await two.load(now=NOW)
    sent = outcomes(5000)
    for event in sent:
        one.publish(event)
    got: list[object] = []
    for _ in range(6):
        await one.exchange(now=NOW, wanted=())
        got += (await two.exchange(now=NOW, wanted=())).events
    assert got == sent
    assert one.sent == 5000


async def test_the_figures_of_three_replicas_are_those_of_one_that_saw_everything(replica: Replicas) -> None:
    def empty() -> Statistics:
        return Statistics(StatisticsKnobs(), lambda _offer: Priors())

    stores = [replica() for _ in range(3)]
    folds = [empty() for _ in stores]
    alone = empty()
    for store in stores:
        await store.load(now=NOW - 600.0)
    everything = outcomes(900)
    for number, event in enumerate(everything):
        alone.add(event)
        folds[number % 3].add(event)
        stores[number % 3].publish(event)
        if number % 3 == 2:
            for _ in range(2):  # once to send, once more to hear of those that sent later
                for store, fold in zip(stores, folds, strict=True):
                    for heard in (await store.exchange(now=event.at, wanted=())).events:
                        assert isinstance(heard, Outcome)
                        fold.add(heard)
    for key in {event.key for event in everything}:
        wanted = alone.estimate(key, now=NOW)
        for fold in folds:
            got = fold.estimate(key, now=NOW)
            assert got.samples == wanted.samples
            for name in wanted.__dataclass_fields__:
                assert getattr(got, name) == pytest.approx(getattr(wanted, name), rel=1e-9), name
            theirs, ours = fold.windows(key), alone.windows(key)
            assert theirs is not None
            assert ours is not None
            for window in WINDOW_NAMES:
                assert theirs.figures(window, NOW) == ours.figures(window, NOW)


async def test_a_lease_is_granted_to_one_replica_only(replica: Replicas) -> None:
    stores = [replica() for _ in range(4)]
    holders = [store for store in stores if (await store.exchange(now=NOW, wanted={"fal/pictura"})).granted]
    assert holders == stores[:1]


async def test_a_lease_that_was_granted_is_confirmed_with_the_time_that_is_left(replica: Replicas) -> None:
    one = replica()
    await one.exchange(now=NOW, wanted={"fal/pictura"})
    again = (await one.exchange(now=NOW, wanted={"fal/pictura"})).granted
    assert NOW + 50.0 < again["fal/pictura"] <= NOW + 60.0


async def test_a_lease_given_back_is_the_next_ones_and_cannot_be_given_back_by_others(replica: Replicas) -> None:
    one, two = replica(), replica()
    assert (await one.exchange(now=NOW, wanted={"fal/pictura"})).granted
    await two.release({"fal/pictura"})
    assert not (await two.exchange(now=NOW, wanted={"fal/pictura"})).granted
    await one.release({"fal/pictura"})
    assert (await two.exchange(now=NOW, wanted={"fal/pictura"})).granted


async def test_a_replica_that_left_or_fell_silent_is_not_counted(replica: Replicas) -> None:
    one, two, three = replica(), replica(), replica()
    await one.exchange(now=NOW, wanted=())
    await two.exchange(now=NOW, wanted=())
    assert (await three.exchange(now=NOW, wanted=())).replicas == 3
    await two.close()
    assert (await three.exchange(now=NOW, wanted=())).replicas == 2
    assert (await three.exchange(now=NOW + 11.0, wanted=())).replicas == 1


async def test_a_restart_finds_everything_once(replica: Replicas) -> None:
    one, two = replica(), replica()
    everything = outcomes(400, since=NOW - 1000.0)
    for store in (one, two):
        await store.load(now=NOW)
    for number, event in enumerate(everything):
        (one, two)[number % 2].publish(event)
    await one.exchange(now=NOW, wanted=())
    await two.exchange(now=NOW, wanted=())
    await one.close()
    later = outcomes(50, seed=2, since=NOW, until=NOW + 20.0)
    for event in later:
        two.publish(event)
    await two.exchange(now=NOW + 20.0, wanted=())

    loaded = await replica().load(now=NOW + 20.0)
    assert set(loaded.events) == {*everything, *later}
    assert counted(loaded) == expected([*everything, *later])


async def test_slices_outlive_the_stream_and_add_up(replica: Replicas) -> None:
    """Three runs, hours apart, each of which the stream has forgotten when the next begins."""
    everything: list[Outcome] = []
    for run in range(3):
        now = NOW + 7000.0 * run
        store = replica()
        await store.load(now=now)
        events = outcomes(200, seed=run, since=now - 900.0, until=now)
        everything += events
        for event in events:
            store.publish(event)
        await store.exchange(now=now, wanted=())
        await store.close()
        await store._link.run(store._link.pipeline().delete(store._events))
    loaded = await replica().load(now=NOW + 14_000.0)
    assert loaded.events == ()
    kept = {
        place: fields
        for place, fields in expected(everything).items()
        if place[1] != "5m" or int(str(place[2])) > NOW + 14_000.0 - 16 * 300.0
    }
    assert counted(loaded) == kept


async def test_slices_are_written_while_running_and_not_only_at_the_end(replica: Replicas) -> None:
    one = replica()
    await one.load(now=NOW)
    one.publish(outcome())
    for later in range(3):
        await one.exchange(now=NOW + 5.0 * later, wanted=())
    await one._link.run(one._link.pipeline().delete(one._events))
    assert counted(await replica().load(now=NOW + 10.0)) == expected([outcome()])


async def test_a_late_load_does_not_hand_a_replica_its_own_outcomes(replica: Replicas) -> None:
    one = replica()
    one.publish(outcome())
    await one.exchange(now=NOW, wanted=())
    loaded = await one.load(now=NOW)
    assert loaded.events == ()
    assert counted(loaded) == {}


async def test_every_key_expires_and_lies_in_one_slot(replica: Replicas) -> None:
    one = replica()
    await one.load(now=NOW)
    one.publish(outcome())
    for later in range(3):
        await one.exchange(now=NOW + 5.0 * later, wanted={"fal/pictura"})
    pattern = one._prefix.replace("{", "?").replace("}", "?") + "*"
    link = one._link
    names = (await link.run(link.pipeline().keys(pattern)))[0]
    assert len(names) == 8
    pipe = link.pipeline()
    for name in names:
        pipe.ttl(name)
        assert name.startswith(one._prefix.encode())
        assert name.count(b"{") == 1
    assert all(0 < seconds <= 31 * 86_400 for seconds in await link.run(pipe))


async def test_fields_of_slices_past_keeping_are_removed(replica: Replicas) -> None:
    for hour in range(0, 120, 6):
        now = NOW + 3600.0 * hour
        one = replica()
        await one.load(now=now)
        one.publish(outcome(at=now))
        await one.exchange(now=now, wanted=())
        await one.close()
    link = one._link
    fields = (await link.run(link.pipeline().hkeys(one._hashes.name(KEY, "1h"))))[0]
    assert min(int(field) for field in fields) >= NOW + 3600.0 * (119 - 6 - 48)
    assert len(fields) in (8, 9)


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 200, json.dumps({"at": 1}).encode()])
async def test_entries_that_cannot_be_read_are_left_out_and_counted(replica: Replicas, damage: bytes) -> None:
    one, two = replica(), replica()
    await two.load(now=NOW)
    await two._link.run(two._link.pipeline().xadd(two._events, {b"e": damage}))
    await two._link.run(two._link.pipeline().xadd(two._events, {b"other": b"x"}))
    one.publish(outcome())
    await one.exchange(now=NOW, wanted=())
    assert (await two.exchange(now=NOW, wanted=())).events == (outcome(),)
    assert two.undecodable == 2


async def test_an_entry_that_no_parser_survives_costs_neither_news_nor_a_start(replica: Replicas) -> None:
    one, two = replica(), replica()
    for store in (one, two):
        await store.load(now=NOW)
        await store.exchange(now=NOW, wanted=())
    deep = struct.pack("<QB", 1, 3) + b"bad" + b"N" + struct.pack("<H", 60_000) + b"[" * 60_000
    long = encode_entry("bad", 2, [Outcome(KEY, OutcomeKind.FAILED, NOW, 1e300)])
    for number, damage in enumerate((deep, long, b"")):
        one.publish(outcome(at=NOW - number))
        await one.exchange(now=NOW, wanted=())
        await one._link.run(one._link.pipeline().xadd(one._events, {b"e": damage}))
    assert len((await two.exchange(now=NOW, wanted=())).events) == 3
    assert two.undecodable == 3
    three = replica()
    await three.load(now=NOW)
    assert three.undecodable == 3
    for later in range(3):  # whoever keeps the slices writes them
        for store in (one, two):
            await store.exchange(now=NOW + 5.0 * later, wanted=())
    hour = (await one._link.run(one._link.pipeline().hvals(one._hashes.name(KEY, "1h"))))[0]
    assert [decode_slice(data)[0].delivered for data in hour] == [3]


async def test_slices_that_could_not_be_encoded_are_written_with_a_later_exchange(
    replica: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replica()
    await one.load(now=NOW)
    one.publish(outcome())
    await one.exchange(now=NOW, wanted=())
    with monkeypatch.context() as patched:
        patched.setattr(Slice, "pack", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await one.exchange(now=NOW + 5.0, wanted=())
    for later in (6.0, 11.0):  # so close that the store does not take this replica for gone, and writes all anew
        await one.exchange(now=NOW + later, wanted=())
    pipe = one._link.pipeline()
    for granularity in KEPT:
        pipe.hlen(one._hashes.name(KEY, granularity))
    assert await one._link.run(pipe) == [1, 1, 1]


async def test_how_far_the_servers_clock_is_ahead_is_known_after_an_exchange(replica: Replicas) -> None:
    one = replica()
    assert one.ahead_s == 0.0
    await one.exchange(now=time.time() - 300.0, wanted=())
    assert one.ahead_s == pytest.approx(300.0, abs=2.0)


async def test_slices_that_cannot_be_read_are_left_out_and_counted(replica: Replicas) -> None:
    one = replica()
    await one.load(now=NOW)
    one.publish(outcome())
    await one.exchange(now=NOW, wanted=())
    await one.close()
    hour = int(NOW) - int(NOW) % 3600
    damaged = {str(hour - 3600 * 3): b"\x01", str(hour): b"", "x": b"y", str(hour - 1): b"z"}
    pipe = one._link.pipeline().hset(one._hashes.name(KEY, "1h"), mapping=damaged)
    await one._link.run(pipe.zadd(one._hashes.index, {"nonsense": NOW}).delete(one._events))
    two = replica()
    found = counted(await two.load(now=NOW))
    assert {place[1] for place in found} == {"5m", "1d"}
    assert two.undecodable == 5


async def test_an_outcome_from_the_far_future_is_left_out(replica: Replicas) -> None:
    one, two = replica(), replica()
    await two.load(now=NOW)
    one.publish(outcome(at=NOW + 3600.0))
    await one.exchange(now=NOW, wanted=())
    assert (await two.exchange(now=NOW, wanted=())).events == ()
    assert two.undecodable == 1


async def test_replicas_on_other_prefixes_share_nothing(replica: Replicas, redis_url: str) -> None:
    one = replica()
    other = redis_store(redis_url, "test-other")
    await other.load(now=NOW)
    one.publish(outcome())
    await one.exchange(now=NOW, wanted={"fal/pictura"})
    news = await other.exchange(now=NOW, wanted={"fal/pictura"})
    assert (news.events, news.replicas, set(news.granted)) == ((), 1, {"fal/pictura"})
    await other.release({"fal/pictura"})
    await other.close()
