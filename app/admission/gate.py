"""Gate: who may be carried out now, and who is next when somebody leaves."""

from __future__ import annotations

from collections.abc import Callable

from app.admission.queue import Place, Queue


class Gate:
    """Counts who is inside. Mutable, no clock. Whoever got in, at once or by being called, must ``leave`` once.

    ``most`` requests at once, of which ``per_caller`` of one caller (None: as many; callers are not told apart then).
    ``admits`` says whether anybody may enter at all just now; when it may have changed, ``call`` has to be told.
    """

    __slots__ = ("_admits", "_inside", "_most", "_per_caller", "_queue", "in_flight")

    def __init__(self, *, most: int, per_caller: int | None, queue: Queue, admits: Callable[[], bool]) -> None:
        self.in_flight = 0
        self._most = most
        self._per_caller = per_caller
        self._queue = queue
        self._admits = admits
        self._inside: dict[int, int] = {}
        """By caller; kept only where there is a limit of theirs."""

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def enter(self, caller: int) -> bool:
        """Go in, if that is possible without waiting and nobody waits whose turn it is."""
        if self._queue.anybody:
            self.call()  # it may have become possible to enter without anybody's leaving
            if self._queue.anybody:
                return False
        if self.in_flight >= self._most or not self._admits() or self.at_limit(caller):
            return False
        self._let_in(caller)
        return True

    def at_limit(self, caller: int) -> bool:
        """Whether the caller has as many inside as one caller may."""
        return self._per_caller is not None and self._inside.get(caller, 0) >= self._per_caller

    def join(self, caller: int, wake: Callable[[], None]) -> Place | None:
        """Wait in the queue; None when it is full. One that is called is inside by the time it is woken."""
        return self._queue.join(caller, wake)

    def withdraw(self, place: Place) -> None:
        """Wait no longer. A place that was called is left as it is: it is inside."""
        self._queue.leave(place)

    def leave(self, caller: int) -> None:
        """One of this caller's is inside no more; whoever is next comes in."""
        self.in_flight -= 1
        if self._per_caller is not None:
            left = self._inside.pop(caller) - 1
            if left:
                self._inside[caller] = left
            if left == self._per_caller - 1:
                self._queue.let_on(caller)
        self.call()

    def call(self) -> None:
        """Let in whoever waits, as far as there is room."""
        if not self._queue.anybody:  # as whenever there is room enough
            return
        while self.in_flight < self._most and self._admits() and (place := self._queue.call()) is not None:
            self._let_in(place.caller)
            place.wake()

    def _let_in(self, caller: int) -> None:
        self.in_flight += 1
        if self._per_caller is None:
            return
        inside = self._inside.get(caller, 0) + 1
        self._inside[caller] = inside
        if inside >= self._per_caller:
            self._queue.hold_back(caller)
