"""Trials: who may look whether an offer that kept failing is back. One request at a time, of one replica at a time."""

from __future__ import annotations

from collections.abc import Iterable


class Trials:
    """The trials of half-open breakers. Mutable, no clock; ``now`` is unix seconds."""

    __slots__ = ("_leases", "_running", "_wanted", "shared")

    def __init__(self, offers: Iterable[str]) -> None:
        self._running = dict.fromkeys(offers, 0)
        self._leases: dict[str, float] = {}
        self._wanted: set[str] = set()
        self.shared = False
        """Whether other replicas ask the same offers, so that a trial needs the lease."""

    def possible(self, offer: str, *, asking: bool, now: float) -> bool:
        """Whether a request may begin a trial now. With ``asking``, a lease that is all it lacks is noted as wanted."""
        if self._running[offer] > 0:
            return False
        if self.shared and now >= self._leases.get(offer, 0.0):
            if asking:
                self._wanted.add(offer)
            return False
        return True

    def began(self, offer: str) -> None:
        """A trial is under way."""
        self._running[offer] += 1

    def ended(self, offer: str) -> None:
        """A trial is over."""
        self._running[offer] -= 1

    def wanted(self) -> set[str]:
        """Offers for which a lease was wanted since the last call."""
        wanted, self._wanted = self._wanted, set()
        return wanted

    def granted(self, offer: str, until: float) -> None:
        """This replica alone may try the offer until then."""
        self._leases[offer] = until
