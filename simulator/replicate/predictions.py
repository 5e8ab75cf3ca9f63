"""Predictions as arithmetic on the clock: no task runs; each look brings them up to date."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from simulator.bodies import weight
from simulator.books import Account
from simulator.faults import Kind
from simulator.replicate.schema import Order
from simulator.shelf import Shelf
from simulator.world import Turn

KEPT_BYTES = 32_000_000
"""What ended predictions that can be asked for may hold together; those longest not asked for go first."""
LEAST_BYTES = 16_000
"""What an ended prediction counts for at least, so that there are no more than 2,000."""
LISTED = 100
"""Predictions in a list."""


class Status(StrEnum):
    """Replicate's words."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"


@dataclass(slots=True)
class Prediction:
    """One prediction. Times are clock readings in seconds."""

    id: str
    model: str
    input: dict[str, Any]
    order: Order | None
    """``None`` when an input image could not be used."""
    error: str | None
    """What it will fail with."""
    turn: Turn
    account: Account
    created: float
    born: datetime
    """The moment of creation by the calendar."""
    deadline: float | None
    """From ``Cancel-After``."""
    status: Status = Status.STARTING
    ended: float | None = None
    made: bool = False
    """Whether the pictures exist; they may before the status says so."""
    paths: tuple[str, ...] = ()
    """Where its pictures are, below the origin."""

    def lighten(self) -> None:
        """Let go of the input images, which are heavy; nobody asks for them any more."""
        if self.order is not None:
            self.order = replace(self.order, references=())

    @property
    def weight(self) -> int:
        """About how many bytes it holds once it has ended."""
        return max(weight(self.input) + (len(self.order.prompt) if self.order else 0), LEAST_BYTES)

    @property
    def starts(self) -> float:
        """When work begins."""
        return self.created + self.turn.waiting

    @property
    def ready(self) -> float:
        """When the pictures exist, or it fails; infinite when it hangs."""
        return math.inf if self.turn.kind is Kind.HANG else self.starts + self.turn.working

    @property
    def ends(self) -> float:
        """When the status says so."""
        lags = self.turn.kind is Kind.PROCESSING_WITH_OUTPUT
        return self.ready + max(self.turn.working, 1.0) if lags else self.ready

    def calendar(self, reading: float) -> str:
        """A clock reading as the API writes times."""
        moment = self.born + timedelta(seconds=reading - self.created)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Predictions:
    """All of them."""

    def __init__(self, on_made: Callable[[Prediction], None], on_cancelled: Callable[[Prediction], None]) -> None:
        self._on_made = on_made
        self._on_cancelled = on_cancelled
        self._open: dict[str, Prediction] = {}
        self._done: Shelf[Prediction] = Shelf(KEPT_BYTES)
        self._newest: deque[str] = deque(maxlen=LISTED)

    def add(self, prediction: Prediction) -> None:
        """Begin it."""
        self._open[prediction.id] = prediction
        self._newest.append(prediction.id)

    def find(self, prediction_id: str) -> Prediction | None:
        """The prediction, or ``None``."""
        return self._open.get(prediction_id) or self._done.get(prediction_id)

    def newest(self) -> list[Prediction]:
        """The last ones, newest first."""
        return [found for each in reversed(self._newest) if (found := self.find(each)) is not None]

    def running(self) -> int:
        """How many have not ended."""
        return len(self._open)

    def clear(self) -> None:
        """Forget all; those under way end here, for whoever waits for them."""
        for prediction in self._open.values():
            prediction.status = Status.ABORTED
            prediction.ended = prediction.created
        self._open.clear()
        self._done.clear()
        self._newest.clear()

    def advance(self, now: float) -> None:
        """Let happen what was due until now."""
        for prediction in list(self._open.values()):
            self._step(prediction, now)

    def cancel(self, prediction: Prediction, now: float) -> None:
        """End it now, unless it has ended."""
        self.advance(now)
        if prediction.ended is None:
            self._end(prediction, Status.CANCELED, now)

    def _step(self, prediction: Prediction, now: float) -> None:
        limit = min(now, prediction.deadline if prediction.deadline is not None else math.inf)
        if limit >= prediction.starts:
            prediction.status = Status.PROCESSING
        if limit >= prediction.ready and not prediction.made and prediction.error is None:
            prediction.made = prediction.turn.kind is not Kind.ABORTED
            if prediction.made:
                self._on_made(prediction)
        if limit >= prediction.ends:
            self._end(prediction, _final(prediction), prediction.ends)
        elif prediction.deadline is not None and now >= prediction.deadline:
            started = prediction.deadline >= prediction.starts
            self._end(prediction, Status.CANCELED if started else Status.ABORTED, prediction.deadline)

    def _end(self, prediction: Prediction, status: Status, when: float) -> None:
        prediction.status = status
        prediction.ended = when
        prediction.lighten()
        del self._open[prediction.id]
        self._done.put(prediction.id, prediction, prediction.weight)
        if status is Status.CANCELED and not prediction.made:
            self._on_cancelled(prediction)


def _final(prediction: Prediction) -> Status:
    if prediction.error is not None:
        return Status.FAILED
    return Status.ABORTED if prediction.turn.kind is Kind.ABORTED else Status.SUCCEEDED


def now_by_the_calendar() -> datetime:
    """The time of day in UTC."""
    return datetime.now(UTC)
