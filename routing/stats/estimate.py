"""Estimate: what the statistics say about an offer for one operation and resolution at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from providers.spec.unguarded import unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class Estimate:
    """Figures for ranking. Latency of a success is taken as log-normal. Seconds throughout; shares from 0 to 1."""

    success: float
    """Probability that a try delivers, by the latest outcomes."""
    success_low: float
    success_high: float
    """95 % interval of ``success``."""
    long_run_success: float
    """The same over hours: what the offer comes back to."""
    median_s: float
    """Median of a success by the latest outcomes."""
    sigma: float
    """Standard deviation of the logarithm of a success's seconds."""
    long_run_median_s: float
    failure_s: float
    """Mean time of a failed try."""
    samples: int = 0
    """Tries behind these figures, of this operation and resolution, that delivered or failed; none on a prior alone."""
    refusal_share: float = 0.0
    """Share of tries in which the content was refused."""

    @property
    def mean_s(self) -> float:
        """Expected seconds of a success."""
        return self.median_s * exp(self.sigma * self.sigma / 2)

    def quantile_s(self, sigmas: float) -> float:
        """Seconds at that many standard deviations above the median."""
        return self.median_s * exp(sigmas * self.sigma)
