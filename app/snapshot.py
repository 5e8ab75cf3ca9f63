"""The health the router is handed: one mapping, read by attribute, replaced whole. In this process's memory for now."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from routing.attempt import Attempt
from routing.health import Health, after, probing
from routing.policy import Policy


class HealthBook:
    """What recent attempts say about each offer. Every change makes a new mapping; readers keep the one they took."""

    def __init__(self) -> None:
        self.current: Mapping[str, Health] = MappingProxyType({})

    def record(self, attempt: Attempt, policy: Policy, *, now: float) -> None:
        """Take a finished attempt into account. ``now`` in unix seconds."""
        key = attempt.offer.key
        self._replace(key, after(self.current.get(key), attempt, policy, now=now))

    def start_probe(self, key: str, policy: Policy, *, now: float) -> None:
        """Note that one request is probing an offer that is out, so that no other does."""
        health = self.current.get(key)
        if health is not None:
            self._replace(key, probing(health, now=now, policy=policy))

    def _replace(self, key: str, health: Health) -> None:
        if self.current.get(key) != health:
            self.current = MappingProxyType({**self.current, key: health})
