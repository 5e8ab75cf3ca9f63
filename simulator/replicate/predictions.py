"""Predictions as arithmetic on the clock: no task runs; each look brings them up to date."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from simulator.books import Account
from simulator.faults import Kind
from simulator.replicate.schema import Order
from simulator.world import Turn

KEPT = 2000
"""Predictions that can be asked for; the oldest finished go first."""


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
    output: list[str] | None = None
    """Paths or data URIs, once somebody looked."""

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
        self._all: OrderedDict[str, Prediction] = OrderedDict()
        self._open: dict[str, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        """Begin it."""
        self._all[prediction.id] = prediction
        self._open[prediction.id] = prediction
        for old in list(self._all.values())[: max(len(self._all) - KEPT, 0)]:
            if old.ended is not None:
                del self._all[old.id]

    def find(self, prediction_id: str) -> Prediction | None:
        """The prediction, or ``None``."""
        return self._all.get(prediction_id)

    def newest(self, count: int) -> list[Prediction]:
        """The last ones, newest first."""
        return list(reversed(self._all.values()))[:count]

    def running(self) -> int:
        """How many have not ended."""
        return len(self._open)

    def clear(self) -> None:
        """Forget all."""
        self._all.clear()
        self._open.clear()

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
        del self._open[prediction.id]
        if status is Status.CANCELED and not prediction.made:
            self._on_cancelled(prediction)


def _final(prediction: Prediction) -> Status:
    if prediction.error is not None:
        return Status.FAILED
    return Status.ABORTED if prediction.turn.kind is Kind.ABORTED else Status.SUCCEEDED


def now_by_the_calendar() -> datetime:
    """The time of day in UTC."""
    return datetime.now(UTC)
