"""Success: how likely a try delivers, by a fast window that notices trouble and a slow one that is believed.

The tiers of one offer and operation share what they know in the place of the prior, not in the sums: a tier starts from
the rate of its siblings and weighs it like a handful of its own tries. An outage seen at one tier is thus expected at
the others, while a tier that is broken alone is found out however much traffic its healthy siblings have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from providers.spec.unguarded import unguarded
from routing.knobs import StatisticsKnobs
from routing.stats.decay import DecayedSums, summed

_NORMAL_95 = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""
_START_MAX = 0.999
"""No tier starts as certain: siblings that do better than usual would push the rate over 1."""


class SuccessSums:
    """Decayed counts of the tries of one key."""

    __slots__ = ("fast", "refusals", "slow")

    def __init__(self, knobs: StatisticsKnobs) -> None:
        self.fast = DecayedSums(knobs.fast_half_life_s)
        self.slow = DecayedSums(knobs.slow_half_life_s)
        self.refusals = DecayedSums(knobs.slow_half_life_s)
        """Beyond the tries in the other two."""

    def tried(self, at: float, *, delivered: bool) -> None:
        """Count a try that delivered or failed."""
        value = 1.0 if delivered else 0.0
        self.fast.add_sums(at, 1.0, value, value)
        self.slow.add_sums(at, 1.0, value, value)

    def refused(self, at: float) -> None:
        """Count a try whose content was refused: it says nothing about success."""
        self.refusals.add_sums(at, 1.0, 1.0, 1.0)

    def absorb(self, at: float, delivered: int, failed: int, refused: int, *, fast: bool) -> None:
        """Count tries summed up elsewhere; into the fast window too where ``fast`` says so."""
        tries = float(delivered + failed)
        if tries:
            self.slow.add_sums(at, tries, delivered, delivered)
            if fast:
                self.fast.add_sums(at, tries, delivered, delivered)
        if refused:
            self.refusals.add_sums(at, refused, refused, refused)


@unguarded
@dataclass(frozen=True, slots=True)
class SuccessFigures:
    """Probabilities and shares, from 0 to 1."""

    success: float
    low: float
    high: float
    """95 % interval of ``success``."""
    long_run: float
    refusal_share: float


def success_figures(
    own: SuccessSums, tiers: Sequence[SuccessSums], prior: float, knobs: StatisticsKnobs, now: float
) -> SuccessFigures:
    """What the sums say at ``now``. ``tiers`` are all that were tried; ``prior`` is the offer's.

    The refusal share is weighed against ``slow_pseudo`` tries without a refusal, so that one refusal is not a habit.
    """
    pseudo = knobs.slow_pseudo
    asked, delivered, _ = own.slow.sums(now)
    others = [tier for tier in tiers if tier is not own]
    others_tries, others_delivered, _ = summed([tier.slow for tier in others], now)
    others_long_run = (others_delivered + pseudo * prior) / (others_tries + pseudo)
    long_run = (delivered + pseudo * others_long_run) / (asked + pseudo)

    pseudo = knobs.fast_pseudo
    tries, delivered, _ = own.fast.sums(now)
    others_tries_now, others_delivered_now, _ = summed([tier.fast for tier in others], now)
    # Siblings tell by what share success has changed: a tier may well be worse than its siblings in the long run.
    others_now = (others_delivered_now + pseudo * others_long_run) / (others_tries_now + pseudo)
    start = min(_START_MAX, long_run * others_now / others_long_run) if others_long_run > 0.0 else long_run
    count = tries + pseudo
    success = min(1.0, (delivered + pseudo * start) / count)
    low, high = interval(success, count)

    refused, _, _ = own.refusals.sums(now)
    refusal_share = refused / (asked + refused + knobs.slow_pseudo)
    return SuccessFigures(success, low, high, min(1.0, long_run), refusal_share)


def interval(rate: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a probability seen as ``rate`` in ``count`` tries (above zero), after Wilson."""
    z_squared = _NORMAL_95 * _NORMAL_95
    spread = _NORMAL_95 * sqrt(max(0.0, rate * (1.0 - rate)) / count + z_squared / (4.0 * count * count))
    middle = rate + z_squared / (2.0 * count)
    whole = 1.0 + z_squared / count
    low, high = (middle - spread) / whole, (middle + spread) / whole
    if 0.0 <= low <= rate <= high <= 1.0:
        return low, high
    # Rounding must not leave the rate itself outside.
    return min(rate, max(0.0, low)), max(rate, min(1.0, high))
