"""Exact sizes: the very pixels a caller asks for, the tier at which to have them made, and what that does to the
picture. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from app.catalog.models import Pixels, PublicModel
from app.doors.openai_images.errors import ParameterError
from app.media.framing import alike
from providers.spec.request import Resolution
from providers.spec.result import Warning

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


class Ordered(Protocol):
    """What ``resampling`` looks at of a settled size."""

    @property
    def aspect_ratio(self) -> str | None:
        """The ratio that is ordered."""

    @property
    def resolution(self) -> Resolution:
        """The tier that is ordered."""

    @property
    def pixels(self) -> Pixels | None:
        """What the model makes of them."""

    @property
    def exact_pixels(self) -> Pixels | None:
        """What is delivered."""


def resampling(model: PublicModel, ordered: Ordered, own: Pixels | None) -> Iterator[Warning]:
    """What exact pixels cost the picture: made smaller than it is delivered, made larger, or cropped.

    ``own``: the size of a masked image, which the result shows outside the mask; None: there is no mask.
    """
    made, delivered, ratio = ordered.pixels, ordered.exact_pixels, ordered.aspect_ratio
    if made is None or delivered is None or ratio is None:
        return
    made_as = f"{_text(made)} ({ratio} at {ordered.resolution})"
    finest = covering_tier(model, ratio, delivered)
    if _area(made) < COVERING_SHARE * _area(delivered):
        better = "the most this model makes" if finest == ordered.resolution else f"resolution {finest} is finer"
        what = "the image is" if own is None else "what is inside the mask is"
        yield Warning("resolution", f"{what} made as {made_as} and enlarged to {_text(delivered)}; {better}")
    elif own == delivered and ordered.resolution not in (model.default_resolution, finest) and _area(made) > _area(own):
        message = f"made as {made_as}, and delivered in the size of your image, {_text(own)}: a mask keeps it"
        yield Warning("resolution", f"{message}; size asks for another")
    if own is not None and not alike(own[0] / own[1], delivered[0] / delivered[1]):
        yield Warning("size", f"your image of {_text(own)} is cropped around its middle to make {_text(delivered)}")


def _area(pixels: Pixels) -> int:
    return pixels[0] * pixels[1]


def _text(pixels: Pixels) -> str:
    return f"{pixels[0]}x{pixels[1]}"
