"""Store: where replicas of the gateway share what they see; the words only. ``memory`` and ``redis_store`` keep it.

Replicas share outcomes, not figures: each folds those of all, so that the figures of every replica are those of one
process that had seen everything. What was measured longer ago than the last minutes is shared as slices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeAlias

from routing.breaker import Breaker
from routing.health import Health
from routing.stats.outcome import Outcome, StatKey
from routing.stats.slices import Slice

RECENT_S = 900.0
"""Seconds of outcomes a replica that starts is handed one by one: as long as ten-second slices are kept."""

StoredSlice: TypeAlias = tuple[StatKey, str, int, Slice]
"""A key, a granularity as in ``windows.GRANULARITIES``, the unix second the slice starts at, and the slice."""

_NO_LEASES: Mapping[str, float] = MappingProxyType({})


class StoreUnavailableError(Exception):
    """The store cannot be used just now. The message is our own sentence: no address, password or vendor's text."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An offer's health or breaker changed in one replica."""

    offer: str
    """``Offer.key``."""
    at: float
    """Unix seconds, of the clock of the replica that saw it."""
    health: Health
    """Only what is kept between requests travels: the fields up to ``last_fault``; the breaker stands beside it."""
    breaker: Breaker


Event: TypeAlias = Outcome | Notice


@dataclass(frozen=True, slots=True)
class News:
    """What an exchange brought."""

    events: tuple[Event, ...] = ()
    """Of other replicas, each once, in the order in which the store received them."""
    granted: Mapping[str, float] = field(default_factory=lambda: _NO_LEASES)
    """By offer: unix seconds, of this replica's clock, until which it alone may probe it."""
    replicas: int = 1
    """Live replicas, this one included; at least 1."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was known before this replica began. Nothing is in both: events are not counted in the slices."""

    events: tuple[Event, ...] = ()
    """Of the last ``RECENT_S`` seconds, of all replicas and of this one's earlier runs, oldest first."""
    slices: Iterable[StoredSlice] = ()
    """Of five minutes, an hour and a day, those of one key together. May be read once only: it may unpack as it
    goes."""


class StatsStore(Protocol):
    """Shares events, slices and leases between replicas. All times are unix seconds of the replica's own clock."""

    @property
    def sent(self) -> int:
        """Events handed to other replicas so far."""

    @property
    def dropped(self) -> int:
        """Events lost so far because the store was away for too long."""

    @property
    def undecodable(self) -> int:
        """Entries and slices left out so far because they could not be read: damaged, or of a clock gone wrong."""

    def publish(self, event: Event) -> None:
        """Keep an event for the next exchange. Never blocks, never raises; when full the oldest is dropped."""

    async def load(self, *, now: float) -> Loaded:
        """What was known before. To be called once, before the first exchange. Raises StoreUnavailableError."""

    async def exchange(self, *, now: float, wanted: Collection[str]) -> News:
        """Hand over what was published, ask for the leases of the ``wanted`` offers, and read what is new.

        Raises StoreUnavailableError; then nothing is lost, and the next exchange hands the same events over again.
        """

    async def release(self, offers: Collection[str]) -> None:
        """Give leases back, best effort: never raises for a store that is away."""

    async def close(self) -> None:
        """Leave: write what is still to be written, best effort, and close the connections."""
