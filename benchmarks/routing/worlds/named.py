"""Named worlds: one kind of trouble each, in the middle of two hours. The seed moves it by some minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from random import Random
from types import MappingProxyType
from typing import Final

from benchmarks.routing.truth import FailureMix, Truth
from benchmarks.routing.world import Sickness, Traffic, World
from benchmarks.routing.worlds.changes import (
    BASE,
    FAST_503,
    Change,
    brown_out,
    capacity,
    decay,
    faster,
    hang,
    outage,
    repriced,
    storm,
    timelines,
)
from providers.spec.request import Resolution

DURATION_S: Final = 7200.0
SHIFT_S: Final = 300.0
"""The seed moves all events together by at most this much, later or earlier."""

ALL_TIERS: Final[Mapping[Resolution, float]] = MappingProxyType(
    {Resolution.R512: 0.25, Resolution.R1K: 0.4, Resolution.R2K: 0.2, Resolution.R4K: 0.15}
)


def _shift(name: str, seed: int) -> float:
    return Random(f"{name}/{seed}/events").uniform(-SHIFT_S, SHIFT_S)


def _world(
    name: str,
    seed: int,
    changes: Sequence[Change],
    *,
    traffic: Traffic | None = None,
    base: Mapping[str, Truth] = BASE,
    sicknesses: Sequence[Sickness] = (),
) -> World:
    return World(name, seed, DURATION_S, timelines(base, changes), traffic or Traffic(), sicknesses)


def _sick(changes: Sequence[Change]) -> list[Sickness]:
    return [Sickness(change.provider, change.start, change.end) for change in changes]


def steady(seed: int) -> World:
    """Nothing happens."""
    return _world("steady", seed, [])


def outage_world(seed: int) -> World:
    """The best provider answers 503, for twenty minutes and again for ten."""
    at = _shift("outage", seed)
    changes = [outage("gemini", 2100 + at, 3300 + at), outage("gemini", 5100 + at, 5700 + at)]
    return _world("outage", seed, changes, sicknesses=_sick(changes))


def hang_world(seed: int) -> World:
    """The best provider takes requests and never answers."""
    at = _shift("hang", seed)
    changes = [hang("gemini", 2100 + at, 3300 + at), hang("gemini", 5100 + at, 5700 + at)]
    return _world("hang", seed, changes, sicknesses=_sick(changes))


def brown_out_world(seed: int) -> World:
    """The best provider becomes four times slower and fails more often, twice."""
    at = _shift("brown_out", seed)
    changes = [brown_out("gemini", 1800 + at, 3300 + at), brown_out("gemini", 4800 + at, 6000 + at, 5.0, 0.9)]
    return _world("brown_out", seed, changes, sicknesses=_sick(changes))


def capacity_429(seed: int) -> World:
    """For an hour the two best providers take fewer requests than arrive, one stating a wait and one not."""
    at = _shift("capacity_429", seed)
    changes = [
        capacity("gemini", 1800 + at, 5400 + at, 4),
        capacity("replicate", 1800 + at, 5400 + at, 4, retry_after_s=5.0),
    ]
    return _world("capacity_429", seed, changes)


def storm_429(seed: int) -> World:
    """The best provider refuses nearly everything with 429 while the next two are short of slots."""
    at = _shift("storm_429", seed)
    changes = [
        storm("gemini", 2100 + at, 3300 + at, 0.9, 10.0),
        storm("gemini", 4800 + at, 5700 + at, 0.9, None),
        capacity("replicate", 1800 + at, 6000 + at, 6),
        capacity("fal", 1800 + at, 6000 + at, 8, retry_after_s=3.0),
        capacity("vertex", 1800 + at, 6000 + at, 20),
    ]
    return _world("storm_429", seed, changes)


def flapping(seed: int) -> World:
    """The best provider goes down and comes back every few minutes for an hour."""
    dice = Random(f"flapping/{seed}/events")
    changes: list[Change] = []
    now = 1800.0 + dice.uniform(0, 120)
    while now < 5400.0:
        down = dice.uniform(30, 150)
        changes.append(outage("gemini", now, now + down))
        now += down + dice.uniform(60, 240)
    return _world("flapping", seed, changes)


def price_change(seed: int) -> World:
    """The best provider becomes dearer, later another one cheaper."""
    at = _shift("price_change", seed)
    changes = [repriced("gemini", 2100 + at, inf, 1.5), repriced("fal", 4500 + at, inf, 0.7)]
    return _world("price_change", seed, changes)


def slow_decay(seed: int) -> World:
    """The best provider becomes slower and less reliable over an hour and then is itself again."""
    at = _shift("slow_decay", seed)
    return _world("slow_decay", seed, [decay("gemini", 1500 + at, 5100 + at)])


def cold_becomes_good(seed: int) -> World:
    """The provider nobody uses becomes the best after half an hour; another one does for a while later."""
    at = _shift("cold_becomes_good", seed)
    changes = [faster("vertex", 1800 + at, inf, 8.0, 0.98), faster("replicate", 4500 + at, 6000 + at, 5.0, 0.98)]
    return _world("cold_becomes_good", seed, changes)


def mixed_resolutions(seed: int) -> World:
    """All tiers, with prices that make different providers the best at different tiers, and a brown-out."""
    at = _shift("mixed_resolutions", seed)
    prices = MappingProxyType({**BASE["fal"].prices, Resolution.R512: 0.035, Resolution.R4K: 0.13})
    base = {**BASE, "fal": replace(BASE["fal"], prices=prices)}
    changes = [brown_out("gemini", 2700 + at, 4500 + at, 3.0, 0.9)]
    traffic = Traffic(resolutions=ALL_TIERS)
    return _world("mixed_resolutions", seed, changes, base=base, traffic=traffic, sicknesses=_sick(changes))


def tenfold_spike(seed: int) -> World:
    """Ten times the traffic for ten minutes, at providers with a bound on requests at once."""
    at = _shift("tenfold_spike", seed)
    slots = {"gemini": 40, "vertex": 30, "fal": 30, "replicate": 25}
    changes = [capacity(provider, 0.0, inf, bound) for provider, bound in slots.items()]
    traffic = Traffic(rates=((0.0, 0.5), (3000 + at, 5.0), (3600 + at, 0.5)))
    return _world("tenfold_spike", seed, changes, traffic=traffic)


def refusals(seed: int) -> World:
    """Many prompts are refused, for a while a quarter of them."""
    at = _shift("refusals", seed)
    traffic = Traffic(refusals=((0.0, 0.06), (2400 + at, 0.25), (4800 + at, 0.06)))
    return _world("refusals", seed, [], traffic=traffic)


def tight_deadlines(seed: int) -> World:
    """Half the callers wait 30 to 60 seconds at most; the best provider has a brown-out."""
    at = _shift("tight_deadlines", seed)
    traffic = Traffic(deadlines={30.0: 1.0, 45.0: 1.0, 60.0: 1.0, 300.0: 3.0})
    changes = [brown_out("gemini", 2700 + at, 4200 + at, 3.0, 0.9)]
    return _world("tight_deadlines", seed, changes, traffic=traffic, sicknesses=_sick(changes))


def google_outage(seed: int) -> World:
    """The backend behind both Google routes is down, for a minute or two every now and then and once for long."""
    dice = Random(f"google_outage/{seed}/events")
    long_start = 3000 + dice.uniform(-SHIFT_S, SHIFT_S)
    times = [(long_start, long_start + 900.0)]
    now = dice.uniform(300, 900)
    while now < DURATION_S:
        down = dice.uniform(60, 150)
        if not long_start - down - 300 < now < long_start + 1200:
            times.append((now, now + down))
        now += down + dice.uniform(600, 1500)
    mix = FailureMix(rate_limited=0.0, overloaded=0.8, empty=0.0, hang=0.2)
    changes = [
        outage(provider, start, end, mix if start == long_start else FAST_503)
        for start, end in times
        for provider in ("gemini", "vertex")
    ]
    return _world("google_outage", seed, changes, sicknesses=[Sickness("gemini", long_start, long_start + 900.0)])


NAMED: Final[Mapping[str, Callable[[int], World]]] = MappingProxyType(
    {
        "steady": steady,
        "outage": outage_world,
        "hang": hang_world,
        "brown_out": brown_out_world,
        "capacity_429": capacity_429,
        "storm_429": storm_429,
        "flapping": flapping,
        "price_change": price_change,
        "slow_decay": slow_decay,
        "cold_becomes_good": cold_becomes_good,
        "mixed_resolutions": mixed_resolutions,
        "tenfold_spike": tenfold_spike,
        "refusals": refusals,
        "tight_deadlines": tight_deadlines,
        "google_outage": google_outage,
    }
)
"""Every named world."""
