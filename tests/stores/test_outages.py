"""Redis slow, gone, wiped, restarted, of the wrong kind: what the store says, and that it goes on afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from routing.stats.outbox import MAX_BUFFERED
from routing.stats.redis_store import AWAY_S, STREAM_S, RedisStore
from routing.stats.store import StoreUnavailableError
from tests.redis_server import RedisServer, own_redis
from tests.stores.making import KEY, LEASE_S, NOW, fresh_prefix, notice, outcome, outcomes, redis_store

PREFIX = "test"


@asynccontextmanager
async def left(store: RedisStore) -> AsyncIterator[RedisStore]:
    """Closes the store at the end."""
    try:
        yield store
    finally:
        await store.close()


async def asked(store: RedisStore, command: str, *arguments: Any) -> Any:
    return (await store._link.run(store._link.pipeline().execute_command(command, *arguments)))[0]


async def unavailable(store: RedisStore, *, now: float = NOW) -> str:
    with pytest.raises(StoreUnavailableError) as raised:
        await store.exchange(now=now, wanted=("fal/pictura",))
    assert raised.value.__cause__ is None
    return str(raised.value)


async def test_after_a_kill_and_a_restart_nothing_is_lost_and_nothing_doubled(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one, left(redis_store(server.url, PREFIX)) as two:
        for store in (one, two):
            await store.load(now=NOW)
            await store.exchange(now=NOW, wanted=())
        first, second = outcomes(40), outcomes(40, seed=2)
        for event in first:
            one.publish(event)
        await one.exchange(now=NOW, wanted=())
        assert (await two.exchange(now=NOW, wanted=())).events == tuple(first)
        server.kill()
        for event in second:
            one.publish(event)
        for _ in range(3):
            assert await unavailable(one) == "Redis cannot be reached"
        server.start()
        # A connection kept from before the kill may be found dead first.
        for attempt in range(3):
            try:
                await one.exchange(now=NOW + attempt, wanted=())
                break
            except StoreUnavailableError:
                continue
        assert (await two.exchange(now=NOW + 3.0, wanted=())).events == tuple(second)
        assert (await two.exchange(now=NOW + 4.0, wanted=())).events == ()
        assert (one.dropped, one.sent) == (0, 80)


@pytest.mark.parametrize("busy", [False, True])
async def test_what_the_ledger_holds_is_written_again_after_a_wipe(server: RedisServer, busy: bool) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await one.load(now=NOW)
        one.publish(outcome())
        for later in range(3):
            await one.exchange(now=NOW + 5.0 * later, wanted=())
        await asked(one, "FLUSHALL")
        if busy:
            one.publish(notice())
        for later in range(3, 6):
            await one.exchange(now=NOW + 5.0 * later, wanted=())
        async with left(redis_store(server.url, PREFIX)) as new:
            slices = [found.delivered for *_, found in (await new.load(now=NOW + 30.0)).slices]
            assert slices == [1, 1, 1]


async def test_slices_that_could_not_be_written_are_written_later(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await one.load(now=NOW)
        await asked(one, "SET", one._hashes.name(KEY, "1h"), "something else")
        one.publish(outcome())
        await one.exchange(now=NOW, wanted=())
        assert await unavailable(one) == "a key of the gateway's in Redis holds another type of data"
        await asked(one, "DEL", one._hashes.name(KEY, "1h"))
        await one.exchange(now=NOW + 5.0, wanted=())
        assert await asked(one, "HLEN", one._hashes.name(KEY, "1h")) == 1


async def test_a_keeper_stays_the_keeper_while_it_is_alive(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one, left(redis_store(server.url, PREFIX)) as two:
        for store in (one, two):
            await store.exchange(now=NOW, wanted=())
        await asked(one, "PEXPIRE", one._keeper, 3000)
        await two.exchange(now=NOW, wanted=())
        assert await asked(one, "PTTL", one._keeper) <= 3000
        await one.exchange(now=NOW, wanted=())
        assert await asked(one, "PTTL", one._keeper) > 3000


async def test_a_stream_whose_ids_went_back_is_read_from_its_beginning(server: RedisServer) -> None:
    """As after a wipe of a server whose clock was ahead."""
    async with left(redis_store(server.url, PREFIX)) as one, left(redis_store(server.url, PREFIX)) as two:
        await one.load(now=NOW)
        await two.load(now=NOW)
        tomorrow = round((time.time() + 86_400) * 1000)
        await asked(one, "XADD", one._events, f"{tomorrow}-0", "e", b"")
        await two.exchange(now=NOW, wanted=())
        await one.exchange(now=NOW, wanted=())
        await asked(one, "FLUSHALL")
        one.publish(outcome())
        await one.exchange(now=NOW, wanted=())
        one.publish(outcome(at=NOW - 1.0))
        await one.exchange(now=NOW, wanted=())
        assert (await two.exchange(now=NOW, wanted=())).events == (outcome(), outcome(at=NOW - 1.0))
        assert (await two.exchange(now=NOW, wanted=())).events == ()


async def test_entries_sent_twice_because_no_answer_came_count_once(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one, left(redis_store(server.url, PREFIX)) as two:
        await one.load(now=NOW)
        await two.load(now=NOW)
        one.publish(outcome())
        with server.stalled():
            began = time.monotonic()
            assert await unavailable(one) == "Redis does not answer in time"
            assert time.monotonic() - began < 10.0
        one.publish(outcome(at=NOW - 1.0))
        await one.exchange(now=NOW, wanted=())
        assert await asked(one, "XLEN", one._events) == 3
        assert (await two.exchange(now=NOW, wanted=())).events == (outcome(), outcome(at=NOW - 1.0))
        for later in range(3):
            await one.exchange(now=NOW + 5.0 * later, wanted=())
        await asked(one, "DEL", one._events)
        async with left(redis_store(server.url, PREFIX)) as new:
            loaded = await new.load(now=NOW)
            assert sum(found.delivered for _, granularity, _, found in loaded.slices if granularity == "1d") == 2


async def test_an_exchange_that_was_cancelled_leaves_no_answer_behind_for_the_next(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one, left(redis_store(server.url, PREFIX)) as two:
        await two.load(now=NOW)
        await one.exchange(now=NOW, wanted=())
        one.publish(outcome())
        with server.stalled(), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await one.exchange(now=NOW, wanted={"fal/pictura"})
        for later in range(3):
            news = await one.exchange(now=NOW + later, wanted={"fal/pictura"})
            assert (news.replicas, set(news.granted)) == (1, {"fal/pictura"})
        assert one.sent == 1
        assert (await two.exchange(now=NOW, wanted=())).events == (outcome(),)


async def test_a_pause_of_all_clients_is_over_after_the_time_limit(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await one.load(now=NOW)
        await asked(one, "CLIENT", "PAUSE", 5000)
        assert await unavailable(one) == "Redis does not answer in time"


@pytest.mark.parametrize("key", ["events", "replicas", "keeper", "lease:fal/pictura"])
async def test_a_key_of_another_type_is_said_and_ends_when_it_is_removed(server: RedisServer, key: str) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await one.load(now=NOW)
        name = one._prefix + key
        await asked(one, "DEL", name)
        await asked(one, "SADD", name, "something else")
        one.publish(outcome())
        assert await unavailable(one) == "a key of the gateway's in Redis holds another type of data"
        await asked(one, "DEL", name)
        await one.exchange(now=NOW, wanted=())
        assert one.sent == 1
        assert await asked(one, "XLEN", one._events) in (1, 2)


@pytest.mark.parametrize("key", ["keys", "events"])
async def test_a_load_says_so_as_well(server: RedisServer, key: str) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await asked(one, "SET", one._prefix + key, "something else")
        with pytest.raises(StoreUnavailableError, match="another type of data"):
            await one.load(now=NOW)
        await asked(one, "DEL", one._prefix + key)
        await one.load(now=NOW)


async def test_a_server_without_streams_is_said_to_be_too_old() -> None:
    with own_redis("--rename-command", "XADD", "", "--rename-command", "XRANGE", "") as server:
        async with left(redis_store(server.url, PREFIX)) as one:
            one.publish(outcome())
            assert await unavailable(one) == "this Redis lacks a command: 6.2 or newer is needed"


async def test_a_full_server_is_said_to_be_full(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await one.load(now=NOW)
        await asked(one, "CONFIG", "SET", "maxmemory", 1)
        one.publish(outcome())
        assert await unavailable(one) == "Redis is full"
        await asked(one, "CONFIG", "SET", "maxmemory", 0)
        await one.exchange(now=NOW, wanted=())
        assert one.sent == 1


async def test_no_message_and_no_repr_shows_the_address_or_the_password() -> None:
    with own_redis("--requirepass", "right-secret") as server:
        address = f"127.0.0.1:{server.port}"
        for url, message in {
            f"redis://:wrong-secret@{address}/0": "Redis refuses the user or the password",
            f"redis://{address}/0": "Redis asks for a password",
            "redis://:wrong-secret@127.0.0.1:1/0": "Redis cannot be reached",
        }.items():
            async with left(redis_store(url, PREFIX)) as store:
                assert await unavailable(store) == message
                assert "secret" not in repr(store) + repr(store._link) + repr(vars(store))
        async with left(redis_store(f"redis://:right-secret@{address}/0", PREFIX)) as store:
            await store.exchange(now=NOW, wanted=())


@pytest.mark.parametrize(
    "url", ["", "http://:secret@127.0.0.1/0", "redis://:secret@127.0.0.1:port/0", "127.0.0.1:6379"]
)
def test_an_unusable_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of a Redis") as raised:
        RedisStore(url, replica="one", lease_s=LEASE_S)
    assert raised.value.__cause__ is None
    assert "secret" not in str(raised.value)


async def test_what_is_published_meanwhile_is_bounded_and_what_is_lost_counted() -> None:
    async with left(redis_store("redis://127.0.0.1:1/0", PREFIX)) as store:
        for number in range(MAX_BUFFERED + 10):
            store.publish(outcome(at=NOW + number))
        assert store.dropped == 10
        await unavailable(store)


async def test_a_replica_that_was_away_for_long_takes_up_what_others_wrote_meanwhile(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one, left(redis_store(server.url, PREFIX)) as two:
        for store in (one, two):
            await store.load(now=NOW)
            await store.exchange(now=NOW, wanted=())
        late = NOW + AWAY_S + 1.0
        two.publish(outcome(at=late))
        await two.exchange(now=late, wanted=())
        await two.close()  # the only one alive, so it writes its slices down
        await asked(one, "DEL", one._events)
        one.publish(outcome(at=late + 20.0))
        for later in range(3):
            await one.exchange(now=late + 20.0 + 5.0 * later, wanted=())
        await one.close()
        async with left(redis_store(server.url, PREFIX)) as new:
            await asked(new, "DEL", new._events)
            loaded = await new.load(now=late + 30.0)
            assert sum(found.delivered for _, granularity, _, found in loaded.slices if granularity == "1d") == 2


async def test_what_is_past_keeping_in_the_stream_is_trimmed(server: RedisServer) -> None:
    async with left(redis_store(server.url, PREFIX)) as one:
        await one.load(now=NOW)
        long_ago = round((time.time() - STREAM_S - 10.0) * 1000)
        pipe = one._link.pipeline()
        for number in range(1000):
            pipe.execute_command("XADD", one._events, f"{long_ago}-{number + 1}", "e", b"x" * 100)
        await one._link.run(pipe)
        await one.exchange(now=NOW, wanted=())
        assert await asked(one, "XLEN", one._events) < 150


async def test_a_store_whose_redis_is_gone_can_be_closed(server: RedisServer) -> None:
    one = redis_store(server.url, fresh_prefix())
    await one.load(now=NOW)
    one.publish(outcome())
    await one.exchange(now=NOW, wanted={"fal/pictura"})
    server.kill()
    await one.release({"fal/pictura"})
    await one.close()
