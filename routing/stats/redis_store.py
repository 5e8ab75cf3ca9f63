"""Redis store: what replicas share, in Redis 6.2 or newer. ``redis_link`` knows the library.

One stream carries the events of all replicas; each replica reads all of it and counts it in its ledger. One of them at
a time, the keeper, writes the ledger's slices down, from which a replica that starts learns what is older than the
stream. Every key carries the version and the one hash tag, so that a pipeline stays in one slot of a cluster; every key
expires. The stream is bounded by ``MAX_ENTRIES``, the slices by how many of each granularity are kept. With 640 keys,
everything full, 22 MB of slices and 14 MB of stream were measured.

No event is counted twice: an entry that is sent again because no answer came, although it had arrived, is left out by
every reader. None is lost either, unless the store is away until the outbox overflows, or forgets before all have read.
After a wipe what the ledger holds is written again; older slices are gone from Redis, not from running replicas.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from contextlib import suppress
from itertools import chain
from typing import Any

from routing.stats.follower import FIELD, Follower, RawEntry, id_of
from routing.stats.ledger import Place, count_apart
from routing.stats.outbox import Outbox
from routing.stats.outcome import StatKey
from routing.stats.redis_link import RedisLink, granted
from routing.stats.slice_hashes import INDEX_S, SliceHashes
from routing.stats.slices import Slice
from routing.stats.store import RECENT_S, Event, Loaded, News, StoreUnavailableError
from routing.stats.wire import START

VERSION = "v1"
"""Of the keys and of what they hold. Replicas of another version share nothing with these."""
LIVE_S = 10.0
"""A replica that was silent for so long is not counted any more."""
MAX_ENTRIES = 12_000
"""Entries in the stream, about. Eight replicas that each send every half second leave 12 minutes; full entries
(192,000 events) take about 15 MB."""
STREAM_S = 1200
"""Seconds entries stay: longer than the recent ones a start reads, so that what was not written down is found."""
ENTRIES_PER_READ = 100
"""Entries read at once. When all are full, counting them holds up the event loop for some 50 ms."""
READS_PER_EXCHANGE = 40
"""A replica that is further behind goes on with its next exchange."""
WRITE_INTERVAL_S = 5.0
"""Between two rounds of writing what changed; the stream holds what a crash leaves unwritten."""
SLICES_PER_EXCHANGE = 50
"""Slices written in one exchange, so that packing them holds up the event loop for a few milliseconds only."""
KEEPER_S = 5.0
"""A keeper that was silent for so long is replaced. Two at once do no harm."""
AWAY_S = 600.0
"""After so long without an exchange the stream may have lost what was not read: open slices are read again."""
TRIM_INTERVAL_S = 10.0
"""Between two clearings of what is past keeping."""
KEYS_PER_READ = 20
"""Keys whose slices are read in one pipeline: about half a megabyte when all are full."""
LEASE_MARGIN_MS = 2000
"""A lease that ends this soon is left to end: it might be another's by the time it is given back."""
SLICES_PER_LAST_WRITE = 200
"""Slices written in one pipeline when this replica leaves."""


class RedisStore:
    """Shares events, slices and leases with every replica on the same Redis and prefix; see ``StatsStore``."""

    def __init__(
        self, url: str, *, replica: str, lease_s: float, prefix: str = "image-gateway", live_s: float = LIVE_S
    ) -> None:
        """``replica`` is a name of at most 255 bytes, new at every start. Raises ValueError for an unusable URL."""
        self._link = RedisLink(url)
        self._replica = replica
        self._lease_ms = max(1, round(lease_s * 1000))
        self._live_s = live_s
        self._prefix = f"{{{prefix}:{VERSION}}}:"
        self._events, self._replicas = self._prefix + "events", self._prefix + "replicas"
        self._keeper = self._prefix + "keeper"
        self._hashes = SliceHashes(self._prefix)
        self._outbox = Outbox(replica)
        self._follower = Follower()
        self._following = False
        self._complete = False
        """Whether the ledger counts everything, so that it may be written down."""
        self._keeping = False
        self._live = 1
        self._to_write: deque[Place] = deque()
        self._round_at = self._trimmed_at = self._exchanged_at = 0.0
        self._ahead_s = 0.0

    def __repr__(self) -> str:
        return f"RedisStore(replica={self._replica!r})"

    @property
    def sent(self) -> int:
        """Events that have arrived."""
        return self._outbox.sent

    @property
    def dropped(self) -> int:
        """Events lost because the store was away for too long."""
        return self._outbox.dropped

    @property
    def undecodable(self) -> int:
        """Entries and slices left out because they could not be read."""
        return self._follower.undecodable + self._hashes.undecodable

    @property
    def ahead_s(self) -> float:
        """Seconds by which the server's clock was ahead of this process's at the last exchange; below zero: behind."""
        return self._ahead_s

    def publish(self, event: Event) -> None:
        """Keep an event for the next exchange."""
        self._outbox.put(event)

    async def load(self, *, now: float) -> Loaded:
        """What was known before; see ``StatsStore``. May be called again after it has failed or was cancelled."""
        self._follower = follower = Follower()
        self._following = self._complete = False
        await self._set_clock(now)
        closed: list[tuple[StatKey, str, int, bytes]] = []
        for keys in _portions(await self._keys(), KEYS_PER_READ):
            pipe = self._link.pipeline()
            for key in keys:
                self._hashes.ask(pipe, key)
            for key, replies in zip(keys, _portions(await self._link.run(pipe), 3), strict=True):
                closed += self._hashes.adopt(key, replies, follower, now=now)
        recent_ms = (now + self._ahead_s - RECENT_S) * 1000
        events: list[Event] = []
        told: dict[Place, Slice] = {}
        page: list[RawEntry] | None = None
        while page is None or len(page) == ENTRIES_PER_READ:
            page = await self._page()
            for (milliseconds, _), entry in follower.read(page, now=now):
                mine = entry.replica == self._replica
                if mine or milliseconds >= recent_ms:
                    count_apart(told, entry.events)
                    events += () if mine else entry.events
        self._following = self._complete = True
        return Loaded(tuple(events), chain(follower.ledger.less(told), self._hashes.unpacked(closed)))

    async def exchange(self, *, now: float, wanted: Collection[str]) -> News:
        """One pipeline to and fro, more only when there is much to read; see ``StatsStore``."""
        await self._catch_up(now)
        follower, offers, entries = self._follower, tuple(wanted), self._outbox.entries()
        written = self._next_to_write(now)
        server_now = now + self._ahead_s
        pipe = self._link.pipeline()
        for data in entries:
            pipe.xadd(self._events, {FIELD: data}, maxlen=MAX_ENTRIES, approximate=True)
        for lease in map(self._lease, offers):
            pipe.set(lease, self._replica, nx=True, px=self._lease_ms).get(lease).pttl(lease)
        pipe.zremrangebyscore(self._replicas, "-inf", server_now - self._live_s)
        pipe.zadd(self._replicas, {self._replica: server_now}).zcard(self._replicas)
        pipe.set(self._keeper, self._replica, nx=True, px=round(KEEPER_S * 1000)).get(self._keeper)
        pipe.time().xrevrange(self._events, count=1).xrange(self._events, self._next_id(), count=ENTRIES_PER_READ)
        pipe.expire(self._events, STREAM_S).expire(self._replicas, round(6 * self._live_s))
        if self._keeping:
            pipe.pexpire(self._keeper, round(KEEPER_S * 1000))
        try:
            self._hashes.write(pipe, written, follower, now=now)
            results = await self._sent(pipe, len(entries))
        except BaseException:
            follower.ledger.unwritten(written)
            raise
        leases, results = results[: 3 * len(offers)], results[3 * len(offers) :]
        _, joined, self._live, _, keeper, time, newest, page = results[:8]
        self._ahead_s = _seconds(time) - now
        self._keeping = keeper == self._replica.encode()
        if joined and self._exchanged_at:
            # Redis has forgotten this replica: either it was silent for long, or all is lost.
            follower.ledger.all_unwritten()
        self._exchanged_at = now
        if follower.begun_anew(id_of(newest[0][0]) if newest else None):
            page = None
        leased = {
            offer: now + left / 1000
            for offer, holder, left in zip(offers, leases[1::3], leases[2::3], strict=True)
            if holder == self._replica.encode() and left > 0
        }
        return News(await self._read_on(page, now), leased, max(1, self._live))

    async def release(self, offers: Collection[str]) -> None:
        """Give leases back, best effort."""
        names = [self._lease(offer) for offer in offers]
        if not names:
            return
        with suppress(StoreUnavailableError):
            pipe = self._link.pipeline()
            for name in names:
                pipe.get(name).pttl(name)
            found = await self._link.run(pipe)
            mine = self._replica.encode()
            ours = [
                name
                for name, holder, left in zip(names, found[::2], found[1::2], strict=True)
                if holder == mine and left > LEASE_MARGIN_MS
            ]
            if ours:
                await self._link.run(self._link.pipeline().delete(*ours))

    async def close(self) -> None:
        """Write what is still to be written, when that falls to this replica, leave, and close the connections."""
        try:
            with suppress(StoreUnavailableError):
                if self._exchanged_at:
                    if self._complete and (self._keeping or self._live <= 1):
                        for portion in _portions(self._follower.ledger.changed(), SLICES_PER_LAST_WRITE):
                            pipe = self._link.pipeline()
                            self._hashes.write(pipe, portion, self._follower, now=self._exchanged_at)
                            await self._link.run(pipe)
                    await self._link.run(self._link.pipeline().zrem(self._replicas, self._replica))
        finally:
            await self._link.close()

    async def _catch_up(self, now: float) -> None:
        """Before the first exchange, and before one after a long absence: where reading goes on."""
        if not self._following:
            await self._set_clock(now)
            newest = (await self._link.run(self._link.pipeline().xrevrange(self._events, count=1)))[0]
            self._follower.last = id_of(newest[0][0]) if newest else START
            self._following = True
        elif self._exchanged_at and abs(now - self._exchanged_at) > AWAY_S:
            for keys in _portions(await self._keys(), KEYS_PER_READ):
                pipe = self._link.pipeline()
                for key in keys:
                    self._hashes.ask_open(pipe, key, now=now)
                for key, replies in zip(keys, _portions(await self._link.run(pipe), 3), strict=True):
                    self._hashes.adopt(key, replies, self._follower, now=now)

    async def _read_on(self, page: list[RawEntry] | None, now: float) -> tuple[Event, ...]:
        """The events of the others on this page and those after it; ends early, not in vain, when the store goes."""
        events: list[Event] = []
        follower = self._follower
        with suppress(StoreUnavailableError):
            for _ in range(READS_PER_EXCHANGE):
                if page is None:
                    page = await self._page()
                for _, entry in follower.read(page, now=now):
                    if entry.replica != self._replica:
                        events += entry.events
                if len(page) < ENTRIES_PER_READ:
                    break
                page = None
            if abs(now - self._trimmed_at) > TRIM_INTERVAL_S:
                self._trimmed_at = now
                follower.ledger.prune(now=now)
                pipe = self._link.pipeline()
                # Servers before 6.2 do not know MINID; there the bound on entries alone holds.
                pipe.xtrim(self._events, minid=round((now + self._ahead_s - STREAM_S) * 1000), approximate=True)
                pipe.zremrangebyscore(self._hashes.index, "-inf", now - INDEX_S)
                await self._link.run(pipe)
        return tuple(events)

    def _next_to_write(self, now: float) -> list[Place]:
        if not (self._keeping and self._complete):
            return []
        if not self._to_write and abs(now - self._round_at) >= WRITE_INTERVAL_S:
            self._round_at = now
            self._to_write.extend(self._follower.ledger.changed())
        return [self._to_write.popleft() for _ in range(min(SLICES_PER_EXCHANGE, len(self._to_write)))]

    def _lease(self, offer: str) -> str:
        return f"{self._prefix}lease:{offer}"

    def _next_id(self) -> str:
        milliseconds, number = self._follower.last
        return f"{milliseconds}-{number + 1}"

    async def _page(self) -> list[RawEntry]:
        pipe = self._link.pipeline().xrange(self._events, self._next_id(), count=ENTRIES_PER_READ)
        page: list[RawEntry] = (await self._link.run(pipe))[0]
        return page

    async def _keys(self) -> list[StatKey]:
        return self._hashes.keys((await self._link.run(self._link.pipeline().zrange(self._hashes.index, 0, -1)))[0])

    async def _set_clock(self, now: float) -> None:
        self._ahead_s = _seconds((await self._link.run(self._link.pipeline().time()))[0]) - now

    async def _sent(self, pipe: Any, entries: int) -> list[Any]:
        """Run a pipeline that begins with so many entries; returns the replies to what follows them."""
        results = await self._link.replies(pipe)
        arrived = 0
        while arrived < entries and not isinstance(results[arrived], Exception):
            arrived += 1
        self._outbox.confirm(arrived)
        return granted(results)[entries:]


def _portions(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6
