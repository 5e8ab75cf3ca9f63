"""Admission metrics: refusals and waits as they happen; what is inside, read when the metrics page is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.admission.budget import Phase
from app.admission.visit import Admission, Reason
from app.shared_metrics import Join

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 7, 10, 15, 20, 30, 60)
"""From a slot that is free at once to the longest anybody will want to wait."""
_OUTCOMES = ("admitted", "refused", "left")


class AdmissionMetrics:
    """Instruments for admission, on the page of this registry. All of them are there from the start, at 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            "gateway_admission_refused_total",
            "Requests turned away with a 429 of the gateway's own, by reason",
            ["reason"],
            registry=registry,
        )
        self._queue_seconds = Histogram(
            "gateway_queue_seconds",
            "Seconds a request waited to be admitted, where it had to, by what became of it",
            ["outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        for reason in Reason:
            self._refused.labels(reason.value)
        for outcome in _OUTCOMES:
            self._queue_seconds.labels(outcome)

    def queued(self, seconds: float, outcome: str) -> None:
        """A request's time in the queue is over."""
        self._queue_seconds.labels(outcome).observe(seconds)

    def not_admitted(self, reason: Reason) -> None:
        """A request was refused."""
        self._refused.labels(reason.value).inc()


class AdmissionCollector(Collector):
    """Gauges of one admission. Every worker has its own, so that all together have the sum."""

    joined: ClassVar[Mapping[str, Join]] = dict.fromkeys(
        (
            "gateway_admitted",
            "gateway_admitted_limit",
            "gateway_queue_depth",
            "gateway_uploads_waiting",
            "gateway_body_bytes",
            "gateway_body_budget_bytes",
        ),
        sum,
    )

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: registering reads nothing."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges as of now."""
        gate, budget, limits = self._admission.gate, self._admission.budget, self._admission.limits
        yield _gauge("gateway_admitted", "Requests that are carried out just now", gate.in_flight)
        yield _gauge("gateway_admitted_limit", "Requests that may be carried out at once", limits.max_in_flight)
        yield _gauge("gateway_queue_depth", "Requests that wait to be admitted", gate.waiting)
        yield _gauge("gateway_uploads_waiting", "Uploads that wait for room in the body budget", budget.waiting)
        held = GaugeMetricFamily(
            "gateway_body_bytes", "Bytes of bodies held, by how far their request is", labels=["phase"]
        )
        for phase in Phase:
            held.add_metric([phase.name.lower()], budget.held(phase))
        yield held
        yield _gauge("gateway_body_budget_bytes", "Bytes of bodies that may be held", budget.most)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value)
