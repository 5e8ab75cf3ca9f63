"""Board metrics: what the board knows of every offer, read when the metrics page is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.shared_metrics import Join
from routing.board import Board
from routing.breaker import BreakerState

_BREAKER = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
_QUANTILES = ("0.5", "0.95", "0.99")


class BoardCollector(Collector):
    """Gauges of one board. Ratios and seconds are those of the last hour, and absent without traffic.

    Workers know the same of success, seconds and replicas, through the store: of these each shows its own.
    """

    joined: ClassVar[Mapping[str, Join]] = {
        "gateway_breaker_state": max,  # what one has just found out the others are about to hear
        "gateway_offer_in_flight": sum,
        "gateway_offer_limit": sum,  # each worker finds its own, of those who found one
        "gateway_waiting": sum,
    }

    def __init__(self, board: Board, clock: Callable[[], float]) -> None:
        """``clock`` gives unix seconds: the one the board is judged by."""
        self._board = board
        self._clock = clock

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: registering must not read the board."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges as of now."""
        now = self._clock()
        labels = ["provider", "model", "operation", "resolution"]
        success = GaugeMetricFamily(
            "gateway_offer_success_ratio", "Share of tries in the last hour that delivered", labels=labels
        )
        seconds = GaugeMetricFamily(
            "gateway_offer_seconds", "Seconds of deliveries in the last hour", labels=[*labels, "quantile"]
        )
        for key in list(self._board.statistics.keys()):
            windows = self._board.statistics.windows(key)
            if windows is None:
                continue
            figures = windows.figures("1h", now)
            provider, _, model = key.offer.partition("/")
            values = [provider, model, key.operation.value, key.resolution.value if key.resolution is not None else ""]
            if figures.success is not None:
                success.add_metric(values, figures.success)
            for quantile, value in zip(_QUANTILES, (figures.p50_s, figures.p95_s, figures.p99_s), strict=True):
                if value is not None:
                    seconds.add_metric([*values, quantile], value)
        yield success
        yield seconds
        yield from self._states(now)

    def _states(self, now: float) -> Iterator[GaugeMetricFamily]:
        labels = ["provider", "model"]
        breakers = GaugeMetricFamily(
            "gateway_breaker_state", "0: closed, 1: half open, 2: open, for failing", labels=labels
        )
        in_flight = GaugeMetricFamily("gateway_offer_in_flight", "Tries under way", labels=labels)
        limits = GaugeMetricFamily(
            "gateway_offer_limit", "Tries at once the offer was found to bear; absent while unlimited", labels=labels
        )
        for offer in self._board.offers:
            values = [offer.provider, offer.model]
            breakers.add_metric(values, _BREAKER[self._board.breaker(offer.key).state(now=now)])
            limit = self._board.limit(offer.key)
            in_flight.add_metric(values, limit.in_flight)
            if limit.limit is not None:
                limits.add_metric(values, limit.limit)
        yield breakers
        yield in_flight
        yield limits
        waiting = GaugeMetricFamily("gateway_waiting", "Requests in line for an offer to be free")
        waiting.add_metric([], len(self._board.line))
        yield waiting
        replicas = GaugeMetricFamily("gateway_replicas", "Gateway processes that share statistics, this one included")
        replicas.add_metric([], self._board.replicas)
        yield replicas
