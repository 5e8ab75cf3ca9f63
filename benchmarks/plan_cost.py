"""What a decision costs: microseconds for a plan and its first step, through Passage on a warm Board.

Run it as ``python -m benchmarks.plan_cost``. It prints medians against the targets and fails when one is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from heapq import heappop, heappush
from random import Random
from statistics import median, quantiles
from time import perf_counter

from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.errors import Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from routing.attempt import Attempt
from routing.board import Board
from routing.offers import Offer
from routing.passage import Passage
from routing.policy import Policy
from routing.prices import PriceLine, PriceTable
from routing.steps import Try
from routing.ticket import Ticket

TARGETS_US = {4: 150.0, 40: 1000.0}
"""Microseconds allowed, by number of offers."""
MODEL = "pictura"
BEGIN = 1_790_000_000.0
"""2026-09-21, in unix seconds; any moment would do."""
WARM_UP = 400
"""Requests served before any is measured: about as many figures as a busy minute leaves."""
MEASURED = 2000
STEP_S = 0.05
"""Virtual seconds between requests: figures are worked out anew once a second, so one plan in twenty does."""
LOG_MEDIAN_S, SIGMA = 2.6, 0.4
"""Latency of every offer: log-normal around 13.5 s, as the better vendors are reported."""
_DAY = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one decision."""

    offers: int
    median_us: float
    p99_us: float


def market(count: int) -> tuple[list[Offer], PriceTable]:
    """So many offers of one model, each of its own provider, at prices a little apart."""
    capability = Capability(
        operations=frozenset(Operation),
        resolutions=frozenset(Resolution),
        aspect_ratios=frozenset({"1:1", "16:9"}),
        output_formats=frozenset({OutputFormat.PNG}),
        native_format=OutputFormat.PNG,
    )
    offers = [
        Offer(f"p{place}", MODEL, ProviderModel(id=f"p{place}/v1", schema="any"), capability, place)
        for place in range(count)
    ]
    lines = [
        PriceLine(
            provider=offer.provider,
            model=MODEL,
            operations=frozenset(Operation),
            images={tier: Decimal("0.0670") + Decimal(place) / 1000 for tier in Resolution},
            input_image=Decimal(0),
            surcharges={},
            token_rates={},
            source="this benchmark",
            checked_on=_DAY,
            effective_from=_DAY,
            confidence="verified",
        )
        for place, offer in enumerate(offers)
    ]
    return offers, PriceTable(tuple(lines))


def measured(count: int, *, requests: int = MEASURED) -> Cost:
    """The cost of plan and first step over so many offers."""
    policy, dice = Policy(), Random(count)
    offers, prices = market(count)
    board = Board(offers, policy)
    request = ImageRequest(model=MODEL, prompt="a red fox in the snow")
    spent, under_way = list[float](), list[tuple[float, int, Passage, Ticket]]()
    for number in range(WARM_UP + requests):
        now = BEGIN + number * STEP_S
        while under_way and under_way[0][0] <= now:
            ends_at, _, passage, ticket = heappop(under_way)
            seconds = ends_at - ticket.started_at
            attempt = Attempt(ticket.candidate.offer, ticket.started_at, seconds, Spend.CHARGED)
            passage.ended(ticket, attempt, now=ends_at)
        begun = perf_counter()
        passage = Passage(board, request, offers, prices, policy, now=now, draw=0.5)
        step = passage.next(now=now)
        took = perf_counter() - begun
        if number >= WARM_UP:
            spent.append(took * 1e6)
        if isinstance(step, Try):
            ends_at = now + dice.lognormvariate(LOG_MEDIAN_S, SIGMA)
            heappush(under_way, (ends_at, number, passage, passage.began(step, now=now)))
    return Cost(count, median(spent), quantiles(spent, n=100)[98])


def main(counts: Sequence[int] = tuple(TARGETS_US)) -> int:
    """Print a line per number of offers; 1 when a target is missed."""
    missed = False
    for count in counts:
        cost, target = measured(count), TARGETS_US[count]
        met = cost.median_us < target
        missed = missed or not met
        figures = f"median {cost.median_us:.0f} us, p99 {cost.p99_us:.0f} us"
        print(f"{count:>3} offers: {figures}; target {target:.0f} us {'met' if met else 'MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
