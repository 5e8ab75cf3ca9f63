"""Exploration: the budget for probes, real requests that look whether an offer is better than it is known to be.

Which offer is worth a look is for the ranking to say; here is only how often, how many, and by which replica.
"""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import NamedTuple

from routing.knobs import ExplorationKnobs

_ROUNDING = 1e-9
"""Budget that a sum of shares may be short of by rounding: ten times 0.1 is not quite one."""


class Due(NamedTuple):
    """Whether a request may probe an offer."""

    likely: bool
    """That would be the best if its long-run figures still held."""
    hopeful: bool
    """That would be the best only if it were much faster than they say, so it is looked at less often."""


_NOT_DUE = Due(likely=False, hopeful=False)


class _Looks:
    """What is remembered of one offer."""

    __slots__ = ("leased_until", "probing", "tried_at", "wanted_at")

    def __init__(self) -> None:
        self.tried_at = -inf
        self.probing = False
        self.leased_until = 0.0
        self.wanted_at: float | None = None


class Exploration:
    """Budget and turns of the probes of all offers. Mutable, no clock: ``now`` is unix seconds.

    Nothing is saved up at the start, so that the share holds from the first request on.
    """

    __slots__ = ("_budget", "_knobs", "_looks", "shared")

    def __init__(self, knobs: ExplorationKnobs) -> None:
        self._knobs = knobs
        self._budget = 0.0
        self._looks: defaultdict[str, _Looks] = defaultdict(_Looks)
        self.shared = False
        """Whether other replicas probe the same offers, so that a probe needs the lease."""

    def request_seen(self) -> None:
        """A request arrived: the budget grows by its share."""
        if self._budget < self._knobs.burst:
            self._budget = min(self._budget + self._knobs.share, self._knobs.burst)

    def due(self, offer: str, *, now: float, asking: bool = True) -> Due:
        """Whether this request may probe the offer.

        When nothing but the lease is missing, the offer is noted for ``wanted``, if ``asking``.
        """
        looks = self._looks[offer]
        if looks.probing or self._budget < 1.0 - _ROUNDING:
            return _NOT_DUE
        rested_s = now - looks.tried_at
        likely, hopeful = rested_s >= self._knobs.likely_s, rested_s >= self._knobs.hopeful_s
        if not (likely or hopeful):
            return _NOT_DUE
        if self.shared and now >= looks.leased_until:
            if asking:
                looks.wanted_at = now
            return _NOT_DUE
        return Due(likely, hopeful)

    def tried(self, offer: str, *, now: float) -> None:
        """An ordinary try at the offer started: it says what a probe would, so none is due for an interval."""
        looks = self._looks[offer]
        looks.tried_at = now
        looks.wanted_at = None

    def probe_started(self, offer: str, *, now: float) -> None:
        """A probe starts and is paid for from the budget."""
        looks = self._looks[offer]
        looks.probing = True
        looks.tried_at = now
        looks.wanted_at = None
        self._budget -= 1.0

    def probe_ended(self, offer: str, *, delivered: bool, now: float) -> None:
        """A probe ended.

        The interval of a failed one runs from its end: a hang must not make the next look due at once.
        """
        looks = self._looks[offer]
        looks.probing = False
        if not delivered:
            looks.tried_at = now

    def wanted(self, now: float) -> set[str]:
        """Offers whose probe would be due but for the lease; what nobody has asked for again is dropped in time."""
        found = set()
        for offer, looks in self._looks.items():
            if looks.wanted_at is None:
                continue
            if now - looks.wanted_at < self._knobs.lease_s:
                found.add(offer)
            else:
                looks.wanted_at = None
        return found

    def grant(self, offer: str, until: float) -> None:
        """This replica alone may probe the offer until then (unix seconds)."""
        looks = self._looks[offer]
        looks.leased_until = until
        looks.wanted_at = None
