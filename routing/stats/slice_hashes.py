"""Slice hashes: how slices lie in a store of hashes: one per key and granularity, a field for each start.

Knows names, forms and lifetimes, and queues commands on pipelines it is handed; it talks to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from routing.stats.follower import MAX_AHEAD_S, Follower
from routing.stats.ledger import KEPT, Place, is_open
from routing.stats.outcome import StatKey
from routing.stats.store import StoredSlice
from routing.stats.wire import UndecodableError, decode_key, decode_slice, encode_key, encode_slice

INDEX_S = 31 * 86_400
"""How long a key without outcomes stays in the index: a day longer than its last slice."""

_MAX_DIGITS = 12
"""Of a start in unix seconds: enough for 30,000 years. Numbers without a bound cannot be read at all."""


class Commands(Protocol):
    """A pipeline, as far as it is used here."""

    def hset(self, name: str, key: str, value: bytes) -> Any: ...
    def hdel(self, name: str, *keys: str) -> Any: ...
    def hgetall(self, name: str) -> Any: ...
    def hmget(self, name: str, keys: Sequence[str]) -> Any: ...
    def expire(self, name: str, time: int) -> Any: ...
    def zadd(self, name: str, mapping: Mapping[str, float]) -> Any: ...


class SliceHashes:
    """The hashes under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.index = prefix + "keys"
        """Name of the sorted set of all keys there are slices of, by the time of their last writing."""
        self.undecodable = 0
        self._prefix = prefix
        self._newest: dict[tuple[StatKey, str], int] = {}
        """The newest start written so far, by hash."""

    def name(self, key: StatKey, granularity: str) -> str:
        """Of the hash."""
        return f"{self._prefix}{granularity}:{encode_key(key)}"

    def write(self, pipe: Commands, written: Iterable[Place], follower: Follower, *, now: float) -> None:
        """Queue the writing of these slices of the follower's ledger."""
        keys: dict[str, float] = {}
        for place in written:
            found = follower.ledger.written(place)
            if found is None:
                continue
            key, granularity, start = place
            span_s, kept = KEPT[granularity].span_s, KEPT[granularity].kept
            name = self.name(key, granularity)
            pipe.hset(name, str(start), encode_slice(found, follower.last))
            if start > self._newest.get((key, granularity), 0):
                self._newest[key, granularity] = start
                # The hash expires when nothing is written for as long as slices are kept, so that none in it can be
                # older than twice that, and all names of old ones are known.
                old = range(start - (2 * kept + 3) * span_s, start - kept * span_s, span_s)
                pipe.hdel(name, *map(str, old))
            pipe.expire(name, (kept + 1) * span_s)
            keys[encode_key(key)] = now
        if keys:
            pipe.zadd(self.index, keys)
            pipe.expire(self.index, INDEX_S)

    def keys(self, names: Iterable[bytes]) -> list[StatKey]:
        """The keys of the index's members."""
        found = []
        for name in names:
            try:
                found.append(decode_key(name.decode()))
            except ValueError:
                self.undecodable += 1
        return found

    def ask(self, pipe: Commands, key: StatKey) -> None:
        """Queue the reading of all slices of a key: one reply for each granularity."""
        for granularity in KEPT:
            pipe.hgetall(self.name(key, granularity))

    def ask_open(self, pipe: Commands, key: StatKey, *, now: float) -> None:
        """The same for the open slices alone."""
        for granularity in KEPT:
            pipe.hmget(self.name(key, granularity), [str(start) for start in _open_starts(granularity, now)])

    def adopt(
        self, key: StatKey, replies: Sequence[Any], follower: Follower, *, now: float
    ) -> list[tuple[StatKey, str, int, bytes]]:
        """Take the open slices among the replies into the ledger; returns the closed ones, still packed."""
        closed = []
        for (granularity, kept), reply in zip(KEPT.items(), replies, strict=True):
            if isinstance(reply, dict):
                fields = reply
            else:
                fields = dict(zip(map(_digits, _open_starts(granularity, now)), reply, strict=True))
            for text, data in fields.items():
                if data is None:
                    continue
                start = _start_of(text, kept.span_s)
                # One slice from far ahead would push all others out of the windows.
                if start is None or start > now + MAX_AHEAD_S:
                    self.undecodable += 1
                    continue
                if is_open(granularity, start, now=now):
                    self._adopt((key, granularity, start), data, follower)
                elif start > now - (kept.kept + 1) * kept.span_s:
                    closed.append((key, granularity, start, data))
        return closed

    def unpacked(self, closed: Iterable[tuple[StatKey, str, int, bytes]]) -> Iterator[StoredSlice]:
        """The slices ``adopt`` left packed, one after the other."""
        for key, granularity, start, data in closed:
            try:
                yield key, granularity, start, decode_slice(data)[0]
            except UndecodableError:
                self.undecodable += 1

    def _adopt(self, place: Place, data: bytes, follower: Follower) -> None:
        try:
            found, through = decode_slice(data)
        except UndecodableError:
            self.undecodable += 1
            return
        follower.ledger.adopt(place, found, through, counted=follower.last)


def _open_starts(granularity: str, now: float) -> list[int]:
    span_s = KEPT[granularity].span_s
    newest = int(now // span_s) * span_s
    starts = []
    while is_open(granularity, newest, now=now):
        starts.append(newest)
        newest -= span_s
    return starts


def _start_of(text: bytes, span_s: int) -> int | None:
    """The start this field names; None when it names none."""
    if len(text) > _MAX_DIGITS or not text.isdigit():
        return None
    start = int(text)
    return None if start % span_s else start


def _digits(start: int) -> bytes:
    return str(start).encode()
