"""Decayed sums: what was observed, each observation halved in weight for every half-life that has passed since."""

from __future__ import annotations

from collections.abc import Sequence


class DecayedSums:
    """Weight, total and sum of squares of observations, as of a reference time.

    The reference is the latest event seen: a newer one moves it and weighs the sums down, an older one is weighed down
    itself. So the sums do not depend on the order of arrival, and two sets of sums merge by addition.
    """

    __slots__ = ("at", "half_life_s", "squares", "total", "weight")

    def __init__(self, half_life_s: float) -> None:
        self.half_life_s = half_life_s
        self.at = 0.0
        """Unix seconds the sums refer to; meaningless while ``weight`` is zero."""
        self.weight = 0.0
        self.total = 0.0
        self.squares = 0.0

    def add(self, at: float, value: float, weight: float = 1.0) -> None:
        """Count one observation made at that unix second."""
        self.add_sums(at, weight, weight * value, weight * value * value)

    def add_sums(self, at: float, weight: float, total: float, squares: float) -> None:
        """Count observations that were summed up elsewhere and refer to that unix second."""
        ahead = at - self.at
        if ahead > 0.0:
            # A huge age underflows to zero, which is what it should weigh.
            left = 0.5 ** (ahead / self.half_life_s)
            self.at = at
            self.weight = self.weight * left + weight
            self.total = self.total * left + total
            self.squares = self.squares * left + squares
            return
        if not self.weight:
            self.at = at
        elif ahead < 0.0:
            left = 0.5 ** (-ahead / self.half_life_s)
            weight *= left
            total *= left
            squares *= left
        self.weight += weight
        self.total += total
        self.squares += squares

    def merge(self, other: DecayedSums) -> None:
        """Count what ``other`` has seen, which must have the same half-life."""
        if other.weight:
            self.add_sums(other.at, other.weight, other.total, other.squares)

    def sums(self, now: float) -> tuple[float, float, float]:
        """Weight, total and squares as of ``now``; a ``now`` before the latest event counts as that event's time."""
        age = now - self.at
        if age <= 0.0 or not self.weight:
            return self.weight, self.total, self.squares
        left = 0.5 ** (age / self.half_life_s)
        return self.weight * left, self.total * left, self.squares * left

    def clear(self) -> None:
        """Forget everything."""
        self.weight = self.total = self.squares = 0.0


def summed(many: Sequence[DecayedSums], now: float) -> tuple[float, float, float]:
    """Weight, total and squares of all of them together as of ``now``, as ``DecayedSums.sums`` of each."""
    weight = total = squares = 0.0
    for each in many:
        of_it = each.sums(now)
        weight += of_it[0]
        total += of_it[1]
        squares += of_it[2]
    return weight, total, squares
