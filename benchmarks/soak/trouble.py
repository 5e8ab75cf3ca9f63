"""Trouble: which vendor fails in which way and when, and when Redis goes. The vendors fail one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from simulator.faults import Kind, able
from simulator.vendors import Vendor

BETWEEN_S: Final = (20.0, 60.0)
"""From the end of one vendor's trouble to the next, from and to."""
LASTS_S: Final = (8.0, 25.0)
REDIS_EVERY_S: Final = 240.0
REDIS_AWAY_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong. Seconds since the load began."""

    at: float
    lasts: float
    what: str
    """``fault``, or what happens to Redis: ``killed`` or ``stalled``."""
    fault: Any = None
    """The order for the simulator."""


def troubles(seconds: float, dice: Random) -> Iterator[Trouble]:
    """All of a soak, by their beginning. The last third of a minute is left in peace."""
    every = [*_faults(seconds - 20.0, dice), *_redis(seconds - 20.0)]
    yield from sorted(every, key=lambda each: each.at)


def _faults(until: float, dice: Random) -> Iterator[Trouble]:
    at = dice.uniform(*BETWEEN_S)
    kinds: list[Kind] = []
    while at < until:
        kinds = kinds or dice.sample(list(Kind), len(Kind))  # each once before any again
        kind, lasts = kinds.pop(), dice.uniform(*LASTS_S)
        vendor = dice.choice(sorted(able(kind)))
        rate = dice.choice((0.3, 0.6, 1.0))
        yield Trouble(at, lasts, "fault", _order(vendor, kind, rate, lasts))
        at += lasts + dice.uniform(*BETWEEN_S)


def _order(vendor: Vendor, kind: Kind, rate: float, lasts: float) -> dict[str, Any]:
    return {"provider": vendor.value, "kind": kind.value, "rate": rate, "seconds": lasts}


def _redis(until: float) -> Iterator[Trouble]:
    number = 1
    while (at := number * REDIS_EVERY_S) < until:
        yield Trouble(at, REDIS_AWAY_S, "killed" if number % 2 else "stalled")
        number += 1
