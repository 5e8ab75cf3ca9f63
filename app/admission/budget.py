"""Budget: bytes of bodies held at once. Uploads wait for room in it; what is paid for never does.

A request's bytes are counted as they arrive, whatever a header claims, and until the request is over: its upload, input
images fetched for it, vendors' replies. What is made of a body here takes its place and is not counted beside it.

Three rules. An upload is read on only while there is room, the oldest first. Nobody is admitted while what was admitted
before holds everything. A vendor's reply is always taken, for it may be paid: it overdraws. Answers that their clients
are reading count for half of the budget at most, so that slow ones alone keep nobody out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from enum import Enum, IntEnum

PIECE = 256 * 1024
"""Bytes an upload that is woken is taken to bring before it asks again; as many as are read from a socket at once."""


class Phase(IntEnum):
    """How far a request has come."""

    ARRIVING = 0
    """Not admitted: its body comes, or it waits in the queue."""
    IN_FLIGHT = 1
    ANSWERING = 2
    """Its answer is made and being read."""


ARRIVING, IN_FLIGHT, ANSWERING = Phase.ARRIVING, Phase.IN_FLIGHT, Phase.ANSWERING
"""By name: asked of its class, a member costs as much as a call."""


class Room(Enum):
    """What an upload that waited for room is told."""

    THERE_IS = "there is"
    NONE_WILL_BE = "none will be"
    """All that hold bytes wait for each other, and this one is the youngest."""


class Holder:
    """What one request holds. ``number``: the order in which requests came."""

    __slots__ = ("held", "number", "phase", "wake")

    def __init__(self, number: int) -> None:
        self.number = number
        self.held = 0
        self.phase = ARRIVING
        self.wake: Callable[[Room], None] | None = None
        """Set while it waits for room."""


class Budget:
    """Mutable, no clock. ``most`` is in bytes."""

    __slots__ = ("_bytes", "_half", "_holders", "_numbers", "_waiting", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._half = most // 2
        self._bytes = [0, 0, 0]
        self._holders = 0
        self._numbers: list[int] = []
        """Of those that wait, the oldest first."""
        self._waiting: dict[int, Holder] = {}

    @property
    def waiting(self) -> int:
        """Uploads that wait for room."""
        return len(self._numbers)

    @property
    def half_full(self) -> bool:
        """Whether what is held, all of it, is half of the budget or more."""
        arriving, in_flight, answering = self._bytes
        return arriving + in_flight + answering >= self._half

    def held(self, phase: Phase) -> int:
        """Bytes that requests of this phase hold."""
        return self._bytes[phase]

    def admits(self) -> bool:
        """Whether another request may be admitted."""
        _, in_flight, answering = self._bytes
        return in_flight + answering < self.most or in_flight + self._half < self.most

    def took(self, holder: Holder, count: int) -> None:
        """Bytes came."""
        if not holder.held:
            self._holders += 1
        holder.held += count
        self._bytes[holder.phase] += count

    def gave_back(self, holder: Holder, count: int) -> None:
        """Bytes were dropped that had come."""
        holder.held -= count
        self._bytes[holder.phase] -= count
        if not holder.held:
            self._holders -= 1
        if self._numbers:
            self.settle()

    def moved(self, holder: Holder, phase: Phase) -> None:
        """The request has come further."""
        self._bytes[holder.phase] -= holder.held
        self._bytes[phase] += holder.held
        holder.phase = phase
        if self._numbers:
            self.settle()

    def gone(self, holder: Holder) -> None:
        """The request is over; it holds and waits for nothing."""
        if holder.wake is not None:
            self.stop_waiting(holder)
        if holder.held:
            self.gave_back(holder, holder.held)

    def may_read(self, holder: Holder) -> bool:
        """Whether more of this upload may be read now."""
        if self._full(0):
            return False
        if not self._numbers:
            return True
        if self._numbers[0] < holder.number:
            return False
        self.settle()
        return True

    def wait(self, holder: Holder, wake: Callable[[Room], None]) -> None:
        """Wait for room; it may come at once. The holder must hold something. It keeps its turn until it is woken."""
        holder.wake = wake
        self._waiting[holder.number] = holder
        self._numbers.insert(bisect_left(self._numbers, holder.number), holder.number)
        self.settle()

    def stop_waiting(self, holder: Holder) -> None:
        """Wait no longer. Does nothing for one that does not wait."""
        if self._waiting.pop(holder.number, None) is not None:
            del self._numbers[bisect_left(self._numbers, holder.number)]
            holder.wake = None
            self.settle()

    def settle(self) -> None:
        """Wake uploads as far as there is room. Where there is none and all that hold bytes wait, none would come: the
        youngest is told so, for the others have brought more."""
        if not self._numbers:
            return
        woken = 0
        while self._numbers and not self._full(woken * PIECE):
            self._tell(self._numbers[0], Room.THERE_IS)
            woken += 1
        if self._numbers and self._holders == len(self._numbers):
            self._tell(self._numbers[-1], Room.NONE_WILL_BE)

    def _full(self, more: int) -> bool:
        arriving, in_flight, answering = self._bytes
        return arriving + in_flight + min(answering, self._half) + more >= self.most

    def _tell(self, number: int, room: Room) -> None:
        holder = self._waiting.pop(number)
        del self._numbers[bisect_left(self._numbers, number)]
        wake, holder.wake = holder.wake, None
        if wake is not None:
            wake(room)
