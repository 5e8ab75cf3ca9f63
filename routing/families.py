"""Families: providers that share a backend fail together. How far one's failure speaks against the other is learned."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from providers.spec.errors import Fault
from routing.knobs import StatisticsKnobs

_MEMORY = 200.0
"""Observations of a pair that are remembered at full weight. Above it all are halved, so that what was learned in one
outage is not held for ever against a backend that has changed; at this number the standard error is under 0.04."""

_NO_EFFECT = 1.0

SHARED_CAUSE = frozenset({Fault.OVERLOADED, Fault.TIMED_OUT, Fault.UNREACHABLE})
"""Faults whose cause may lie in a backend that another provider uses too."""


class Families:
    """What follows the failure of one provider, per ordered pair of a family. Mutable, no clock."""

    __slots__ = ("_counts", "_families", "_knobs")

    def __init__(self, knobs: StatisticsKnobs, families: Mapping[str, str]) -> None:
        self._knobs = knobs
        self._families = families
        """By provider: the name of its family (``Policy.families``); one without an entry has none."""
        self._counts: dict[tuple[str, str], tuple[float, float]] = {}
        """Per pair: tries at the other after the one had failed, and deliveries among them."""

    def note(self, failed: str, other: str, delivered: bool) -> None:
        """``other`` was tried right after ``failed`` had failed. Pairs of no common family are not kept."""
        if not self._related(failed, other):
            return
        tries, deliveries = self._counts.get((failed, other), (0.0, 0.0))
        if tries >= _MEMORY:
            tries, deliveries = tries / 2, deliveries / 2
        self._counts[failed, other] = (tries + 1.0, deliveries + (1.0 if delivered else 0.0))

    def success_after(self, failed: str, other: str) -> float:
        """What to multiply ``other``'s success with while ``failed`` has just failed.

        Within a family the learned probability that the other delivers then; 1.0 for everybody else, and for the
        provider itself, whose own statistics know of the failure.
        """
        if not self._related(failed, other):
            return _NO_EFFECT
        tries, deliveries = self._counts.get((failed, other), (0.0, 0.0))
        pseudo = self._knobs.family_pseudo
        return (pseudo * self._knobs.family_success + deliveries) / (pseudo + tries)

    def factors(self, providers: Collection[str]) -> Mapping[tuple[str, str], float]:
        """``success_after`` for every pair of these providers that is of one family, by (failed, other)."""
        return {
            (failed, other): self.success_after(failed, other)
            for failed in providers
            for other in providers
            if self._related(failed, other)
        }

    def _related(self, failed: str, other: str) -> bool:
        family = self._families.get(failed)
        return family is not None and failed != other and self._families.get(other) == family
