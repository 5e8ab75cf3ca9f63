"""Values: what a try at a provider costs and how likely it delivers, computed from its true parameters."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf
from typing import Final

from benchmarks.routing.truth import HANG_S, OVERLOADED_S, RATE_LIMITED_S, Truth, mean_up_to, share_within
from providers.spec.request import Resolution

LIMIT_SIGMAS: Final = tuple(0.25 * step for step in range(2, 25))
"""Limits the oracle chooses among, in standard deviations of the logarithm above the median: 0.5 to 6."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """A try with a given limit. Money in USD, times in seconds."""

    limit_s: float
    delivers: float
    """Probability of an image within the limit."""
    cost: float
    """Expected money and time of the try, success or not."""
    index: float
    """``cost / delivers``: what tries are ordered by; infinite when it never delivers."""


def prospect(truth: Truth, price: float, resolution: Resolution, limit_s: float, value_of_time: float) -> Prospect:
    """What a try that is given up after ``limit_s`` comes to. What it abandons is billed if it would have delivered."""
    median_s, failing, mix = truth.median_at(resolution), 1.0 - truth.success, truth.failures
    full_s = mean_up_to(limit_s, median_s, truth.sigma)
    seconds = truth.success * full_s + failing * (
        mix.rate_limited * min(RATE_LIMITED_S, limit_s)
        + mix.overloaded * min(OVERLOADED_S, limit_s)
        + mix.empty * full_s
        + mix.hang * min(HANG_S, limit_s)
    )
    delivers = truth.success * share_within(limit_s, median_s, truth.sigma)
    cost = truth.success * price + value_of_time * seconds
    return Prospect(limit_s, delivers, cost, cost / delivers if delivers > 0.0 else inf)


def best_prospect(truth: Truth, price: float, resolution: Resolution, value_of_time: float) -> Prospect:
    """The try whose limit makes the index smallest."""
    median_s = truth.median_at(resolution)
    return min(
        (
            prospect(truth, price, resolution, median_s * exp(sigmas * truth.sigma), value_of_time)
            for sigmas in LIMIT_SIGMAS
        ),
        key=lambda each: each.index,
    )
