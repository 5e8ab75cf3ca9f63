"""Memory store: one replica on its own. Nothing is shared, and the slow statistics do not survive a restart."""

from __future__ import annotations

from collections.abc import Collection
from math import inf

from routing.stats.store import Event, Loaded, News


class MemoryStore:
    """The store when there is no other replica: what it is told, the board has folded already."""

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0
        self.undecodable = 0

    def publish(self, event: Event) -> None:
        """Nobody else is there to be told."""

    async def load(self, *, now: float) -> Loaded:  # noqa: ARG002 - the store's signature
        """Nothing was kept."""
        return Loaded()

    async def exchange(self, *, now: float, wanted: Collection[str]) -> News:  # noqa: ARG002 - the store's signature
        """Every wanted lease is granted for good, as there is nobody to share it with."""
        return News(granted=dict.fromkeys(wanted, inf))

    async def release(self, offers: Collection[str]) -> None:
        """Nobody else wants it."""

    async def close(self) -> None:
        """Nothing is open."""
