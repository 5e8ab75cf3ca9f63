"""What every store promises, over memory and a real Redis."""

from __future__ import annotations

from routing.stats.store import StatsStore
from tests.stores.making import NOW, notice, outcome


async def test_a_first_start_finds_nothing(store: StatsStore) -> None:
    loaded = await store.load(now=NOW)
    assert loaded.events == ()
    assert list(loaded.slices) == []


async def test_a_replica_on_its_own_is_one_of_one(store: StatsStore) -> None:
    await store.load(now=NOW)
    assert (await store.exchange(now=NOW, wanted=())).replicas == 1


async def test_a_replica_is_never_told_its_own_news(store: StatsStore) -> None:
    await store.load(now=NOW)
    store.publish(outcome())
    store.publish(notice())
    for later in range(3):
        assert (await store.exchange(now=NOW + later, wanted=())).events == ()


async def test_a_replica_on_its_own_is_granted_every_lease_at_once(store: StatsStore) -> None:
    granted = (await store.exchange(now=NOW, wanted={"gemini/pictura", "fal/pictura"})).granted
    assert set(granted) == {"gemini/pictura", "fal/pictura"}
    assert all(until > NOW + 50.0 for until in granted.values())


async def test_nothing_is_granted_that_was_not_asked_for(store: StatsStore) -> None:
    assert (await store.exchange(now=NOW, wanted=())).granted == {}


async def test_leases_can_be_given_back_also_by_one_that_has_none(store: StatsStore) -> None:
    await store.release({"gemini/pictura"})


async def test_nothing_is_counted_as_lost(store: StatsStore) -> None:
    for _ in range(100):
        store.publish(outcome())
    await store.exchange(now=NOW, wanted=())
    assert (store.dropped, store.undecodable) == (0, 0)


async def test_a_store_that_was_never_used_can_be_closed_twice(store: StatsStore) -> None:
    await store.close()
    await store.close()
