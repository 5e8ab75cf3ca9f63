"""Queue: who waits to be admitted. First come, first served among the requests of one caller; callers take turns.

Those that wait for an offer, once they are admitted, stand in ``routing.line``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum


class Standing(Enum):
    """What became of a place."""

    WAITING = "waiting"
    CALLED = "called"
    """Its turn has come."""
    DROPPED = "dropped"
    """It had to make room for a caller who has fewer."""
    LEFT = "left"


class Place:
    """One request's place in the queue."""

    __slots__ = ("caller", "number", "standing", "wake")

    def __init__(self, number: int, caller: int, wake: Callable[[], None]) -> None:
        self.number = number
        self.caller = caller
        self.standing = Standing.WAITING
        self.wake = wake
        """Called once, when it is called or dropped; it must come back soon and change nothing here."""


class Queue:
    """Mutable, no clock. ``most``: places there are; with 0 nobody waits.

    A full queue takes a newcomer all the same when another caller holds more places than the newcomer's would: that
    one's newest is dropped. So one caller can fill the queue and still keep nobody out of it.
    """

    __slots__ = ("_by_caller", "_count", "_held_back", "_most", "_number", "_turns")

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._number = 0
        # Linked, not plain dicts: the first entry of a plain dict is slow to find once many before it were deleted.
        self._by_caller: dict[int, OrderedDict[int, Place]] = {}
        self._turns: OrderedDict[int, None] = OrderedDict()
        """Callers that wait and may be called, the next one first."""
        self._held_back: set[int] = set()

    def __len__(self) -> int:
        return self._count

    @property
    def anybody(self) -> bool:
        """Whether there is somebody to be called; those held back do not count."""
        return bool(self._turns)

    def join(self, caller: int, wake: Callable[[], None]) -> Place | None:
        """A place behind the caller's others; None when there is none to be had."""
        if self._count >= self._most and not self._made_room(len(self._by_caller.get(caller, ()))):
            return None
        self._number += 1
        place = Place(self._number, caller, wake)
        places = self._by_caller.setdefault(caller, OrderedDict())
        places[place.number] = place
        self._count += 1
        if caller not in self._held_back:
            self._turns.setdefault(caller)
        return place

    def call(self) -> Place | None:
        """The next in turn, no longer waiting and not yet woken; None when there is nobody to be called."""
        if not self._turns:
            return None
        caller, _ = self._turns.popitem(last=False)
        place = next(iter(self._by_caller[caller].values()))
        self._remove(place, Standing.CALLED)
        if caller in self._by_caller:
            self._turns[caller] = None
        return place

    def leave(self, place: Place) -> None:
        """The place is given up. One that no longer waits is left as it is."""
        if place.standing is Standing.WAITING:
            self._remove(place, Standing.LEFT)

    def hold_back(self, caller: int) -> None:
        """Call nobody of this caller's until ``let_on``."""
        self._held_back.add(caller)
        self._turns.pop(caller, None)

    def let_on(self, caller: int) -> None:
        """The caller may be called again; its turn comes after all others'."""
        self._held_back.discard(caller)
        if caller in self._by_caller:
            self._turns.setdefault(caller)

    def _made_room(self, own: int) -> bool:
        if self._most <= 0:
            return False
        longest = max(self._by_caller.values(), key=len)
        if len(longest) <= own + 1:
            return False
        newest = next(reversed(longest.values()))
        self._remove(newest, Standing.DROPPED)
        newest.wake()
        return True

    def _remove(self, place: Place, standing: Standing) -> None:
        place.standing = standing
        places = self._by_caller[place.caller]
        del places[place.number]
        self._count -= 1
        if not places:
            del self._by_caller[place.caller]
            self._turns.pop(place.caller, None)
