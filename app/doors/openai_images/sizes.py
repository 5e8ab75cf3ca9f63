"""Sizes as callers spell them, settled to a ratio and a tier the model really has. Pure.

A caller may speak of size in several parameters at once. Each accepts a ratio (``16:9``), a tier (``2K``) or pixels
(``1264x848``). The extras (``aspect_ratio``, ``resolution``, ...) rule over the tier in the model's name, and that over
``size``, which many clients fill in without being asked to. For the same reason ``size`` is a wish, granted as nearly
as the model can, while the extras are demands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from app.catalog.models import Pixels, PublicModel
from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.exact import covering_tier, exact_pixels_of
from app.doors.openai_images.spellings import Spelling
from providers.spec.request import Resolution
from providers.spec.result import Warning

_SAME_RATIO = 0.005
"""Two ratios whose logarithms differ by less are the same, however they are spelt (1920:1080, 1.78:1). The
nearest two of any model lie 0.06 apart."""
_Choice = TypeVar("_Choice")


@dataclass(frozen=True, slots=True)
class SizeWishes:
    """Everything a body says about size."""

    size: Spelling | None = None
    extras: tuple[Spelling, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """The ratio and tier to order. ``pixels`` is what the model's table gives for them; None without a ratio."""

    aspect_ratio: str | None
    resolution: Resolution
    pixels: Pixels | None
    warnings: tuple[Warning, ...] = ()
    exact_pixels: Pixels | None = None
    """What the image is to have to the pixel, where that was asked for."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A spelling in the model's own terms: the nearest it has."""

    spelling: Spelling
    ratio: str | None
    tier: Resolution | None


def settle(
    model: PublicModel,
    wishes: SizeWishes,
    suffix_tier: Resolution | None = None,
    *,
    exact: bool = False,
    own: Pixels | None = None,
) -> Settled:
    """The ratio and tier of ``model`` that come of the caller's words and of the tier in the model's name.

    ``exact``: the pixels that were asked for are to be met. ``own``: the size of a masked image; where just that is
    asked for it is met too, at the tier it would be made at anyway.

    Raises ParameterError (``unsupported_value``) when an extra demands what the model has not, and (``invalid_value``)
    when two extras differ, or when exact pixels are asked for and none are named. Everything else that is not granted
    to the letter is a warning.
    """
    extras = [_demanded(model, extra) for extra in wishes.extras]
    size = _wished(model, wishes.size) if wishes.size else None
    ruling_ratio = _agreed(extras, lambda reading: reading.ratio)
    ruling_tier = _agreed(extras, lambda reading: reading.tier)
    if suffix_tier is not None:
        _demand_tier(model, "model", suffix_tier)

    ratio = ruling_ratio.ratio if ruling_ratio else (size.ratio if size else None)
    tier = (ruling_tier.tier if ruling_tier else None) or suffix_tier or (size.tier if size else None)
    said = _pixels_said(ruling_ratio or size)
    exact_pixels = exact_pixels_of(said) if exact else (own if said == own else None)
    if (
        exact
        and exact_pixels is not None
        and ratio is not None
        and not (ruling_tier and ruling_tier.spelling.tier)
        and not suffix_tier
    ):
        tier = covering_tier(model, ratio, exact_pixels)
    resolution = tier or model.default_resolution
    pixels = model.pixels.get(resolution, {}).get(ratio) if ratio else None
    settled = Settled(ratio, resolution, pixels, exact_pixels=exact_pixels)

    warnings: list[Warning] = []
    if ruling_tier and suffix_tier not in (None, resolution):
        message = f"the resolution {suffix_tier} in the model's name is overruled by {ruling_tier.spelling.param}"
        warnings.append(Warning("model", message))
    warnings += [warning for extra in extras for warning in _shortfall(model, extra, settled)]
    if size and (exact_pixels is None or size.spelling.pixels != exact_pixels):
        by_ratio = ruling_ratio.spelling.param if ruling_ratio else None
        by_tier = ruling_tier.spelling.param if ruling_tier else ("model" if suffix_tier else None)
        overruled_by = _overruling(size, settled, by_ratio, by_tier)
        if overruled_by:
            warnings.append(Warning("size", f"{size.spelling.text} is overruled by {' and '.join(overruled_by)}"))
        else:
            warnings += _shortfall(model, size, settled)
    return replace(settled, warnings=tuple(warnings)) if warnings else settled


def _pixels_said(reading: _Reading | None) -> Pixels | None:
    return reading.spelling.pixels if reading is not None else None


def nearest_ratio(model: PublicModel, width: int, height: int) -> str | None:
    """The ratio of the model's that is nearest to these edges; None when it has none."""
    return _nearest_ratio(model.aspect_ratios, width / height)


def _demanded(model: PublicModel, extra: Spelling) -> _Reading:
    reading = _read(model, extra)
    if reading.tier is not None:
        _demand_tier(model, extra.param, reading.tier)
    if extra.ratio is not None and not _is(extra.ratio, reading.ratio):
        raise ParameterError(
            extra.param,
            f"{model.name} has no ratio {shown(extra.text)}; it has {', '.join(model.aspect_ratios)}.",
            "unsupported_value",
        )
    return reading


def _demand_tier(model: PublicModel, param: str, tier: Resolution) -> None:
    if tier not in model.resolutions:
        raise ParameterError(
            param, f"{model.name} has no resolution {tier}; it has {', '.join(model.resolutions)}.", "unsupported_value"
        )


def _wished(model: PublicModel, size: Spelling) -> _Reading:
    reading = _read(model, size)
    if reading.tier is None or reading.tier in model.resolutions:
        return reading
    return _Reading(size, reading.ratio, _nearest_tier(model.resolutions, reading.tier))


def _read(model: PublicModel, said: Spelling) -> _Reading:
    if said.tier is not None:
        return _Reading(said, None, said.tier)
    if said.pixels is None:
        return _Reading(said, _nearest_ratio(model.aspect_ratios, said.ratio or 1.0), None)
    for tier, ratio, pixels in _table(model):
        if pixels == said.pixels:
            return _Reading(said, ratio, tier)
    width, height = said.pixels
    return _Reading(said, _nearest_ratio(model.aspect_ratios, width / height), _tier_of_area(width * height))


def _table(model: PublicModel) -> Iterator[tuple[Resolution, str, Pixels]]:
    for table in (model.pixels, model.accepted_pixels):
        for tier in model.resolutions:
            for ratio, pixels in table.get(tier, {}).items():
                if ratio in model.aspect_ratios:
                    yield tier, ratio, pixels


def _tier_of_area(area: int) -> Resolution:
    # The limits lie half-way between the edges of two neighbouring tiers.
    edge = math.sqrt(area)
    for tier, limit in ((Resolution.R512, 768), (Resolution.R1K, 1536), (Resolution.R2K, 3072)):
        if edge < limit:
            return tier
    return Resolution.R4K


def _nearest_tier(tiers: Sequence[Resolution], wanted: Resolution) -> Resolution:
    # Of two equally near the larger: a picture can be made smaller without loss, not larger.
    return min(tiers, key=lambda tier: (abs(math.log2(tier.edge / wanted.edge)), -tier.edge))


@lru_cache(maxsize=1024)
def _nearest_ratio(ratios: tuple[str, ...], wanted: float) -> str | None:
    return min(ratios, key=lambda ratio: abs(math.log(value_of(ratio) / wanted)), default=None)


@lru_cache(maxsize=1024)
def value_of(ratio: str) -> float:
    """Width divided by height of a ratio as the model's list spells it (``"W:H"``)."""
    width, _, height = ratio.partition(":")
    return float(width) / float(height)


def _is(wanted: float, ratio: str | None) -> bool:
    return ratio is not None and abs(math.log(value_of(ratio) / wanted)) < _SAME_RATIO


def _agreed(extras: Sequence[_Reading], part: Callable[[_Reading], _Choice | None]) -> _Reading | None:
    """The first extra that says this part of the size. Raises ParameterError when a later one says otherwise."""
    speaking = [extra for extra in extras if part(extra) is not None]
    for other in speaking[1:]:
        if part(other) != part(speaking[0]):
            first = speaking[0].spelling
            raise ParameterError(
                other.spelling.param,
                f"{first.param} {shown(first.text)} and {other.spelling.param} {shown(other.spelling.text)} "
                "ask for different images; send one of them.",
            )
    return speaking[0] if speaking else None


def _overruling(size: _Reading, settled: Settled, by_ratio: str | None, by_tier: str | None) -> list[str]:
    by: list[str] = []
    if by_ratio and size.ratio not in (None, settled.aspect_ratio):
        by.append(by_ratio)
    if by_tier and size.tier not in (None, settled.resolution) and by_tier not in by:
        by.append(by_tier)
    return by


def _shortfall(model: PublicModel, reading: _Reading, settled: Settled) -> Iterator[Warning]:
    """What is missing between the words of a parameter that was followed and the image that will come."""
    said = reading.spelling
    if said.pixels is not None and said.pixels == settled.exact_pixels:
        return
    if said.pixels is not None and settled.pixels is not None and said.pixels != settled.pixels:
        width, height = settled.pixels
        delivered = f"{width}x{height} ({settled.aspect_ratio} at {settled.resolution})"
        yield Warning(said.param, f"{said.text} is delivered as {delivered}")
    elif said.tier is not None and said.tier != settled.resolution:
        yield Warning(said.param, f"{model.name} has no {said.tier}; the image is delivered at {settled.resolution}")
    elif said.ratio is not None and not _is(said.ratio, reading.ratio):
        yield Warning(said.param, f"{model.name} has no {said.text}; the image is delivered as {settled.aspect_ratio}")
