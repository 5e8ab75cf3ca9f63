"""A shelf: the most recently used things, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """Keeps what was used last; the longest unused goes first. Not safe for threads on its own."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._things: OrderedDict[Hashable, tuple[int, Thing]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable) -> Thing | None:
        """The thing, now the most recently used, or ``None``."""
        if key not in self._things:
            return None
        self._things.move_to_end(key)
        return self._things[key][1]

    def put(self, key: Hashable, thing: Thing, weight: int) -> None:
        """Keep it; what is heavier than the whole shelf, or already there, is left alone."""
        if weight > self._limit or key in self._things:
            return
        self._things[key] = (weight, thing)
        self._held += weight
        while self._held > self._limit:
            _, (gone, _) = self._things.popitem(last=False)
            self._held -= gone

    def clear(self) -> None:
        """Empty it."""
        self._things.clear()
        self._held = 0
