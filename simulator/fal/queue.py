"""fal's queue as arithmetic on the clock: no task runs; each look brings it up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.bodies import weight
from simulator.books import Account
from simulator.fal.schema import Order
from simulator.shelf import Shelf
from simulator.world import Turn

KEPT_BYTES = 32_000_000
"""What ended jobs that can be asked for may hold together; those longest not asked for go first."""
LEAST_BYTES = 16_000
"""What an ended job counts for at least, so that there are no more than 2,000."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job failed: what the result's GET will answer."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    """Said in the status too, when fal's own machinery failed; a model's error is not."""
    error_type: str | None = None


@dataclass(slots=True)
class Job:
    """One submitted request."""

    id: str
    app: str
    """Owner and alias: what the follow-up paths begin with."""
    endpoint: str
    turn: Turn
    account: Account
    order: Order | None
    """``None`` when the input was refused."""
    failure: Failure | None
    ready: float
    """Clock reading before which it does not start."""
    working: float
    """Seconds from start to end; infinite when it hangs."""
    start_by: float | None = None
    """Clock reading at which the caller no longer wants it started."""
    started: float | None = None
    ended: float | None = None
    cancelled: bool = False
    paths: tuple[str, ...] = ()
    """Where its pictures are, below the origin."""

    def lighten(self) -> None:
        """Let go of the input images, which are heavy; nobody asks for them any more."""
        if self.order is not None:
            self.order = replace(self.order, references=())

    @property
    def weight(self) -> int:
        """About how many bytes it holds once it has ended."""
        failure = weight(self.failure.body) if self.failure is not None else 0
        return max(failure + (len(self.order.prompt) if self.order else 0), LEAST_BYTES)


class Queue:
    """Jobs waiting, running and done."""

    def __init__(self, limit: Callable[[], int | None], on_end: Callable[[Job], None]) -> None:
        self._limit = limit
        self._on_end = on_end
        self._open: dict[str, Job] = {}
        self._done: Shelf[Job] = Shelf(KEPT_BYTES)
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._now = 0.0

    def submit(self, job: Job, now: float) -> None:
        """Put it at the end of the line."""
        self.advance(now)
        self._open[job.id] = job
        self._waiting.append(job)

    def find(self, job_id: str) -> Job | None:
        """The job, or ``None``."""
        return self._open.get(job_id) or self._done.get(job_id)

    def ahead(self, job: Job) -> int:
        """How many wait before it."""
        return self._waiting.index(job) if job in self._waiting else 0

    def waiting(self) -> int:
        """How many have not started."""
        return len(self._waiting)

    def running(self) -> int:
        """How many are at work."""
        return len(self._running)

    def cancel(self, job: Job, now: float) -> bool:
        """End it without an outcome; ``False`` when it already ended."""
        self.advance(now)
        if job.ended is not None:
            return False
        (self._waiting if job in self._waiting else self._running).remove(job)
        job.cancelled = True
        job.ended = now
        self._put_away(job)
        return True

    def _put_away(self, job: Job) -> None:
        """It has ended."""
        job.lighten()
        del self._open[job.id]
        self._done.put(job.id, job, job.weight)

    def clear(self) -> None:
        """Forget all jobs; those under way end here, for whoever waits for them."""
        for job in self._open.values():
            job.cancelled = True
            job.ended = self._now
            job.failure = Failure(503, {"detail": "The simulator was reset meanwhile."})
        self._open.clear()
        self._done.clear()
        self._waiting.clear()
        self._running.clear()

    def advance(self, now: float) -> None:
        """Let happen, in order, what was due until now."""
        while True:
            due: list[tuple[float, int, Job]] = [
                (job.started + job.working, 0, job) for job in self._running if job.started is not None
            ]
            due += [(job.start_by, 1, job) for job in self._waiting if job.start_by is not None]
            limit = self._limit()
            if limit is None or len(self._running) < limit:
                due += [(max(job.ready, self._now), 2, job) for job in self._waiting]
            if not due:
                break
            when, what, job = min(due, key=lambda item: item[:2])
            if when > now:
                break
            self._now = max(self._now, when)
            self._happen(what, job, when)
        self._now = max(self._now, now)

    def _happen(self, what: int, job: Job, when: float) -> None:
        if what == 2:
            self._waiting.remove(job)
            self._running.append(job)
            job.started = when
            return
        if what == 1:
            self._waiting.remove(job)
            job.failure = Failure(
                504,
                {"detail": "Request timed out", "error_type": "request_timeout"},
                {"x-fal-request-timeout-type": "user", "x-fal-error-type": "request_timeout"},
                "Request timed out",
                "request_timeout",
            )
        else:
            self._running.remove(job)
        job.ended = when
        self._on_end(job)
        self._put_away(job)
