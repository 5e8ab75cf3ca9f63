"""World: providers with their truth over time, and the requests that arrive. The same for every router in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from benchmarks.routing.draws import key, uniform
from benchmarks.routing.truth import Timeline, Truth
from providers.spec.request import Resolution

DEFAULT_DEADLINE_S: Final = 300.0
"""What a request has when its caller names no timeout; the product's default."""
_REFUSAL_DRAW: Final = 11


@dataclass(frozen=True, slots=True)
class Request:
    """What a router is told of a request. Whether its prompt will be refused is not among it."""

    number: int
    arrived: float
    """Seconds from the start of the world."""
    resolution: Resolution
    deadline_s: float
    """From the arrival."""


@dataclass(frozen=True, slots=True)
class Sickness:
    """A time in which a provider is not what it was; for measuring how soon routers leave and return."""

    provider: str
    start: float
    end: float
    """At or beyond the world's end: it does not recover."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests arrive and what they ask for."""

    rates: Sequence[tuple[float, float]] = ((0.0, 0.6),)
    """(from this second on, requests per second); the first at 0."""
    resolutions: Mapping[Resolution, float] = field(default_factory=lambda: {Resolution.R1K: 1.0})
    """Weights of the tiers."""
    deadlines: Mapping[float, float] = field(default_factory=lambda: {DEFAULT_DEADLINE_S: 1.0})
    """Weights of the deadlines in seconds."""
    refusals: Sequence[tuple[float, float]] = ((0.0, 0.02),)
    """(from this second on, share of prompts every provider refuses)."""


@dataclass(frozen=True, slots=True)
class World:
    """One world of one seed."""

    name: str
    seed: int
    duration_s: float
    providers: Mapping[str, Timeline]
    """In the order of the configuration, which decides ties."""
    traffic: Traffic
    sicknesses: Sequence[Sickness] = ()
    families: Mapping[str, str] = field(default_factory=lambda: {"gemini": "google", "vertex": "google"})

    def truth(self, provider: str, now: float) -> Truth:
        """What the provider really is at that moment."""
        return self.providers[provider].at(now)

    def price(self, provider: str, resolution: Resolution, now: float) -> float | None:
        """USD per image, which everybody may know; None where the tier is not sold."""
        return self.providers[provider].at(now).prices.get(resolution)

    def refused(self, request: Request) -> bool:
        """Whether the prompt is one that no provider draws."""
        share = _in_force(self.traffic.refusals, request.arrived)
        return uniform(key(self.seed, request.number), _REFUSAL_DRAW) < share

    def requests(self) -> list[Request]:
        """All requests in the order of their arrival: a Poisson stream whose rate follows the profile."""
        dice = Random(f"{self.name}/{self.seed}/arrivals")
        traffic = self.traffic
        highest = max(rate for _, rate in traffic.rates)
        tiers, tier_weights = list(traffic.resolutions), list(traffic.resolutions.values())
        deadlines, deadline_weights = list(traffic.deadlines), list(traffic.deadlines.values())
        requests: list[Request] = []
        now = dice.expovariate(highest)
        while now < self.duration_s:
            if dice.random() * highest < _in_force(traffic.rates, now):
                tier = dice.choices(tiers, tier_weights)[0]
                deadline = dice.choices(deadlines, deadline_weights)[0]
                requests.append(Request(len(requests), now, tier, deadline))
            now += dice.expovariate(highest)
        return requests


def _in_force(profile: Sequence[tuple[float, float]], now: float) -> float:
    value = profile[0][1]
    for start, each in profile:
        if start > now:
            break
        value = each
    return value
