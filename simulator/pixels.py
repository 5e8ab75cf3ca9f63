"""Pixel sizes: what each model family really delivers for a ratio and a tier."""

from __future__ import annotations

import math

from simulator.vendors import Tier

Size = tuple[int, int]

CLASSIC_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
EXTREME_RATIOS = ("1:4", "4:1", "1:8", "8:1")
ALL_RATIOS = CLASSIC_RATIOS + EXTREME_RATIOS

_ONE_K: dict[str, Size] = {
    # Google's table of Gemini 3 image sizes, https://ai.google.dev/gemini-api/docs/image-generation.
    "1:1": (1024, 1024),
    "1:4": (512, 2048),
    "1:8": (384, 3072),
    "2:3": (848, 1264),
    "3:2": (1264, 848),
    "3:4": (896, 1200),
    "4:1": (2048, 512),
    "4:3": (1200, 896),
    "4:5": (928, 1152),
    "5:4": (1152, 928),
    "8:1": (3072, 384),
    "9:16": (768, 1376),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
}
_FACTORS = {Tier.HALF: (1, 2), Tier.ONE: (1, 1), Tier.TWO: (2, 1), Tier.FOUR: (4, 1)}

GEMINI_25: dict[str, Size] = {
    # The same page's older table, for gemini-2.5-flash-image: one tier only.
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}

REPLICATE_FLUX: dict[str, Size] = {
    # FLUX at Replicate with megapixels "1"; unverified.
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "21:9": (1536, 640),
    "9:21": (640, 1536),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "3:4": (896, 1152),
    "4:3": (1152, 896),
}

FAL_PRESETS: dict[str, Size] = {
    # Named image sizes of fal's FLUX endpoints, https://fal.ai/models/fal-ai/flux/schnell/api; unverified but for 4:3.
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}


def gemini_3_size(ratio: str, tier: Tier) -> Size:
    """Pixels of the Gemini 3 image models. KeyError for a ratio they do not have.

    All tiers are the 1K sizes doubled or halved. At 512, Google's page prints 792x168 for 21:9, which is not that
    ratio; half of the 1K size is used here (unverified).
    """
    width, height = _ONE_K[ratio]
    up, down = _FACTORS[tier]
    return width * up // down, height * up // down


def replicate_flux_size(ratio: str, megapixels: str) -> Size:
    """Pixels of FLUX at Replicate; ``megapixels`` is "1" or "0.25", the latter half of each edge."""
    width, height = REPLICATE_FLUX[ratio]
    return (width // 2, height // 2) if megapixels == "0.25" else (width, height)


def nearest_ratio(size: Size, ratios: tuple[str, ...]) -> str:
    """The listed ratio closest to a picture's, by the distance of their logarithms."""
    wanted = math.log(size[0] / size[1])

    def distance(ratio: str) -> float:
        width, height = ratio.split(":")
        return abs(math.log(int(width) / int(height)) - wanted)

    return min(ratios, key=distance)


def tier_by_area(size: Size) -> Tier:
    """The tier whose square is nearest in area: for models that are asked for pixels instead of a tier."""
    edge = math.sqrt(size[0] * size[1])
    if edge < math.sqrt(512 * 1024):
        return Tier.HALF
    if edge < math.sqrt(1024 * 2048):
        return Tier.ONE
    return Tier.TWO if edge < math.sqrt(2048 * 4096) else Tier.FOUR
