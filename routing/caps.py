"""Caps: the operator's bounds on requests at once, per provider and for all replicas together."""

from __future__ import annotations

from collections.abc import Mapping


class Caps:
    """How much of each provider's cap this replica uses. Mutable, no clock.

    A replica's share is the cap divided by the live replicas, rounded down, but at least one: a cap below the number of
    replicas is kept by each of them alone.
    """

    __slots__ = ("_caps", "_in_flight", "replicas")

    def __init__(self, caps: Mapping[str, int]) -> None:
        self._caps = caps
        self._in_flight: dict[str, int] = {}
        self.replicas = 1

    def began(self, provider: str) -> None:
        """A try at this provider is under way."""
        self._in_flight[provider] = self._in_flight.get(provider, 0) + 1

    def ended(self, provider: str) -> None:
        """A try at this provider is over."""
        self._in_flight[provider] -= 1

    def holds(self, provider: str) -> bool:
        """Whether the provider has a cap."""
        return provider in self._caps

    def below(self, provider: str) -> bool:
        """Whether one more try stays within the cap."""
        return provider not in self._caps or self._in_flight.get(provider, 0) < self._share(provider)

    def load(self, provider: str) -> float:
        """Share of the cap that is in use; 0.0 without a cap."""
        return self._in_flight.get(provider, 0) / self._share(provider) if provider in self._caps else 0.0

    def _share(self, provider: str) -> int:
        return max(1, self._caps[provider] // self.replicas)


def line_key(provider: str) -> str:
    """What requests wait for in line that wait for a provider's cap; no offer's key has a colon before its slash."""
    return f"cap:{provider}"
