"""Worlds: the named ones, each with one kind of trouble, and random compounds of them."""

from __future__ import annotations

from benchmarks.routing.world import World
from benchmarks.routing.worlds.compounds import random_world
from benchmarks.routing.worlds.named import NAMED

RANDOM = "random"
"""The name under which random worlds are asked for."""

TUNING_SEEDS = tuple(range(1, 13))
"""Seeds that parameters may be chosen on."""
REPORT_SEEDS = tuple(range(101, 125))
"""Seeds that are only ever reported on. Fixed before any parameter was chosen."""


def make_world(name: str, seed: int) -> World:
    """The world of that name and seed. Raises KeyError for a name there is not."""
    return random_world(seed) if name == RANDOM else NAMED[name](seed)
