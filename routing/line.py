"""Line: first come, first served before offers that are full. One line for all of them; each waits for some."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable


class Place:
    """One request's place in the line."""

    __slots__ = ("keys", "number", "since", "wake")

    def __init__(self, number: int, keys: frozenset[str], since: float, wake: Callable[[], None] | None) -> None:
        self.number = number
        """Order of arrival; smaller is further ahead."""
        self.keys = keys
        """Offers any of which will do, by ``Offer.key``."""
        self.since = since
        """Unix seconds at which it joined."""
        self.wake = wake
        """Called when an offer may have room; it must come back soon and may leave the line."""


class Line:
    """Who waits, in order of arrival. Mutable, no clock.

    A place is kept until ``leave``. Whoever takes a free slot leaves, and has the next one woken if there is more room:
    newcomers stand back for all who wait ahead of them, so a wake that is lost would hold up everybody.
    """

    __slots__ = ("_by_key", "_max_waiting", "_number", "_places")

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._number = 0
        # Linked, not plain dicts: the first entry of a plain dict is slow to find once many before it were deleted.
        self._places: OrderedDict[int, Place] = OrderedDict()
        self._by_key: dict[str, OrderedDict[int, Place]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def join(self, keys: Iterable[str], *, now: float, wake: Callable[[], None] | None = None) -> Place | None:
        """A place behind all others, waiting for any of these offers; None when the line is full."""
        if len(self._places) >= self._max_waiting:
            return None
        self._number += 1
        place = Place(self._number, frozenset(keys), now, wake)
        self._places[place.number] = place
        for key in place.keys:
            waiting = self._by_key.get(key)
            if waiting is None:
                waiting = self._by_key[key] = OrderedDict()
            waiting[place.number] = place
        return place

    def leave(self, place: Place) -> None:
        """The place is given up, served or not. Leaving twice is leaving once."""
        if self._places.pop(place.number, None) is None:
            return
        for key in place.keys:
            waiting = self._by_key[key]
            del waiting[place.number]
            if not waiting:
                del self._by_key[key]

    def release(self, place: Place, keys: Iterable[str]) -> frozenset[str]:
        """The place no longer waits for these, and keeps its turn for the others. What it did wait for among them."""
        gone = place.keys.intersection(keys)
        for key in gone:
            waiting = self._by_key[key]
            del waiting[place.number]
            if not waiting:
                del self._by_key[key]
        place.keys -= gone
        return gone

    def ahead(self, key: str, place: Place | None) -> bool:
        """Whether anybody waits for this offer ahead of ``place``; None stands for a newcomer, behind all."""
        waiting = self._by_key.get(key)
        if waiting is None:
            return False
        return place is None or next(iter(waiting)) < place.number

    def wake_first(self, key: str) -> bool:
        """Wake the first that waits for this offer; False when nobody does. It keeps its place until it leaves."""
        waiting = self._by_key.get(key)
        if waiting is None:
            return False
        first = next(iter(waiting.values()))
        if first.wake is not None:
            first.wake()
        return True
