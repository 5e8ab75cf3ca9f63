"""The vendors that are pretended here, how fast each is and how its pictures look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Vendor(StrEnum):
    """A vendor, by the path prefix under which it is served."""

    GEMINI = "gemini"
    VERTEX = "vertex"
    FAL = "fal"
    REPLICATE = "replicate"


class Tier(StrEnum):
    """A resolution tier, named as Google names it."""

    HALF = "512"
    ONE = "1K"
    TWO = "2K"
    FOUR = "4K"


Colour = tuple[int, int, int]

P95_SIGMAS = 1.6448536269514722
"""How many standard deviations the 95th percentile of a normal distribution lies above its median."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A log-normal latency at the 1K tier, in a real vendor's seconds (before the time scale)."""

    median: float
    p95: float
    waiting_share: float = 0.0
    """Part of the time a job stands in the vendor's queue before work starts."""

    def seconds(self, normal: float, factor: float) -> float:
        """Turn a draw from the standard normal distribution into seconds; ``factor`` is the tier's."""
        sigma = math.log(self.p95 / self.median) / P95_SIGMAS
        return self.median * factor * math.exp(sigma * normal)


PACES = {
    # Gemini and Vertex: 30-day figures a hosted gateway published in 2026. fal and Replicate: assumed, unverified.
    Vendor.GEMINI: Pace(13.298, 24.656),
    Vendor.VERTEX: Pace(29.915, 59.391),
    Vendor.FAL: Pace(12.0, 22.0, waiting_share=0.1),
    Vendor.REPLICATE: Pace(18.0, 38.0, waiting_share=0.05),
}

QUICK_PACE = Pace(2.0, 4.0, waiting_share=0.1)
"""FLUX answers in about two seconds at either seller; assumed, unverified."""

TIER_FACTORS = {Tier.HALF: 0.8, Tier.ONE: 1.0, Tier.TWO: 1.35, Tier.FOUR: 1.9}
"""How much longer a tier takes than 1K; assumed, unverified."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a vendor's pictures are painted, so that a person sees at a glance who made one."""

    title: str
    sky_top: Colour
    sky_bottom: Colour
    sun: Colour
    hills: tuple[Colour, Colour, Colour]


LOOKS = {
    Vendor.GEMINI: Look(
        "Gemini API", (18, 44, 120), (120, 178, 245), (255, 244, 205), ((66, 112, 196), (42, 78, 152), (22, 46, 100))
    ),
    Vendor.VERTEX: Look(
        "Vertex AI", (8, 70, 66), (142, 214, 178), (250, 255, 224), ((58, 146, 118), (32, 104, 88), (14, 64, 60))
    ),
    Vendor.FAL: Look(
        "fal", (70, 22, 108), (240, 148, 202), (255, 232, 214), ((158, 72, 168), (112, 44, 134), (66, 22, 88))
    ),
    Vendor.REPLICATE: Look(
        "Replicate", (122, 30, 22), (252, 186, 96), (255, 248, 214), ((206, 96, 48), (152, 58, 36), (92, 30, 26))
    ),
}
