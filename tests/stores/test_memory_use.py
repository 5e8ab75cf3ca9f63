"""How much of Redis's memory the statistics take when everything there can be is there."""

from __future__ import annotations

import random
from math import exp
from typing import Any

import pytest

from providers.spec.request import Operation, Resolution
from routing.stats.follower import Follower
from routing.stats.ledger import KEPT
from routing.stats.outcome import OutcomeKind, StatKey
from routing.stats.redis_store import ENTRIES_PER_READ, MAX_ENTRIES, RedisStore
from routing.stats.slices import Entry, Slice
from routing.stats.wire import EVENTS_PER_ENTRY, START, encode_entry
from tests.redis_server import RedisServer
from tests.stores.making import NOW, notice, outcome, redis_store

BOUND_BYTES = 60_000_000
KEYS = [
    StatKey(f"{provider}/gemini-3-pro-image-{model:02}", operation, resolution)
    for provider in ("gemini", "vertex", "fal", "replicate")
    for model in range(20)
    for operation in Operation
    for resolution in Resolution
]
SAMPLES = {"5m": 25, "1h": 300, "1d": 7200}
"""Of each key, as at 53 requests a second over all."""


def busy(granularity: str, dice: random.Random) -> Slice:
    """A slice with as many samples, as widely spread as a provider's latency is."""
    made = Slice()
    for _ in range(SAMPLES[granularity]):
        kind = dice.choices(list(OutcomeKind), (0.9, 0.07, 0.03))[0]
        made.add(Entry(outcome(seconds=exp(dice.gauss(2.6, 0.4)), kind=kind)))
    return made


async def used(store: RedisStore) -> int:
    info: dict[str, Any] = (await store._link.run(store._link.pipeline().info("memory")))[0]
    return int(info["used_memory"])


async def fill_slices(store: RedisStore) -> None:
    """Every slice of every key, written the way the keeper does."""
    dice = random.Random(7)
    shapes = {granularity: [busy(granularity, dice) for _ in range(4)] for granularity in KEPT}
    for key in KEYS:
        follower = Follower()
        places = []
        for granularity, kept in KEPT.items():
            newest = int(NOW) - int(NOW) % kept.span_s
            for number in range(kept.kept):
                place = (key, granularity, newest - number * kept.span_s)
                follower.ledger.adopt(place, dice.choice(shapes[granularity]), START, counted=START)
                places.append(place)
        pipe = store._link.pipeline()
        store._hashes.write(pipe, places, follower, now=NOW)
        await store._link.run(pipe)


async def fill_stream(store: RedisStore) -> None:
    """More full entries than are kept, each with a different key for every event."""
    dice = random.Random(8)
    for first in range(0, MAX_ENTRIES + 1000, ENTRIES_PER_READ):
        pipe = store._link.pipeline()
        for number in range(ENTRIES_PER_READ):
            events = [outcome(key=key) for key in dice.sample(KEYS, EVENTS_PER_ENTRY)]
            data = encode_entry("replica", first + number + 1, events)
            pipe.xadd(store._events, {"e": data}, maxlen=MAX_ENTRIES, approximate=True)
        await store._link.run(pipe)


@pytest.mark.slow
async def test_four_providers_with_twenty_models_stay_under_sixty_megabytes(server: RedisServer) -> None:
    assert len(KEYS) == 640
    store = redis_store(server.url, "test")
    empty = await used(store)
    await fill_slices(store)
    slices = await used(store) - empty
    await fill_stream(store)
    for key in KEYS:
        store.publish(notice(key.offer))
    await store.exchange(now=NOW, wanted={key.offer for key in KEYS})
    everything = await used(store) - empty
    print(f"slices {slices / 1e6:.1f} MB, all {everything / 1e6:.1f} MB")
    assert 10_000_000 < slices < everything < BOUND_BYTES
    await store.close()


@pytest.mark.slow
async def test_all_of_that_is_loaded_in_seconds(server: RedisServer) -> None:
    store = redis_store(server.url, "test")
    await fill_slices(store)
    loaded = await store.load(now=NOW)
    assert sum(1 for _ in loaded.slices) == len(KEYS) * sum(kept.kept for kept in KEPT.values())
    assert store.undecodable == 0
    await store.close()
