"""Latency of successes: a window that follows the present, a long-run level to come back to, and what is still running.

Values are logarithms of seconds, brought to the 1K tier by the offer's size factor, so that all tiers of an offer can
be compared. A latency is taken as normally distributed on that scale.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, log, pi, sqrt

from providers.spec.unguarded import unguarded
from routing.knobs import StatisticsKnobs
from routing.stats.decay import DecayedSums, summed

_FACTOR_PSEUDO = 8.0
"""Observations for which the configured size factor stands against the measured one."""
_SURPRISE_MAX = 4.0
"""Sigmas one sample counts for at most in change detection, so that a lone outlier never cuts the window."""
_ROOT_2 = sqrt(2.0)
_ROOT_2_PI = sqrt(2.0 * pi)
_TAIL_SIGMAS = 8.0
"""From here on the tail of the normal distribution is taken by its asymptote; the exact form runs out of digits."""


@unguarded
@dataclass(frozen=True, slots=True)
class Level:
    """Where latencies lie, as logarithms of seconds at 1K."""

    middle: float
    sigma: float
    weight: float
    """Observations ``middle`` stands on, prior and siblings included."""
    long_run: float


class Latency:
    """What deliveries say about the latency of one key. Mutable, no clock."""

    __slots__ = ("_back", "_down", "_kept", "_knobs", "_scored_at", "_up", "_window", "long_run", "told")

    def __init__(self, knobs: StatisticsKnobs) -> None:
        self._knobs = knobs
        self.long_run = DecayedSums(knobs.long_run_half_life_s)
        self._window = DecayedSums(knobs.latency_half_life_s)
        self.told = self._window
        """What siblings hear of this tier: its window, but for what a sibling's change of level has put out of date."""
        self._kept: deque[tuple[float, float]] = deque(maxlen=knobs.change_keep)
        self._up = 0.0
        self._down = 0.0
        self._back = 0.0
        self._scored_at = 0.0

    def level(self, tiers: Sequence[Latency], prior: float, now: float) -> Level:
        """The level at ``now``. ``tiers``: all that were tried; ``prior``: the offer's.

        The long run starts from what the other tiers say about the offer, the window from the long run. How much this
        tier differs from its size factor is learned from the long run and applied to what siblings say at present.
        """
        knobs = self._knobs
        own, own_total, _ = self.long_run.sums(now)
        others = [tier for tier in tiers if tier is not self]
        other, other_total, _ = summed([tier.long_run for tier in others], now)
        told = [tier.told for tier in others]
        # As of one time for all, so that they keep their weights beside each other.
        latest = max([now, *[each.at for each in told]])
        sibling, sibling_total, sibling_squares = summed(told, latest)
        long_run = (own_total + (prior + other_total) / (1.0 + other)) / (own + 1.0)

        weight, total, squares = self._window.sums(now)
        if sibling > 0.0:
            share = knobs.sibling_weight
            sibling *= share
            sibling_total *= share
            sibling_squares *= share
            if own > 1e-6 and other > 1e-6:
                known = own / (own + _FACTOR_PSEUDO) * (other / (other + _FACTOR_PSEUDO))
                shift = known * (own_total / own - other_total / other)
                sibling_squares += shift * (2.0 * sibling_total + shift * sibling)
                sibling_total += shift * sibling
            weight += sibling
            total += sibling_total
            squares += sibling_squares

        spread = squares - total * total / weight if weight > 1e-9 else 0.0
        if spread < 0.0:
            spread = 0.0
        freedom = knobs.sigma_pseudo + (weight - 1.0 if weight > 1.0 else 0.0)
        sigma = sqrt((knobs.sigma_pseudo * knobs.sigma_prior * knobs.sigma_prior + spread) / freedom)
        if not knobs.sigma_min <= sigma <= knobs.sigma_max:
            sigma = min(max(sigma, knobs.sigma_min), knobs.sigma_max)
        stands_on = weight + knobs.latency_pseudo
        return Level(
            middle=(total + knobs.latency_pseudo * long_run) / stands_on,
            sigma=sigma,
            weight=stands_on,
            long_run=long_run,
        )

    def add(self, at: float, value: float, before: Level) -> bool:
        """Count one own delivery, given the level ``before`` it. Whether it shows that the level has changed.

        Then the window keeps only the last samples, or only this one if the latency is back at the long run; what
        siblings have told is out of date as well.
        """
        changed = self._changed(at, value, before)
        square = value * value
        self.long_run.add_sums(at, 1.0, value, square)
        if changed:
            self._window.clear()
            for kept_at, kept in self._kept:
                self._window.add(kept_at, kept)
            self.told = self._window
            self._up = self._down = self._back = 0.0
            return True
        self._window.add_sums(at, 1.0, value, square)
        if self.told is not self._window:
            self.told.add_sums(at, 1.0, value, square)
        return False

    def out_of_date(self) -> None:
        """A sibling has changed its level: what this tier has told it and the others speaks of a time that is over."""
        self.told = DecayedSums(self._knobs.latency_half_life_s)

    def absorb(self, at: float, weight: float, total: float, squares: float, *, window: bool) -> None:
        """Count deliveries summed up elsewhere; into the window too where ``window`` says so. Changes go unnoticed."""
        self.long_run.add_sums(at, weight, total, squares)
        if window:
            self._window.add_sums(at, weight, total, squares)
            if self.told is not self._window:
                self.told.add_sums(at, weight, total, squares)

    def _changed(self, at: float, value: float, before: Level) -> bool:
        """Whether the window has to go; ``_kept`` then holds what remains of it."""
        knobs = self._knobs
        ahead = at - self._scored_at
        if ahead < -knobs.latency_half_life_s:
            # News this old is about a level that may have passed.
            return False
        if ahead > 0.0:
            # Suspicion ages as the window does.
            left = 0.5 ** (ahead / knobs.latency_half_life_s)
            self._up *= left
            self._down *= left
            self._back *= left
            self._scored_at = at
        self._kept.append((at, value))

        variance = before.sigma * before.sigma
        off = value - before.middle
        surprise = off / (before.sigma * sqrt(1.0 + 1.0 / before.weight))
        if not -_SURPRISE_MAX <= surprise <= _SURPRISE_MAX:
            surprise = min(max(surprise, -_SURPRISE_MAX), _SURPRISE_MAX)
        up = self._up + surprise - knobs.change_drift
        down = self._down - surprise - knobs.change_drift
        off_long_run = value - before.long_run
        back = self._back + (off * off - off_long_run * off_long_run) / (2.0 * variance)
        if up < 0.0:
            up = 0.0
        if down < 0.0:
            down = 0.0
        if back < 0.0:
            back = 0.0
        self._up, self._down, self._back = up, down, back
        if back > knobs.return_threshold:
            self._kept.clear()
            self._kept.append((at, value))
            return True
        return up > knobs.change_threshold or down > knobs.change_threshold


def with_running(level: Level, shift: float, running: Sequence[float], now: float, knobs: StatisticsKnobs) -> float:
    """The middle once tries under way are heard, which began at these unix seconds. ``shift`` is the tier's.

    Tries that are late say that the offer has become slow before any of them ends. When they are several, and no small
    share of what is running, each counts like a delivery at the latency to be expected of a try of its age; and the
    window, which may stand on hundreds of deliveries of better times, counts as ``censor_weight`` at most.
    """
    if len(running) < knobs.censor_min_running:
        return level.middle
    sigma = level.sigma
    latest = now - exp(level.middle + shift + knobs.censor_sigmas * sigma)
    late = [started_at for started_at in running if started_at < latest]
    if len(late) < knobs.censor_min_running or len(late) < knobs.censor_share * len(running):
        return level.middle
    start = level.middle + shift
    excess = 0.0
    for started_at in late:
        excess += _tail_mean((log(now - started_at) - start) / sigma)
    weight = min(level.weight, knobs.censor_weight)
    return level.middle + sigma * excess / (weight + len(late))


def _tail_mean(sigmas: float) -> float:
    """Mean of a standard normal variable that is known to exceed ``sigmas``."""
    if sigmas > _TAIL_SIGMAS:
        return sigmas + 1.0 / sigmas
    return exp(-0.5 * sigmas * sigmas) / _ROOT_2_PI / (0.5 * erfc(sigmas / _ROOT_2))
