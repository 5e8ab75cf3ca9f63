"""A Redis for the tests of stores, and stores that are closed afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from routing.stats.memory import MemoryStore
from routing.stats.redis_store import RedisStore
from routing.stats.store import StatsStore
from tests.redis_server import RedisServer, own_redis, some_redis
from tests.stores.making import fresh_prefix, redis_store

Replicas = Callable[[], RedisStore]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with some_redis() as url:
        yield url


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with own_redis() as own:
        yield own


@pytest_asyncio.fixture
async def replica(redis_url: str) -> AsyncIterator[Replicas]:
    """Makes stores of one gateway's replicas."""
    made: list[RedisStore] = []
    prefix = fresh_prefix()

    def make() -> RedisStore:
        made.append(redis_store(redis_url, prefix))
        return made[-1]

    yield make
    for store in made:
        await store.close()


@pytest_asyncio.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[StatsStore]:
    made: StatsStore = MemoryStore() if request.param == "memory" else redis_store(redis_url, fresh_prefix())
    yield made
    await made.close()
