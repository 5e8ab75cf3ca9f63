"""Google's image models: what each can be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.paint import Format
from simulator.pixels import ALL_RATIOS, CLASSIC_RATIOS, GEMINI_25, Size, gemini_3_size
from simulator.vendors import Tier


@dataclass(frozen=True, slots=True)
class GoogleModel:
    """One family; preview and GA ids share it."""

    family: str
    """Also its line in the price list."""
    display: str
    tokens: dict[Tier, int]
    """Output tokens of one image, by tier; the keys are the tiers it has."""
    ratios: tuple[str, ...]
    levels: frozenset[str] | None
    """Thinking levels that may be asked for; ``None`` when it does not think at all."""
    searches: frozenset[str] = frozenset()
    """Kinds of search: ``web``, ``image``."""
    most_inputs: int = 14
    format: Format = Format.JPEG
    """What the Gemini API sends."""
    own_table: bool = False
    """Whether it has the pixel table of gemini-2.5-flash-image."""

    def size(self, ratio: str, tier: Tier) -> Size:
        """Pixels delivered."""
        return GEMINI_25[ratio] if self.own_table else gemini_3_size(ratio, tier)


# Tokens: https://ai.google.dev/gemini-api/docs/pricing. nano-banana-2.1 at 2K and 4K
# is computed from its prices, unverified.
_FAMILIES = (
    GoogleModel(
        "gemini-3.1-flash-image",
        "Nano Banana 2",
        {Tier.HALF: 747, Tier.ONE: 1120, Tier.TWO: 1680, Tier.FOUR: 2520},
        ALL_RATIOS,
        frozenset({"MINIMAL", "HIGH"}),
        frozenset({"web", "image"}),
    ),
    GoogleModel(
        "gemini-3-pro-image",
        "Nano Banana Pro",
        {Tier.ONE: 1120, Tier.TWO: 1120, Tier.FOUR: 2000},
        CLASSIC_RATIOS,
        frozenset(),
        frozenset({"web"}),
    ),
    GoogleModel(
        "gemini-2.5-flash-image",
        "Nano Banana",
        {Tier.ONE: 1290},
        CLASSIC_RATIOS,
        None,
        most_inputs=3,
        format=Format.PNG,
        own_table=True,
    ),
    GoogleModel(
        "gemini-3.1-flash-lite-image",
        "Nano Banana 2 Lite",
        {Tier.ONE: 1120},
        ALL_RATIOS,
        frozenset({"MINIMAL", "HIGH"}),
    ),
    GoogleModel(
        "gemini-nano-banana-2.1",
        "Nano Banana 2.1",
        {Tier.ONE: 1120, Tier.TWO: 1680, Tier.FOUR: 3770},
        ALL_RATIOS,
        frozenset({"MINIMAL", "MEDIUM", "HIGH"}),
        frozenset({"web", "image"}),
    ),
)
MODELS: dict[str, GoogleModel] = {model.family: model for model in _FAMILIES} | {
    f"{model.family}-preview": model
    for model in _FAMILIES
    if model.family in ("gemini-3.1-flash-image", "gemini-3-pro-image")
}
