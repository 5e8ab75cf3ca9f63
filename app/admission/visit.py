"""Visits: one request's way through admission, from its first byte to the last of its answer.

The way in costs nothing where there is room: a few comparisons, no task, no lock. Whatever a visit takes is given back
when it is closed, however the request ends.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from app.admission.budget import ANSWERING, IN_FLIGHT, Budget, Holder, Room
from app.admission.gate import Gate
from app.admission.limits import AdmissionLimits
from app.admission.queue import Place, Queue, Standing

FREE_BYTES = 64 * 1024
"""Of each body, read whatever the budget says: the server has read that much from the socket before it is asked to, and
no request for an image without pictures is longer."""
LONGEST_RETRY_S = 60
"""Older official clients take no notice of a longer Retry-After and come back within a second."""
_USUAL_S = 20.0
"""Seconds a request is taken to be in flight before one was seen."""
_NEW_SHARE = 0.05
"""Weight of the last request in the mean of how long they are in flight: some twenty count."""


class Reason(StrEnum):
    """Why a request was not admitted."""

    QUEUE_FULL = "queue_full"
    QUEUE_TIME = "queue_time"
    """Its time in the queue was over."""
    KEY_LIMIT = "key_limit"
    """It could not wait, or waited in vain, for its own key to have fewer in flight."""
    BODY_BUDGET = "body_budget"
    """Its body, or that of the answer, found no room in the budget in time."""
    DISK_SPACE = "disk_space"
    """The answer would find none on the disk."""


class NotAdmittedError(Exception):
    """The request is not carried out; nobody was asked and nothing paid. ``retry_after_s``: whole seconds."""

    def __init__(self, reason: Reason, retry_after_s: int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_s = retry_after_s


class AdmissionInstruments(Protocol):
    """What is measured as it happens; the rest is read off the admission."""

    def queued(self, seconds: float, outcome: str) -> None:
        """A request's time in the queue is over: it was admitted, refused, or left."""

    def not_admitted(self, reason: Reason) -> None:
        """A request was refused."""


class Admission:
    """One process's admission. ``clock`` gives seconds, from anywhere; ``draw`` a number from 0 to 1; ``space`` says
    whether there is room on the disk for what is bought now."""

    def __init__(
        self,
        limits: AdmissionLimits,
        instruments: AdmissionInstruments | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        space: Callable[[], bool] = lambda: True,
    ) -> None:
        self.limits = limits
        self.budget = Budget(limits.body_budget)
        self.gate = Gate(
            most=limits.max_in_flight,
            per_caller=limits.max_in_flight_per_key,
            queue=Queue(limits.queue_limit),
            admits=self._admits,
        )
        self.clock = clock
        self.instruments = instruments
        self._draw = draw
        self._space = space
        self._number = 0
        self._mean_s = _USUAL_S

    def visit(self) -> Visit:
        """A request has come."""
        self._number += 1
        return Visit(self._number, self)

    def closed_for(self) -> Reason | None:
        """Why nobody is admitted just now, whatever else there is room for."""
        if not self.budget.admits():
            return Reason.BODY_BUDGET
        return None if self._space() else Reason.DISK_SPACE

    def _admits(self) -> bool:
        return self.budget.admits() and self._space()

    def refusal(self, reason: Reason) -> NotAdmittedError:
        """The refusal for this reason, and when it is worth coming back.

        That is when those who wait now will have been served at the pace of late, and up to half as long again, so that
        all who are refused in one moment do not return in one moment.
        """
        if self.instruments is not None:
            self.instruments.not_admitted(reason)
        ahead = self.gate.waiting + self.budget.waiting + 1
        seconds = ahead * self._mean_s / self.limits.max_in_flight * (1 + self._draw() / 2)
        return NotAdmittedError(reason, max(1, min(math.ceil(seconds), LONGEST_RETRY_S)))

    def was_in_flight(self, seconds: float) -> None:
        """A request was in flight for so long."""
        self._mean_s += (seconds - self._mean_s) * _NEW_SHARE


class Visit(Holder):
    """One request's. Closed once it is over; closing it twice does no harm."""

    __slots__ = ("_admission", "_caller", "_closed", "_entered_at", "_inside", "_place", "_wait_until")

    def __init__(self, number: int, admission: Admission) -> None:
        super().__init__(number)
        self._admission = admission
        self._caller = 0
        self._place: Place | None = None
        self._inside = False
        self._closed = False
        self._entered_at = 0.0
        self._wait_until: float | None = None

    @property
    def limits(self) -> AdmissionLimits:
        """What it is held to."""
        return self._admission.limits

    # What its body and those of its vendors bring.

    @property
    def half_full(self) -> bool:
        """Whether bodies had better lie on disk than in the heap."""
        return self._admission.budget.half_full

    def took(self, count: int) -> None:
        """Bytes of a body came. After the end, when no answer needs them any more, nothing is counted."""
        if not self._closed:
            self._admission.budget.took(self, count)

    def gave_back(self, count: int) -> None:
        """Bytes of a body that came were dropped."""
        if not self._closed:
            self._admission.budget.gave_back(self, count)
            self._admission.gate.call()

    @property
    def largest_body(self) -> int:
        """Bytes of a body that could be held if there were no other."""
        return self._admission.budget.most

    def may_read(self) -> bool:
        """Whether more of the upload may be read now; else wait for room."""
        return self.held < FREE_BYTES or self._admission.budget.may_read(self)

    async def room(self) -> float:
        """Wait for room for the upload; seconds it took. Raises NotAdmittedError when none comes in time."""
        budget = self._admission.budget
        began = self._admission.clock()
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told = Room.NONE_WILL_BE

        def wake(room: Room) -> None:
            nonlocal told
            told = room
            _end(over)

        budget.wait(self, wake)
        try:
            async with asyncio.timeout(self._seconds_to_wait(began)):
                await over
        except TimeoutError:
            pass  # it may have been told in the same moment
        finally:
            budget.stop_waiting(self)
        if told is Room.NONE_WILL_BE:
            raise self._admission.refusal(Reason.BODY_BUDGET)
        return self._admission.clock() - began

    # Its way in.

    def enter(self, caller: int) -> bool:
        """Be admitted, if that is possible without waiting. ``caller`` stands for the key; where keys have no limit of
        their own it matters to nobody but those who wait."""
        self._caller = caller
        if not self._admission.gate.enter(caller):
            return False
        self._entered()
        return True

    async def wait(self, caller: int, limit_s: float) -> float:
        """Wait in the queue until admitted, for at most ``limit_s`` and the time there is for waiting; seconds it took.

        Raises NotAdmittedError.
        """
        self._caller = caller
        gate = self._admission.gate
        loop = asyncio.get_running_loop()
        began = self._admission.clock()
        over: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if self._place is not None and self._place.standing is Standing.CALLED:
                self._entered()
            _end(over)

        self._place = gate.join(self._caller, wake)
        if self._place is None:
            raise self._admission.refusal(self._why(Reason.QUEUE_FULL))
        self._admission.budget.settle()  # its body is whole, so one fewer waits for room
        outcome = "left"
        try:
            try:
                async with asyncio.timeout(min(self._seconds_to_wait(began), limit_s)):
                    await over
            except TimeoutError:
                pass
            outcome = "admitted" if self._inside else "refused"
        finally:
            gate.withdraw(self._place)
            seconds = self._admission.clock() - began
            if self._admission.instruments is not None:
                self._admission.instruments.queued(seconds, outcome)
        if not self._inside:
            dropped = self._place.standing is Standing.DROPPED
            raise self._admission.refusal(self._why(Reason.QUEUE_FULL if dropped else Reason.QUEUE_TIME))
        return seconds

    def answered(self) -> None:
        """Its answer is made: others may be in flight in its stead, and its bytes are those of an answer."""
        if not self._closed and self.phase is not ANSWERING:
            self._admission.budget.moved(self, ANSWERING)
            self._leave()

    def close(self) -> None:
        """The request is over, in whatever way."""
        if self._closed:
            return
        self._closed = True
        if self._place is not None:
            self._admission.gate.withdraw(self._place)
        self._admission.budget.gone(self)
        self._leave()

    def _leave(self) -> None:
        if self._inside:
            self._inside = False
            self._admission.was_in_flight(self._admission.clock() - self._entered_at)
            self._admission.gate.leave(self._caller)
        else:
            self._admission.gate.call()

    def _entered(self) -> None:
        self._inside = True
        self._entered_at = self._admission.clock()
        self._admission.budget.moved(self, IN_FLIGHT)

    def _why(self, reason: Reason) -> Reason:
        return self._admission.closed_for() or (
            Reason.KEY_LIMIT if self._admission.gate.at_limit(self._caller) else reason
        )

    def _seconds_to_wait(self, now: float) -> float:
        """What is left of the time for waiting, of which a request has one, for room and in the queue together."""
        if self._wait_until is None:
            self._wait_until = now + self._admission.limits.queue_s
        return max(self._wait_until - now, 0.0)


def _end(over: asyncio.Future[None]) -> None:
    """Wake who waits for this; one that is being cancelled is past waking."""
    if not over.done():
        over.set_result(None)
