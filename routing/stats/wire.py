"""Wire: events and slices as bytes, for a store outside the process. A change of form needs a new version of the keys.

An entry carries the events of one replica with that replica's running number, by which readers know an entry that was
sent twice. Numbers of outcomes travel as doubles, so that all replicas fold exactly the same values.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from struct import Struct

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.stats.histogram import BINS
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.slices import LONGEST_S, Slice
from routing.stats.store import Event, Notice

_HEAD = Struct("<QB")
"""The entry's running number and the length of the replica's name, which follows."""
_LENGTH = Struct("<H")
_OUTCOME = Struct("<Bddd")
"""Number of the key in this entry, ``at``, seconds, seconds to the first byte (not a number: unknown)."""
_MARK = Struct("<QQ")
"""The two numbers of an entry's id in the stream."""
_KEY, _NOTICE = b"K", b"N"
_KINDS = {OutcomeKind.DELIVERED: b"D", OutcomeKind.FAILED: b"F", OutcomeKind.REFUSED: b"R"}
_KIND_OF = {mark: kind for kind, mark in _KINDS.items()}
EVENTS_PER_ENTRY = 16
"""Events in one entry at most. Small, so that a bound on entries is a bound on memory; large enough that an entry's own
cost is shared. Below 256, as one byte numbers the keys of an entry."""

_DAMAGE = (struct.error, ValueError, ArithmeticError, LookupError, TypeError, RecursionError)
"""What reading bytes that nobody wrote may raise: lists nested without end and numbers of thousands of digits too."""

EntryId = tuple[int, int]
"""Milliseconds and a number within them: how a stream orders its entries."""
START: EntryId = (0, 0)
"""Before every entry."""


class UndecodableError(Exception):
    """These bytes are not what this version writes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Events that one replica sent together."""

    replica: str
    number: int
    """Rises by one with every entry of the replica."""
    events: tuple[Event, ...]


def encode_entry(replica: str, number: int, events: Sequence[Event]) -> bytes:
    """The entry as bytes. Raises ValueError for more than ``EVENTS_PER_ENTRY`` events."""
    if len(events) > EVENTS_PER_ENTRY:
        raise ValueError(f"an entry holds {EVENTS_PER_ENTRY} events, not {len(events)}")
    name = replica.encode()
    parts = [_HEAD.pack(number, len(name)), name]
    keys: dict[StatKey, int] = {}
    for event in events:
        if isinstance(event, Notice):
            parts += [_NOTICE, *_text(_notice_text(event))]
            continue
        position = keys.get(event.key)
        if position is None:
            position = keys[event.key] = len(keys)
            parts += [_KEY, *_text(encode_key(event.key))]
        first_byte = nan if event.first_byte_s is None else event.first_byte_s
        parts += [_KINDS[event.kind], _OUTCOME.pack(position, event.at, event.seconds, first_byte)]
    return b"".join(parts)


def decode_entry(data: bytes, *, latest: float) -> Entry:
    """The entry ``encode_entry`` wrote. Raises UndecodableError, also for an event said to be after ``latest``.

    ``latest`` (unix seconds) is there because one replica with a wrong clock would age everybody's statistics at once.
    """
    try:
        return _decoded(data, latest)
    except _DAMAGE as error:
        raise UndecodableError("not an entry of this version") from error


def _decoded(data: bytes, latest: float) -> Entry:
    number, length = _HEAD.unpack_from(data)
    place = _HEAD.size + length
    if place > len(data):
        raise ValueError("cut short")
    replica = data[_HEAD.size : place].decode()
    keys: list[StatKey] = []
    events: list[Event] = []
    while place < len(data):
        tag = data[place : place + 1]
        place += 1
        if tag in (_KEY, _NOTICE):
            (length,) = _LENGTH.unpack_from(data, place)
            place += _LENGTH.size + length
            if place > len(data):
                raise ValueError("cut short")
            text = data[place - length : place].decode()
            if tag == _KEY:
                keys.append(decode_key(text))
            else:
                events.append(_notice(text))
        else:
            kind = _KIND_OF[tag]
            position, at, seconds, first_byte = _OUTCOME.unpack_from(data, place)
            place += _OUTCOME.size
            first_byte_s = None if isnan(first_byte) else first_byte
            if not (0.0 <= seconds <= LONGEST_S and (first_byte_s is None or 0.0 <= first_byte_s <= LONGEST_S)):
                raise ValueError("not a duration")
            events.append(Outcome(keys[position], kind, at, seconds, first_byte_s))
    if not all(0.0 <= event.at <= latest for event in events):
        raise ValueError("not a time of the past")
    return Entry(replica, number, tuple(events))


def encode_key(key: StatKey) -> str:
    """The key as text."""
    return f"{key.offer}|{key.operation.value}|{'' if key.resolution is None else key.resolution.value}"


def decode_key(text: str) -> StatKey:
    """The key of this text. Raises ValueError when it is none."""
    offer, operation, resolution = text.rsplit("|", 2)
    return StatKey(offer, Operation(operation), Resolution(resolution) if resolution else None)


def encode_slice(slice: Slice, through: EntryId) -> bytes:
    """The slice as bytes, with the last entry that it counts."""
    return _MARK.pack(*through) + slice.pack()


def decode_slice(data: bytes) -> tuple[Slice, EntryId]:
    """What ``encode_slice`` wrote. Raises UndecodableError."""
    try:
        milliseconds, number = _MARK.unpack_from(data)
        found = Slice.unpack(data[_MARK.size :])
    except _DAMAGE as error:
        raise UndecodableError("not a slice of this version") from error
    if max((*found.seconds.bins, *found.first_byte.bins), default=0) >= BINS:
        raise UndecodableError("not a histogram of this version")
    if not found.plausible:
        raise UndecodableError("not counts of tries")
    return found, (milliseconds, number)


def _text(text: str) -> tuple[bytes, bytes]:
    data = text.encode()
    return _LENGTH.pack(len(data)), data


def _notice_text(notice: Notice) -> str:
    health, breaker = notice.health, notice.breaker
    out = None if health.out_fault is None else health.out_fault.value
    last = None if health.last_fault is None else health.last_fault.value
    return json.dumps(
        [
            notice.offer,
            notice.at,
            [health.blocked_until, out, health.out_since, health.next_probe_at, last],
            [breaker.score, breaker.opened_at, breaker.open_until, breaker.open_s, breaker.closed_at],
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    )


def _notice(text: str) -> Notice:
    offer, at, (blocked_until, out, out_since, next_probe_at, last), numbers = json.loads(text)
    times = [float(number) for number in (at, blocked_until, out_since, next_probe_at, *numbers)]
    if not (isinstance(offer, str) and all(map(isfinite, times)) and len(times) == 9):
        raise ValueError("not a notice")
    health = Health(
        blocked_until=times[1],
        out_fault=None if out is None else Fault(out),
        out_since=times[2],
        next_probe_at=times[3],
        last_fault=None if last is None else Fault(last),
    )
    return Notice(offer, times[0], health, Breaker(*times[4:]))
