"""Baselines: the usual routers. Each differs in how it orders the providers; all fall back the same, decent way.

Every provider that sells the tier is tried in the router's order, then once more in the same order. A 429 uses up no
try: the provider is left alone for the stated wait (by all requests) or for five seconds (by this one), and when nobody
else is left the request waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from statistics import fmean, median
from types import MappingProxyType
from typing import Final

from benchmarks.routing.router import Ended, GiveUp, Step, Try, Wait
from benchmarks.routing.world import Request, World
from providers.spec.errors import Fault
from providers.spec.request import Resolution

LIMIT_S: Final[Mapping[Resolution, float]] = MappingProxyType(
    {Resolution.R512: 75.0, Resolution.R1K: 90.0, Resolution.R2K: 120.0, Resolution.R4K: 150.0}
)
"""How long a try may take; the product's own limits from before it measured anything."""
BACK_OFF_S: Final = 5.0
"""After a 429 that states no wait."""
ROUNDS: Final = 2
"""How often a request tries each provider."""
MOST_REFUSED: Final = 40
"""429s after which a request gives up."""
COOL_DOWN_S: Final = 60.0
RECENT: Final = 50
"""Samples a provider's p50 is taken over."""


class Baseline:
    """A usual router. A subclass says in which order a request tries the providers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.names = list(world.providers)
        self.dice = Random(f"{world.name}/{world.seed}/{type(self).__name__}")
        self.blocked: dict[str, float] = {}
        """Until when providers have asked to be left alone."""

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:
        """The providers in ``sold`` (by name, with the price of this tier now), first to be tried first."""
        raise NotImplementedError

    def note(self, ended: Ended) -> None:
        """Learn from a try."""

    def arrive(self, request: Request, now: float, wake: Callable[[], None]) -> BaselineSession:  # noqa: ARG002
        """Order the providers for this request."""
        prices = {name: self.world.price(name, request.resolution, now) for name in self.names}
        sold = {name: price for name, price in prices.items() if price is not None}
        return BaselineSession(self, self.order(request, sold, now), LIMIT_S[request.resolution])


class BaselineSession:
    """One request of a usual router."""

    watches = False

    def __init__(self, router: Baseline, order: list[str], limit_s: float) -> None:
        self._router = router
        self._limit_s = limit_s
        self._left = order * ROUNDS
        self._resting: dict[str, float] = {}
        self._refused = 0

    def next(self, now: float) -> Step:
        """The first provider in order that may be asked now, or the wait for one."""
        if not self._left or self._refused > MOST_REFUSED:
            return GiveUp()
        soonest = float("inf")
        for place, name in enumerate(self._left):
            free_at = max(self._resting.get(name, 0.0), self._router.blocked.get(name, 0.0))
            if free_at <= now:
                del self._left[place]
                return Try(name, self._limit_s)
            soonest = min(soonest, free_at)
        return Wait(soonest)

    def ended(self, ended: Ended) -> None:
        """A 429 gives the try back, after a rest."""
        if ended.fault is Fault.RATE_LIMITED:
            self._refused += 1
            self._left.append(ended.provider)
            if ended.retry_after_s is None:
                self._resting[ended.provider] = ended.ended + BACK_OFF_S
            else:
                self._router.blocked[ended.provider] = ended.ended + ended.retry_after_s
        self._router.note(ended)

    def closed(self, now: float) -> None:
        """Nothing is kept."""


class Uniform(Baseline):
    """Any order."""

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:  # noqa: ARG002
        names = list(sold)
        self.dice.shuffle(names)
        return names


class Cheapest(Baseline):
    """By price at the tier; ties by the order of the configuration."""

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:  # noqa: ARG002
        return sorted(sold, key=lambda name: sold[name])


class RoundRobin(Baseline):
    """In turn."""

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:  # noqa: ARG002
        names = list(sold)
        turn = request.number % len(names)
        return names[turn:] + names[:turn]


class CooledP50(Baseline):
    """By the median of the last samples of any size; who has failed is last for a minute."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._recent: dict[str, deque[float]] = {name: deque(maxlen=RECENT) for name in self.names}
        self._median: dict[str, float] = dict.fromkeys(self.names, 0.0)
        self._cool_until: dict[str, float] = {}

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:  # noqa: ARG002
        return sorted(sold, key=lambda name: (self._cool_until.get(name, 0.0) > now, self._median[name]))

    def note(self, ended: Ended) -> None:
        """Successes make the median, failures the rest."""
        if ended.fault is None:
            recent = self._recent[ended.provider]
            recent.append(ended.seconds)
            self._median[ended.provider] = median(recent)
        elif ended.fault is not Fault.CONTENT_REFUSED and not ended.deadline_hit:
            self._cool_until[ended.provider] = ended.ended + COOL_DOWN_S


class MeanOfLastTen(Baseline):
    """By the mean of the last ten successes of any size; failures do not count, who has none is first."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._recent: dict[str, deque[float]] = {name: deque(maxlen=10) for name in self.names}

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:  # noqa: ARG002
        return sorted(sold, key=lambda name: fmean(self._recent[name]) if self._recent[name] else 0.0)

    def note(self, ended: Ended) -> None:
        """Only what was delivered."""
        if ended.fault is None:
            self._recent[ended.provider].append(ended.seconds)


class PriceWeighted(Baseline):
    """At random, with weights 1/price^2."""

    def order(self, request: Request, sold: Mapping[str, float], now: float) -> list[str]:  # noqa: ARG002
        keyed = {name: self.dice.random() ** (price * price) for name, price in sold.items()}
        return sorted(sold, key=lambda name: -keyed[name])


BASELINES: Final[Mapping[str, Callable[[World], Baseline]]] = MappingProxyType(
    {
        "random": Uniform,
        "cheapest": Cheapest,
        "round_robin": RoundRobin,
        "p50_cooldown": CooledP50,
        "mean_of_last_10": MeanOfLastTen,
        "price_weighted_random": PriceWeighted,
    }
)
"""Every baseline by name."""
