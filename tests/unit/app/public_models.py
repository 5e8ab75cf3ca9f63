"""Public models for tests of the door and of verification: one with four tiers, one with a single tier of its own."""

from __future__ import annotations

from app.catalog.models import Pixels, PublicModel
from providers.spec.request import Resolution

_AT_1K: dict[str, Pixels] = {
    "1:1": (1024, 1024), "1:4": (512, 2048), "1:8": (384, 3072), "2:3": (848, 1264), "3:2": (1264, 848),
    "3:4": (896, 1200), "4:1": (2048, 512), "4:3": (1200, 896), "4:5": (928, 1152), "5:4": (1152, 928),
    "8:1": (3072, 384), "9:16": (768, 1376), "16:9": (1376, 768), "21:9": (1584, 672),
}  # fmt: skip
_FACTORS = {Resolution.R512: 0.5, Resolution.R1K: 1.0, Resolution.R2K: 2.0, Resolution.R4K: 4.0}


def _scaled(factor: float) -> dict[str, Pixels]:
    return {ratio: (round(width * factor), round(height * factor)) for ratio, (width, height) in _AT_1K.items()}


NANO_BANANA_2 = PublicModel(
    name="gemini-3.1-flash-image-preview",
    display_name="Nano Banana 2",
    created=1_772_000_000,
    owned_by="google",
    aliases=("nano-banana-2",),
    resolutions=tuple(Resolution),
    default_resolution=Resolution.R1K,
    aspect_ratios=tuple(_AT_1K),
    pixels={tier: _scaled(factor) for tier, factor in _FACTORS.items()},
    accepted_pixels={Resolution.R512: {"21:9": (792, 168)}},
)

ONE_TIER = PublicModel(
    name="gemini-2.5-flash-image",
    display_name="Nano Banana",
    created=1_759_000_000,
    owned_by="google",
    aliases=(),
    resolutions=(Resolution.R1K,),
    default_resolution=Resolution.R1K,
    aspect_ratios=("1:1", "2:3", "3:2", "16:9"),
    pixels={Resolution.R1K: {"1:1": (1024, 1024), "2:3": (832, 1248), "3:2": (1248, 832), "16:9": (1344, 768)}},
    accepted_pixels={},
)

TWO_FAR_TIERS = PublicModel(
    name="flux-far",
    display_name="A model with a gap between its tiers",
    created=1_700_000_000,
    owned_by="nobody",
    aliases=(),
    resolutions=(Resolution.R512, Resolution.R2K),
    default_resolution=Resolution.R512,
    aspect_ratios=("1:1",),
    pixels={Resolution.R512: {"1:1": (512, 512)}, Resolution.R2K: {"1:1": (2048, 2048)}},
    accepted_pixels={},
)
