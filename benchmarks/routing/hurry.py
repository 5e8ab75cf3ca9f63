"""Hurry: the best order and limits when the deadline is near, by dynamic programming over the time that is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

from benchmarks.routing.truth import OVERLOADED_S, RATE_LIMITED_S, Truth, mean_up_to, share_within
from benchmarks.routing.values import Prospect
from providers.spec.request import Resolution

HORIZON_S: Final = 120
"""With more time left than this the deadline plays no part."""
_LIMIT_SIGMAS: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
_EMPTY_SIGMAS: Final = (-1.2816, -0.5244, 0.0, 0.5244, 1.2816)
"""An answer without an image comes at one of these five moments, each as likely as the others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A provider that may be asked."""

    truth: Truth
    price: float
    """USD at the tier in question."""


class Hurry:
    """Expected cost of a request by the providers still untried and the seconds left, and the try to begin with.

    The value of a state is computed at whole seconds and taken linearly in between. When every provider was tried the
    request counts as failed; a second round is not looked at.
    """

    def __init__(
        self, asked: Mapping[str, Asked], resolution: Resolution, value_of_time: float, failure_usd: float
    ) -> None:
        self._names: Sequence[str] = list(asked)
        self._failure_usd = failure_usd
        self._value_of_time = value_of_time
        self._options = [self._limits(asked[name], resolution) for name in self._names]
        self._table: dict[int, list[float]] = {}
        self._choice: dict[int, list[tuple[int, float] | None]] = {}
        for untried in range(1 << len(self._names)):
            self._fill(untried)

    def first(self, untried: Sequence[str], left_s: float) -> tuple[str, float] | None:
        """(provider, limit in seconds) to begin with; None when giving up costs less than any try."""
        mask = sum(1 << place for place, name in enumerate(self._names) if name in untried)
        choice = self._choice[mask][max(0, min(HORIZON_S, int(left_s)))]
        return None if choice is None else (self._names[choice[0]], choice[1])

    def _limits(self, asked: Asked, resolution: Resolution) -> list[list[tuple[Prospect, list[tuple[float, float]]]]]:
        """By whole seconds left: the tries to choose from, each with (probability, seconds) of its ways to fail."""
        truth = asked.truth
        median_s = truth.median_at(resolution)
        limits = [median_s * exp(sigmas * truth.sigma) for sigmas in _LIMIT_SIGMAS]
        fixed = [self._option(asked, resolution, limit) for limit in limits]
        return [
            [
                *(option for option, limit in zip(fixed, limits, strict=True) if limit < left),
                self._option(asked, resolution, left),
            ]
            for left in map(float, range(HORIZON_S + 1))
        ]

    def _option(
        self, asked: Asked, resolution: Resolution, limit_s: float
    ) -> tuple[Prospect, list[tuple[float, float]]]:
        truth = asked.truth
        median_s, failing, mix = truth.median_at(resolution), 1.0 - truth.success, truth.failures
        within = share_within(limit_s, median_s, truth.sigma)
        delivers = truth.success * within
        cost = (
            truth.success * asked.price
            + self._value_of_time * truth.success * mean_up_to(limit_s, median_s, truth.sigma)
            - self._value_of_time * truth.success * (1.0 - within) * limit_s
        )
        ways = [
            (failing * mix.rate_limited, min(RATE_LIMITED_S, limit_s)),
            (failing * mix.overloaded, min(OVERLOADED_S, limit_s)),
            (failing * mix.hang + truth.success * (1.0 - within), limit_s),
        ]
        ways += [
            (failing * mix.empty / len(_EMPTY_SIGMAS), min(limit_s, median_s * exp(sigmas * truth.sigma)))
            for sigmas in _EMPTY_SIGMAS
        ]
        return Prospect(limit_s, delivers, cost, 0.0), [(share, seconds) for share, seconds in ways if share > 0.0]

    def _fill(self, untried: int) -> None:
        values: list[float] = []
        choices: list[tuple[int, float] | None] = []
        members = [place for place in range(len(self._names)) if untried >> place & 1]
        rest = [self._table[untried & ~(1 << place)] for place in members]
        for left in range(HORIZON_S + 1):
            best, choice = self._failure_usd, None
            for place, after in zip(members, rest, strict=True):
                for option, ways in self._options[place][left]:
                    cost = option.cost
                    for share, seconds in ways:
                        cost += share * (self._value_of_time * seconds + _between(after, left - seconds))
                    if cost < best:
                        best, choice = cost, (place, option.limit_s)
            values.append(best)
            choices.append(choice)
        self._table[untried] = values
        self._choice[untried] = choices


def _between(values: list[float], left_s: float) -> float:
    below = int(left_s)
    if below >= HORIZON_S:
        return values[HORIZON_S]
    return values[below] + (values[below + 1] - values[below]) * (left_s - below)
