"""Spellings: what one parameter says about size: a ratio, a tier or pixels, in any of the ways clients write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.catalog.models import Pixels
from app.doors.openai_images.errors import ParameterError, shown
from providers.spec.request import Resolution

MAX_EDGE = 16_384
"""Pixels. Above the longest edge any vendor documents (12,288: 8:1 at 4K of Google's Gemini 3.1 Flash Image)."""
MAX_RATIO = 20.0
"""Long edge to short edge. Beyond it the nearest ratio a model has (8:1 at most) is no longer what was asked for."""
RATIO_EDGE = 32
"""``16x9`` with both numbers up to this is a ratio: nobody wants an image of 16 pixels."""


_TIERS: Mapping[str, Resolution] = {
    "512": Resolution.R512,
    "0.5k": Resolution.R512,
    ".5k": Resolution.R512,
    "1024": Resolution.R1K,
    "1k": Resolution.R1K,
    "2048": Resolution.R2K,
    "2k": Resolution.R2K,
    "4096": Resolution.R4K,
    "4k": Resolution.R4K,
}
_UNSAID = frozenset({"", "auto", "default", "match_input_image"})
_PIXELS = re.compile(r"([0-9]{1,9})(?:px)?\s*[x×*]\s*([0-9]{1,9})(?:px)?")
_RATIO = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*[:/]\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)")
_EXPECTED = 'a size such as "1024x1024", a ratio such as "16:9", a resolution such as "2K", or "auto"'


@dataclass(frozen=True, slots=True)
class Spelling:
    """What one parameter says about size. Exactly one of ``ratio``, ``tier`` and ``pixels`` is set."""

    param: str
    """The parameter as the caller spelt it, for example ``image_config.aspectRatio``."""
    text: str
    ratio: float | None = None
    """Width divided by height."""
    tier: Resolution | None = None
    pixels: Pixels | None = None


def spelling(param: str, value: object) -> Spelling | None:
    """What ``value`` says; None when it leaves the choice to the model (``auto``, ``match_input_image``).

    Raises ParameterError when it says nothing this gateway understands, or pixels beyond ``MAX_EDGE`` or ``MAX_RATIO``.
    """
    if isinstance(value, Mapping) and {"width", "height"} <= value.keys():
        value = f"{value['width']}x{value['height']}"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _not_understood(param, value)
    text = format(value, "g") if isinstance(value, float) else str(value).strip()
    word = text.lower()
    if word in _UNSAID:
        return None
    tier = _TIERS.get(word.removesuffix("px").replace(" ", ""))
    if tier is not None:
        return Spelling(param, text, tier=tier)
    if pair := _PIXELS.fullmatch(word):
        return _from_edges(param, text, int(pair[1]), int(pair[2]))
    if pair := _RATIO.fullmatch(word):
        return _from_ratio(param, text, float(pair[1]), float(pair[2]))
    raise _not_understood(param, value)


def _not_understood(param: str, value: object) -> ParameterError:
    return ParameterError(param, f"{param} must be {_EXPECTED}, not {shown(value)}.")


def _from_edges(param: str, text: str, width: int, height: int) -> Spelling:
    if 0 < width <= RATIO_EDGE and 0 < height <= RATIO_EDGE:
        return _from_ratio(param, text, width, height)
    if not (1 <= width <= MAX_EDGE and 1 <= height <= MAX_EDGE):
        raise ParameterError(
            param, f'{param} must have edges of 1 to {MAX_EDGE:,} pixels, such as "1024x1024", not {shown(text)}.'
        )
    _check_ratio(param, text, width / height)
    return Spelling(param, text, pixels=(width, height))


def _from_ratio(param: str, text: str, width: float, height: float) -> Spelling:
    if width <= 0 or height <= 0:
        raise ParameterError(param, f'{param} must be a ratio above zero such as "16:9", not {shown(text)}.')
    _check_ratio(param, text, width / height)
    return Spelling(param, text, ratio=width / height)


def _check_ratio(param: str, text: str, ratio: float) -> None:
    if not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise ParameterError(
            param, f"{param} must have a ratio between 1:{MAX_RATIO:g} and {MAX_RATIO:g}:1, not {shown(text)}."
        )
