"""PublicModel: a model as callers name it, with the sizes and ratios it really has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.spec.request import Resolution

Pixels = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PublicModel:
    """What callers can ask for under one stable name, whoever sells it. Facts from ``config/models.toml``."""

    name: str
    display_name: str
    created: int
    """Unix seconds of the model's release, as ``GET /v1/models`` shows it."""
    owned_by: str
    aliases: tuple[str, ...]
    resolutions: tuple[Resolution, ...]
    """Ascending; the union over its offers."""
    default_resolution: Resolution
    aspect_ratios: tuple[str, ...]
    """``"W:H"``; the union over its offers."""
    pixels: Mapping[Resolution, Mapping[str, Pixels]]
    """(width, height) the model gives for each tier and ratio."""
    accepted_pixels: Mapping[Resolution, Mapping[str, Pixels]]
    """Other sizes a vendor was seen to give for a tier and ratio; verification lets them pass."""


@dataclass(frozen=True, slots=True)
class FoundModel:
    """What a caller's ``model`` string means: the model, the provider it pins, the tier its suffix names."""

    model: PublicModel
    provider: str | None = None
    resolution: Resolution | None = None
    warning: str | None = None
    """Set when the name was replaced, for example a dead OpenAI name served by the default model."""
