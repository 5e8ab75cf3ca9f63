"""ImageRequest: what the caller wants, in our terms, before any vendor is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from providers.spec.blob import Blob


class Operation(StrEnum):
    """What is done: an image from text, or an image from images and text."""

    GENERATE = "generate"
    EDIT = "edit"


class Resolution(StrEnum):
    """Resolution tier: the area class vendors price by. The value is the square edge in its usual spelling."""

    R512 = "512"
    R1K = "1K"
    R2K = "2K"
    R4K = "4K"

    @property
    def edge(self) -> int:
        """Edge in pixels of this tier's square image."""
        return {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}[self.value]


class OutputFormat(StrEnum):
    """Image file formats a caller can ask for and a vendor can be asked for."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


_NO_EXTRAS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One caller's wish. ``None`` always means "the model's default"; unknown body fields travel in ``extras``.

    ``resolution`` is already one the model has (the door settles it before routing, so that it can be priced); it is
    None only for a model without tiers. ``aspect_ratio`` is a ``"W:H"`` of the model's list; None: the model chooses.
    """

    model: str
    prompt: str = field(repr=False)
    operation: Operation = Operation.GENERATE
    images: tuple[Blob, ...] = ()
    mask: Blob | None = None
    n: int = 1
    aspect_ratio: str | None = None
    resolution: Resolution | None = Resolution.R1K
    pixels: tuple[int, int] | None = None
    """(width, height) the model's table gives for this ratio and tier; None when no ratio was asked for."""
    output_format: OutputFormat | None = None
    seed: int | None = None
    web_search: bool = False
    thinking: str | None = None
    """Thinking level in lower case: minimal, low, medium, high. None: the model's default."""
    extras: Mapping[str, object] = field(default_factory=lambda: _NO_EXTRAS, repr=False)
