"""Figures: the statistics of all offers, with the tries under way beside them; worked out anew when they change."""

from __future__ import annotations

from collections.abc import Callable

from routing.knobs import Priors, StatisticsKnobs
from routing.stats.estimate import Estimate
from routing.stats.outcome import Outcome, StatKey
from routing.stats.statistics import Statistics

_FRESH_SHARE = 1 / 120
"""Share of the fast half-life for which figures are kept before they are worked out anew: one second of two minutes."""


class Figures:
    """Estimates by key, and when the tries under way began. Mutable, no clock; ``now`` is unix seconds."""

    __slots__ = ("_fresh_s", "_knobs", "_known", "_running", "statistics")

    def __init__(self, knobs: StatisticsKnobs, priors: Callable[[str], Priors]) -> None:
        self.statistics = Statistics(knobs, priors)
        self._knobs = knobs
        self._fresh_s = knobs.fast_half_life_s * _FRESH_SHARE
        self._running: dict[StatKey, dict[int, float]] = {}
        self._known: dict[StatKey, tuple[float, Estimate]] = {}

    def estimate(self, key: StatKey, *, now: float) -> Estimate:
        """What is known of the key."""
        known = self._known.get(key)
        if known is not None and now - known[0] < self._fresh_s:
            return known[1]
        running = self._running.get(key)
        late = tuple(running.values()) if running and len(running) >= self._knobs.censor_min_running else ()
        estimate = self.statistics.estimate(key, now=now, running=late)
        self._known[key] = (now, estimate)
        return estimate

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.statistics.add(outcome)
        self._known.pop(outcome.key, None)

    def came_back(self, offer: str) -> None:
        """The offer's outage is over and no longer speaks against it."""
        self.statistics.reset_fast(offer)
        self._known.clear()

    def forget_estimates(self) -> None:
        """Work everything out anew: much was counted at once."""
        self._known.clear()

    def began(self, key: StatKey, number: int, *, now: float) -> None:
        """A try began; ``number`` tells it from the others under way."""
        self._running.setdefault(key, {})[number] = now

    def ended(self, key: StatKey, number: int) -> None:
        """A try is over."""
        running = self._running[key]
        del running[number]
        if not running:
            del self._running[key]

    def running(self, offer: str) -> list[float]:
        """When the offer's tries under way began, of all operations and resolutions."""
        return [began for key, tries in self._running.items() if key.offer == offer for began in tries.values()]
