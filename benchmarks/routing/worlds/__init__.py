"""Worlds: the named ones, each with one kind of trouble, and random compounds of them."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.routing.world import World
from benchmarks.routing.worlds.compounds import random_world
from benchmarks.routing.worlds.named import NAMED

RANDOM = "random"
"""The name under which random worlds are asked for."""

TUNING_SEEDS = tuple(range(1, 13))
"""Seeds that parameters may be chosen on."""
REPORT_SEEDS = tuple(range(101, 125))
"""Seeds that are only ever reported on. Fixed before any parameter was chosen."""


LUCK = 1000
"""Of a random world's seed, what is above this decides its luck alone: who arrives when and what a try comes to. One
luck of a few thousand requests is too few to judge a bar of two failures in a thousand."""


def make_world(name: str, seed: int) -> World:
    """The world of that name and seed. Raises KeyError for a name there is not."""
    return replace(random_world(seed % LUCK), seed=seed) if name == RANDOM else NAMED[name](seed)
