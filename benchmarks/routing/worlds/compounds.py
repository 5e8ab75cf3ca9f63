"""Compounds: random worlds. Providers are drawn around the ordinary ones, and several troubles overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from random import Random
from types import MappingProxyType
from typing import Final

from benchmarks.routing.truth import FailureMix, Truth
from benchmarks.routing.world import DEFAULT_DEADLINE_S, Sickness, Traffic, World
from benchmarks.routing.worlds.changes import (
    ALL_EMPTY,
    ALL_HANG,
    BASE,
    FAST_503,
    Change,
    brown_out,
    capacity,
    decay,
    faster,
    outage,
    repriced,
    storm,
    timelines,
)
from benchmarks.routing.worlds.named import ALL_TIERS, DURATION_S
from providers.spec.request import Resolution

_ONE_TIER: Final[Mapping[Resolution, float]] = MappingProxyType({Resolution.R1K: 1.0})
_SOME_TIGHT: Final[Mapping[float, float]] = MappingProxyType({45.0: 0.2, 90.0: 0.2, DEFAULT_DEADLINE_S: 0.6})
_ALL_LONG: Final[Mapping[float, float]] = MappingProxyType({DEFAULT_DEADLINE_S: 1.0})
_MEASURED_S: Final = 300.0
_STORM_SHARE: Final = 0.5


def random_world(seed: int) -> World:
    """The random world of that seed: three to six troubles of any kind, at any time, at any provider but one.

    One provider is left in peace, so that there is always somebody who can serve; it is not always a good one.
    """
    dice = Random(f"random/{seed}")
    base = {provider: _varied(truth, dice) for provider, truth in BASE.items()}
    spared = dice.choice(sorted(base))
    changes: list[Change] = []
    for _ in range(dice.randint(3, 6)):
        changes += _trouble(dice, [provider for provider in base if provider != spared])
    rate = dice.uniform(0.3, 0.9)
    rates: tuple[tuple[float, float], ...] = ((0.0, rate),)
    if dice.random() < 0.3:
        start = dice.uniform(1200, 5400)
        rates = ((0.0, rate), (start, rate * dice.uniform(3, 6)), (start + dice.uniform(300, 900), rate))
    traffic = Traffic(
        rates=rates,
        resolutions=ALL_TIERS if dice.random() < 0.5 else _ONE_TIER,
        deadlines=_SOME_TIGHT if dice.random() < 0.25 else _ALL_LONG,
        refusals=((0.0, dice.uniform(0.0, 0.06)),),
    )
    sicknesses = [Sickness(change.provider, change.start, change.end) for change in changes if _measured(change, base)]
    return World("random", seed, DURATION_S, timelines(base, changes), traffic, sicknesses)


def _varied(truth: Truth, dice: Random) -> Truth:
    factor = dice.uniform(0.8, 1.25)
    shares = [dice.uniform(0.02, 0.3), dice.uniform(0.2, 0.8), dice.uniform(0.05, 0.5), dice.uniform(0.02, 0.2)]
    return replace(
        truth,
        success=min(0.99, max(0.7, 1.0 - (1.0 - truth.success) * dice.uniform(0.4, 2.0))),
        median_s=truth.median_s * dice.uniform(0.5, 2.0),
        sigma=truth.sigma * dice.uniform(0.7, 1.3),
        prices=MappingProxyType({tier: round(price * factor, 4) for tier, price in truth.prices.items()}),
        failures=FailureMix(*(share / sum(shares) for share in shares)),
    )


def _trouble(dice: Random, providers: list[str]) -> list[Change]:
    """One trouble at one provider, or at both Google routes at once."""
    provider = dice.choice(providers)
    start = dice.uniform(600, 6000)
    end = start + dice.uniform(180, 1800)
    return dice.choice(_KINDS)(dice, provider, start, end, providers)


def _outage(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [outage(provider, start, end, dice.choice([FAST_503, FAST_503, ALL_EMPTY]))]


def _hang(_dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [outage(provider, start, end, ALL_HANG)]


def _brown_out(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [brown_out(provider, start, end, dice.uniform(2.0, 6.0), dice.uniform(0.5, 1.0))]


def _decay(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [decay(provider, start, end + 1200, dice.uniform(1.5, 4.0), dice.uniform(0.6, 1.0))]


def _capacity(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [capacity(provider, start, end + 900, dice.randint(3, 12), dice.choice([None, None, 2.0, 10.0]))]


def _storm(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [storm(provider, start, end, dice.uniform(0.3, 0.95), dice.choice([None, 5.0, 15.0]))]


def _flapping(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    changes: list[Change] = []
    while start < end:
        down = dice.uniform(30, 150)
        changes.append(outage(provider, start, start + down))
        start += down + dice.uniform(60, 240)
    return changes


def _repriced(dice: Random, provider: str, start: float, _end: float, _: list[str]) -> list[Change]:
    return [repriced(provider, start, inf, dice.uniform(0.7, 1.5))]


def _good(dice: Random, provider: str, start: float, end: float, _: list[str]) -> list[Change]:
    return [faster(provider, start, end + 1800, dice.uniform(5.0, 10.0), dice.uniform(0.93, 0.99))]


def _family(_dice: Random, _provider: str, start: float, end: float, providers: list[str]) -> list[Change]:
    return [outage(provider, start, end) for provider in ("gemini", "vertex") if provider in providers]


_Kind = Callable[[Random, str, float, float, list[str]], list[Change]]
_KINDS: Final[tuple[_Kind, ...]] = (
    _outage,
    _hang,
    _brown_out,
    _decay,
    _capacity,
    _storm,
    _flapping,
    _repriced,
    _good,
    _family,
)


def _measured(change: Change, base: Mapping[str, Truth]) -> bool:
    """Whether the change takes so much away for so long that a router should leave and return.

    A storm of 429s is none: it costs a third of a second to ask again.
    """
    truth = base[change.provider]
    changed = change.apply(truth, 0.0)
    if change.end - change.start < _MEASURED_S or changed.failures.rate_limited > _STORM_SHARE:
        return False
    return changed.success < truth.success / 2
