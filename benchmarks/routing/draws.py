"""Draws: random numbers that depend on what they are drawn for alone, so that all routers meet the same luck.

Two routers that try the same provider for the same request, for the first time, in the same world, are told the same
thing. Their difference is then due to their choices, and a ratio of their costs needs far fewer worlds to be sharp.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_UNIT: Final = 1.0 / (1 << 53)
_STANDARD: Final = NormalDist()
_TINY: Final = 1e-12
"""The inverse of the normal distribution is not defined at 0 and 1."""


def mixed(value: int) -> int:
    """A 64-bit number that looks random and is a function of ``value`` (the output step of SplitMix64)."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def key(*parts: int) -> int:
    """One 64-bit key of several integers; their order matters."""
    state = 0
    for part in parts:
        state = mixed(state ^ (part & _MASK))
    return state


def uniform(state: int, purpose: int) -> float:
    """A number in [0, 1) that belongs to this key and purpose."""
    return (mixed(state ^ mixed(purpose)) >> 11) * _UNIT


def normal(state: int, purpose: int) -> float:
    """A standard normal number that belongs to this key and purpose."""
    return _STANDARD.inv_cdf(min(max(uniform(state, purpose), _TINY), 1.0 - _TINY))
