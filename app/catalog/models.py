"""PublicModel: a model as callers name it, with the sizes and ratios it really has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

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
    quality: float | None = None
    """The operator's figure from 0 to 100, higher is better; used for nothing but the order of a caller's ``models``.
    None: no figure."""

    def limited_to(self, resolutions: Collection[Resolution], aspect_ratios: Collection[str]) -> PublicModel:
        """This model with no other resolutions and ratios than these, in its own order and in its tables too.

        At least one of its resolutions must be left. Where the default one is not, the next larger takes its place, or
        else the largest.
        """
        left = tuple(resolution for resolution in self.resolutions if resolution in resolutions)
        default = self.default_resolution
        if default not in left:
            default = next((resolution for resolution in left if resolution.edge > default.edge), left[-1])
        return replace(
            self,
            resolutions=left,
            default_resolution=default,
            aspect_ratios=tuple(ratio for ratio in self.aspect_ratios if ratio in aspect_ratios),
            pixels=_cut(self.pixels, left, aspect_ratios),
            accepted_pixels=_cut(self.accepted_pixels, left, aspect_ratios),
        )


def _cut(
    table: Mapping[Resolution, Mapping[str, Pixels]], resolutions: Collection[Resolution], ratios: Collection[str]
) -> Mapping[Resolution, Mapping[str, Pixels]]:
    return MappingProxyType(
        {
            resolution: MappingProxyType({ratio: size for ratio, size in sizes.items() if ratio in ratios})
            for resolution, sizes in table.items()
            if resolution in resolutions
        }
    )


@dataclass(frozen=True, slots=True)
class FoundModel:
    """What a caller's ``model`` string means: the model, the provider it pins, the tier and the policy its suffixes
    name."""

    model: PublicModel
    provider: str | None = None
    resolution: Resolution | None = None
    warning: str | None = None
    """Set when the name was replaced, for example a dead OpenAI name served by the default model."""
    policy: str | None = None
    """The routing policy behind ``:floor``, ``:nitro`` or the name of a policy after the colon."""
