"""fal's queue as arithmetic on the clock: no task runs; each look brings it up to date."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.books import Account
from simulator.fal.schema import Order
from simulator.world import Turn

KEPT = 2000
"""Jobs that can be asked for; the oldest finished go first."""


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
    output: dict[str, Any] | None = None
    """The result, once it was made."""


class Queue:
    """Jobs waiting, running and done."""

    def __init__(self, limit: Callable[[], int | None], on_end: Callable[[Job], None]) -> None:
        self._limit = limit
        self._on_end = on_end
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._now = 0.0

    def submit(self, job: Job, now: float) -> None:
        """Put it at the end of the line."""
        self.advance(now)
        self._jobs[job.id] = job
        self._waiting.append(job)
        for old in list(self._jobs.values())[: max(len(self._jobs) - KEPT, 0)]:
            if old.ended is not None:
                del self._jobs[old.id]

    def find(self, job_id: str) -> Job | None:
        """The job, or ``None``."""
        return self._jobs.get(job_id)

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
        return True

    def clear(self) -> None:
        """Forget all jobs."""
        self._jobs.clear()
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
