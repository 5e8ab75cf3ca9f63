"""Intervals: means over seeds and worlds with a 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Final

RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    def text(self, digits: int = 3) -> str:
        """Mean and bounds, as printed in tables."""
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def bootstrap(groups: Sequence[Sequence[float]]) -> Interval:
    """The mean of the groups' means, with the percentile interval of resampling within each group.

    A group is a named world with its seeds: the worlds are what was chosen to be looked at, only the seeds are chance.
    For random worlds every world is chance: hand them in as one group. One value alone has no interval: its bounds are
    itself. Raises ValueError when there is nothing to average.
    """
    filled = [group for group in groups if group]
    if not filled:
        raise ValueError("there is nothing to average")
    dice = Random("bootstrap")
    means = sorted(fmean(fmean(dice.choices(group, k=len(group))) for group in filled) for _ in range(RESAMPLES))
    edge = RESAMPLES // 40
    return Interval(fmean(fmean(group) for group in filled), means[edge], means[-edge - 1])
