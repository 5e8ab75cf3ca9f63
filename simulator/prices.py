"""What each vendor bills for a delivered image, in USD."""

from __future__ import annotations

from decimal import Decimal

from simulator.vendors import Tier, Vendor


def _line(half: str | None, one: str, two: str | None = None, four: str | None = None) -> dict[Tier, Decimal]:
    amounts = {Tier.HALF: half, Tier.ONE: one, Tier.TWO: two, Tier.FOUR: four}
    return {tier: Decimal(amount) for tier, amount in amounts.items() if amount is not None}


# Google: https://ai.google.dev/gemini-api/docs/pricing (image tokens x rate); Vertex has the same list prices.
_GOOGLE = {
    "gemini-3.1-flash-image": _line("0.0448", "0.0672", "0.1008", "0.1512"),
    "gemini-3-pro-image": _line(None, "0.1344", "0.1344", "0.24"),
    "gemini-2.5-flash-image": _line(None, "0.0387"),
    "gemini-3.1-flash-lite-image": _line(None, "0.0336"),
    "gemini-nano-banana-2.1": _line(None, "0.0336", "0.0504", "0.113"),  # 4K reported by third parties, unverified
}
# fal: the price line of each model's page, https://fal.ai/models; nano-banana and FLUX unverified.
_FAL = {
    "nano-banana-2": _line("0.06", "0.08", "0.12", "0.16"),
    "nano-banana-pro": _line(None, "0.15", "0.15", "0.30"),
    "nano-banana": _line(None, "0.039"),
    "flux/schnell": _line("0.003", "0.003", "0.003", "0.003"),
    "flux/dev": _line("0.025", "0.025", "0.025", "0.025"),
}
# Replicate: https://replicate.com/pricing as third parties quote it; unverified.
_REPLICATE = {
    "nano-banana-2": _line(None, "0.067", "0.101", "0.151"),
    "nano-banana-pro": _line(None, "0.15", "0.15", "0.30"),
    "nano-banana": _line(None, "0.039"),
    "flux-schnell": _line("0.003", "0.003"),
    "flux-dev": _line("0.025", "0.025"),
}
LIST_PRICES = {
    Vendor.GEMINI: _GOOGLE,
    Vendor.VERTEX: _GOOGLE,
    Vendor.FAL: _FAL,
    Vendor.REPLICATE: _REPLICATE,
}

FAL_WEB_SEARCH = Decimal("0.015")
FAL_HIGH_THINKING = Decimal("0.002")
GOOGLE_SEARCH_QUERY = Decimal("0.014")
"""Per search query on the Gemini 3 family, beyond the free monthly share; the simulator makes one query a request."""
_GOOGLE_INPUTS = {
    # Tokens of an input image at the model's input rate; unverified but for the first two, see the lists above.
    (Vendor.VERTEX, "gemini-3.1-flash-image"): Decimal("0.00056"),
    (Vendor.GEMINI, "gemini-3-pro-image"): Decimal("0.0011"),
    (Vendor.GEMINI, "gemini-3.1-flash-image"): Decimal("0.00056"),
    (Vendor.VERTEX, "gemini-3-pro-image"): Decimal("0.00224"),
    (Vendor.GEMINI, "gemini-2.5-flash-image"): Decimal("0.000387"),
    (Vendor.VERTEX, "gemini-2.5-flash-image"): Decimal("0.000387"),
    (Vendor.GEMINI, "gemini-nano-banana-2.1"): Decimal("0.00168"),
    (Vendor.VERTEX, "gemini-nano-banana-2.1"): Decimal("0.00168"),
}


def input_price(vendor: Vendor, family: str) -> Decimal:
    """USD for one input image of a call that delivers; fal and Replicate ask nothing."""
    return _GOOGLE_INPUTS.get((vendor, family), Decimal(0))


def image_price(vendor: Vendor, family: str, tier: Tier) -> Decimal:
    """USD for one delivered image. KeyError when the vendor does not sell that family at that tier."""
    return LIST_PRICES[vendor][family][tier]
