"""Exact sizes: the very pixels a caller asks for, and the tier at which to have them made. Pure."""

from __future__ import annotations

from app.catalog.models import Pixels, PublicModel
from app.doors.openai_images.errors import ParameterError
from providers.spec.request import Resolution

MAX_EXACT_AREA = 36_000_000
"""Pixels. Twice the largest picture a model here makes (19 million); more would be nothing but enlargement."""
COVERING_SHARE = 0.9
"""Share of the exact pixels a tier's picture must have so as not to count as enlarged: 1280x960 is still made at 1K."""


def exact_pixels_of(pixels: Pixels | None) -> Pixels:
    """The pixels to meet, once they were asked for. Raises ParameterError when none are named, or too many."""
    if pixels is None:
        raise ParameterError("resize", 'resize "exact" needs the pixels to meet: send size as WIDTHxHEIGHT.')
    if pixels[0] * pixels[1] > MAX_EXACT_AREA:
        raise ParameterError(
            "size", f"With resize exact an image may have {MAX_EXACT_AREA:,} pixels, not {pixels[0]}x{pixels[1]}."
        )
    return pixels


def covering_tier(model: PublicModel, ratio: str, wanted: Pixels) -> Resolution:
    """The smallest tier whose picture need not be enlarged to have so many pixels; the largest where all must be."""
    for tier in model.resolutions:
        width, height = model.pixels.get(tier, {}).get(ratio, (0, 0))
        if width * height >= COVERING_SHARE * wanted[0] * wanted[1]:
            return tier
    return model.resolutions[-1]
