"""Truth: what a provider really is at a moment. Only the engine and the oracle see it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import erfc, exp, log, sqrt
from types import MappingProxyType
from typing import Final

from providers.spec.request import Resolution

RATE_LIMITED_S: Final = 0.3
"""A 429 comes at once."""
OVERLOADED_S: Final = 1.0
"""So does a 503, nearly."""
HANG_S: Final = 300.0
"""How long a hanging connection is kept open by the vendor's front end, and its slot with it."""
REFUSAL_SHARE_OF_TIME: Final = 0.35
"""A refusal comes after this share of the time the image would have taken: filters look at the prompt first."""

SIZE_FACTORS: Final[Mapping[Resolution, float]] = MappingProxyType(
    {Resolution.R512: 0.8, Resolution.R1K: 1.0, Resolution.R2K: 1.35, Resolution.R4K: 1.9}
)
"""How much longer a tier takes than 1K."""


@dataclass(frozen=True, slots=True)
class FailureMix:
    """Shares of the failures; they sum to 1."""

    rate_limited: float = 0.15
    overloaded: float = 0.5
    empty: float = 0.25
    """An answer without an image, after the time an image takes."""
    hang: float = 0.1


@dataclass(frozen=True, slots=True)
class Truth:
    """A provider's true parameters. Latency of a success is log-normal."""

    success: float
    median_s: float
    """At 1K."""
    sigma: float
    """Standard deviation of the logarithm of seconds."""
    prices: Mapping[Resolution, float]
    """USD per delivered image; a tier that is missing is not sold."""
    failures: FailureMix = field(default_factory=FailureMix)
    capacity: int | None = None
    """Requests at once; one more is answered 429. None: no bound within reach."""
    retry_after_s: float | None = None
    """The wait stated with a 429; None: none is stated."""

    def median_at(self, resolution: Resolution) -> float:
        """Median seconds of a success at that tier."""
        return self.median_s * SIZE_FACTORS[resolution]


class Timeline:
    """One provider's truth over a run: constant between changes."""

    __slots__ = ("starts", "truths")

    def __init__(self, steps: Sequence[tuple[float, Truth]]) -> None:
        """``steps`` are (seconds from the start of the world, truth from then on), the first at 0 and increasing."""
        self.starts = [start for start, _ in steps]
        self.truths = [truth for _, truth in steps]
        if not steps or self.starts[0] != 0.0 or sorted(set(self.starts)) != self.starts:
            raise ValueError("a timeline starts at 0 and its steps increase")

    def step(self, now: float) -> int:
        """The number of the step in force."""
        return bisect_right(self.starts, now) - 1

    def at(self, now: float) -> Truth:
        """The truth in force."""
        return self.truths[bisect_right(self.starts, now) - 1]


def share_within(seconds: float, median_s: float, sigma: float) -> float:
    """Share of log-normal times that are at most ``seconds``."""
    if seconds <= 0.0:
        return 0.0
    return 0.5 * erfc(-(log(seconds / median_s)) / (sigma * sqrt(2.0)))


def mean_up_to(seconds: float, median_s: float, sigma: float) -> float:
    """Expected value of the smaller of a log-normal time and ``seconds``."""
    if seconds <= 0.0:
        return 0.0
    deviation = log(seconds / median_s) / sigma
    below = median_s * exp(sigma * sigma / 2) * 0.5 * erfc(-(deviation - sigma) / sqrt(2.0))
    return below + seconds * 0.5 * erfc(deviation / sqrt(2.0))
