"""Telemetry: attempts and plans become metrics and one structured log line. No other module touches a metric."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.alarm import sound_alarm
from app.board_metrics import BoardCollector
from app.media.verify import Check
from app.shared_metrics import Reading, SharedMetrics, Shown
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest
from routing.attempt import Attempt
from routing.board import Board
from routing.route_plan import RoutePlan

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
"""Histogram bounds in seconds: an answer from the gateway itself takes milliseconds, an image 2 to 120 s."""

_MOST_CHILDREN = 4096
"""Sets of labels that are found at once, for each metric."""
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being served, as in ``x-request-id``; empty outside of one."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class Telemetry:
    """Instruments of one gateway, in a registry of their own so that two gateways in one process do not mix.

    Several workers show one page (``app.shared_metrics``). For a new metric to be right there, too:

    - Counters and histograms are added up. Nothing is to be done, but no label may hold what only one worker knows.
    - A Gauge says how the workers' values become one: ``multiprocess_mode`` is ``livesum`` (requests in flight),
      ``livemax`` (the oldest, the largest) or ``livemin`` (whether all can reach something). Set it; ``set_function``,
      ``remove`` and ``clear`` do nothing there. One that may be absent is made when it is first set.
    - What is read when the page is asked for is added with ``show``: a ``Reading``, or a collector that says of each of
      its families how the workers' values become one.
    """

    def __init__(self, shared: SharedMetrics | None = None) -> None:
        """``shared``: this process is one of several workers; None: it is alone."""
        self.registry = CollectorRegistry()
        self._shared = shared
        self._shown: list[Shown] = []
        self._store_up: Gauge | None = None
        self._requests = Counter(
            "gateway_requests_total",
            "Requests answered, by outcome: ok, the error code, or abandoned",
            ["door", "model", "outcome"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "gateway_request_seconds",
            "Seconds from a request's arrival to its answer",
            ["door", "model", "outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        offer = ["provider", "model", "operation", "resolution", "outcome"]
        self._attempts = Counter(
            "gateway_attempts_total", "Tries at a provider, by outcome", offer, registry=self.registry
        )
        self._attempt_seconds = Histogram(
            "gateway_attempt_seconds", "Seconds a try took", offer, buckets=_SECONDS, registry=self.registry
        )
        self._cost = Counter(
            "gateway_cost_usd_total",
            "USD that vendors surely bill, failed deliveries included",
            ["provider", "model"],
            registry=self.registry,
        )
        self._possible = Counter(
            "gateway_possible_cost_usd_total",
            "USD that vendors may bill on top, for tries that were given up when they could not be taken back",
            ["provider", "model"],
            registry=self.registry,
        )
        self._serving = 0
        self._in_flight: Gauge | None = None
        served = "gateway_in_flight", "Requests being served"
        if shared is None:  # nobody else is to know of every request
            self.show(Reading(*served, lambda: self._serving))
        else:
            self._in_flight = Gauge(*served, multiprocess_mode="livesum", registry=self.registry)
        self.show(Reading("gateway_tasks", "Tasks in the event loop, those of idle connections too", _tasks))
        self._rejected = Counter(
            "gateway_rejected_deliveries_total",
            "Deliveries that were paid for and were not the image asked for, by the check that failed",
            ["provider", "check"],
            registry=self.registry,
        )
        self._choices = Counter(
            "gateway_choices_total",
            "Requests by the rank, in their plan, of the offer that served them; 0: nobody did",
            ["model", "policy", "rank"],
            registry=self.registry,
        )
        self._fallbacks = Counter(
            "gateway_fallbacks_total",
            "Tries made because the one before failed, by that one's provider and fault",
            ["provider", "outcome"],
            registry=self.registry,
        )
        side = ["provider", "outcome"]
        self._probes = Counter(
            "gateway_probes_total", "Tries that looked whether an offer is back or better", side, registry=self.registry
        )
        self._hedges = Counter(
            "gateway_hedges_total", "Tries made beside another of the same request", side, registry=self.registry
        )
        self._wait_seconds = Histogram(
            "gateway_wait_seconds",
            "Seconds a request waited for any offer to be free, where it had to",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._store_events = Counter(
            "gateway_stats_events_total",
            "Events shared with other replicas: sent, received, or dropped while the store was away",
            ["direction"],
            registry=self.registry,
        )
        # What every request counts on is found in a cache: the library makes text of each label, enum members too.
        held = lru_cache(maxsize=_MOST_CHILDREN)
        self._of_request: Callable[[str, str, str], tuple[Counter, Histogram]] = held(
            lambda *labels: (self._requests.labels(*labels), self._request_seconds.labels(*labels))
        )
        self._of_attempt: Callable[[str, str, str, str, str], tuple[Counter, Histogram]] = held(
            lambda *labels: (self._attempts.labels(*labels), self._attempt_seconds.labels(*labels))
        )
        self._of_cost: Callable[[str, str], Counter] = held(self._cost.labels)
        self._of_choice: Callable[[str, str, str], Counter] = held(self._choices.labels)

    def watch(self, board: Board, clock: Callable[[], float]) -> None:
        """Show this board's figures on the metrics page; once for each telemetry."""
        self.show(BoardCollector(board, clock))

    def show(self, collector: Shown) -> None:
        """Show what this collector reads whenever the page is asked for."""
        self.registry.register(collector)
        self._shown.append(collector)

    def store_up(self, up: bool) -> None:
        """The store of shared statistics can be reached, or can not."""
        if self._store_up is None:
            self._store_up = Gauge(
                "gateway_stats_store_up",
                "Whether statistics are shared with other replicas just now; absent without a store",
                multiprocess_mode="livemin",
                registry=self.registry,
            )
        self._store_up.set(1 if up else 0)

    def events_sent(self, count: int) -> None:
        """So many events went to other replicas."""
        self._store_events.labels("sent").inc(count)

    def events_received(self, count: int) -> None:
        """So many events came from other replicas."""
        self._store_events.labels("received").inc(count)

    def events_dropped(self, count: int) -> None:
        """So many events were lost because the store was away for too long."""
        self._store_events.labels("dropped").inc(count)

    def request_began(self) -> None:
        """A request is being served, until ``request_ended`` is told with ``served``."""
        self._served(1)

    def request_ended(self, door: str, model: str, outcome: str, seconds: float, *, served: bool = False) -> None:
        """A request was answered. ``model`` is a public model's name or empty: never what a caller made up. ``served``:
        its beginning was told."""
        if served:
            self._served(-1)
        count, took = self._of_request(door, model, outcome)
        count.inc()
        took.observe(seconds)

    def _served(self, more: int) -> None:
        self._serving += more
        if self._in_flight is not None:
            self._in_flight.set(self._serving)

    def turned_away(self, code: str) -> None:
        """A request did not get past the edge: no key, a wrong one, from another machine, or when the gateway stops."""
        self._requests.labels("edge", "", code).inc()

    def refused(self, model: str, code: str, param: str | None) -> None:
        """A request was answered with an error; one line, also for those that were refused at the door."""
        _log.info("refused", request_id=request_id.get(), model=model, code=code, param=param)

    def attempt_ended(self, attempt: Attempt, request: ImageRequest, possible: Decimal) -> None:
        """A try ended, well or not. ``possible``: USD it may cost where its spend is POSSIBLE, else zero."""
        offer, tier = attempt.offer, request.resolution or ""
        count, took = self._of_attempt(offer.provider, offer.model, request.operation, tier, attempt.outcome)
        count.inc()
        took.observe(attempt.seconds)
        if attempt.cost:
            # Prometheus counts in float: an instrument, not the books.
            self._of_cost(offer.provider, offer.model).inc(float(attempt.cost))
        if possible:
            self._possible.labels(offer.provider, offer.model).inc(float(possible))
        if attempt.fault is Fault.BAD_REPLY and attempt.spend is Spend.CHARGED and attempt.detail in _CHECKS:
            self._rejected.labels(offer.provider, attempt.detail).inc()
        if attempt.probe:
            self._probes.labels(offer.provider, attempt.outcome).inc()
        if attempt.hedge:
            self._hedges.labels(offer.provider, attempt.outcome).inc()
        if attempt.fault is not None:
            sound_alarm(attempt, request_id.get())

    def plan_ended(self, plan: RoutePlan, attempts: tuple[Attempt, ...], waited_s: float = 0.0) -> None:
        """One line that answers why a request cost what it cost and took what it took.

        ``attempts`` are all of the request's, those for a model before this plan's included; ``waited_s`` is how long
        it waited for an offer to be free.
        """
        candidates = {candidate.offer.key: candidate.reason for candidate in plan.candidates}
        rank, outcome = 0, attempts[-1].outcome if attempts else "no_offer"
        for attempt in attempts:
            if attempt.fault is None:
                won = attempt.offer.key
                rank, outcome = [*candidates, won].index(won) + 1, "ok"  # behind all others when of an earlier plan
                break
        self._of_choice(plan.model, plan.objective_name, str(rank)).inc()
        for failed, after in pairwise(attempts):
            if failed.fault is not None and not after.hedge and after.offer.model == plan.model:
                self._fallbacks.labels(failed.offer.provider, failed.outcome).inc()
        if waited_s > 0:
            self._wait_seconds.labels(plan.model).observe(waited_s)
        _log.info(
            "request",
            request_id=request_id.get(),
            model=plan.model,
            operation=str(plan.operation),
            resolution=str(plan.resolution) if plan.resolution is not None else None,
            policy=plan.objective_name,
            outcome=outcome,
            rank=rank,
            waited_s=round(waited_s, 3),
            attempts=[
                {
                    "offer": attempt.offer.key,
                    "outcome": attempt.outcome,
                    "seconds": round(attempt.seconds, 3),
                    "spend": str(attempt.spend),
                    "cost_usd": str(attempt.cost),
                    "detail": attempt.detail,
                    "why": attempt.reason,
                    "probe": attempt.probe,
                    "hedge": attempt.hedge,
                }
                for attempt in attempts
            ],
            candidates=candidates,
            rejected={rejection.offer.key: rejection.reason for rejection in plan.rejections},
        )

    @contextlib.asynccontextmanager
    async def written_down(self) -> AsyncIterator[None]:
        """While the context lasts, other workers' pages show what this one's collectors see, too."""
        if self._shared is None:
            yield
            return
        writing = asyncio.create_task(self._shared.keep_writing(self._shown), name="shared metrics")
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.wait({writing})

    async def exposition(self) -> tuple[bytes, str]:
        """The metrics page, of all workers if there are several, and its content type."""
        if self._shared is not None:
            return await self._shared.page(self._shown), CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


def _tasks() -> float:
    """0 outside of an event loop."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0.0


_CHECKS = frozenset(Check)
