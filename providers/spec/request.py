"""ImageRequest: what the caller wants, in our terms, before any vendor is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from providers.spec.blob import Blob
from providers.spec.unguarded import unguarded


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
    """Image file formats a caller can ask for. What no vendor makes, the gateway converts to."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"

    @property
    def media_type(self) -> str:
        """For example ``image/png``."""
        return f"image/{self.value}"


class Safety(StrEnum):
    """How much a vendor's own filters shall hold back. No level lifts what a vendor refuses in any case."""

    STRICT = "strict"
    STANDARD = "standard"
    RELAXED = "relaxed"


Options = Mapping[str, object]

_NO_OPTIONS: Mapping[str, Options] = MappingProxyType({})


@unguarded
@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One caller's wish. ``None`` always means "the model's default".

    ``resolution`` is already one the model has (the door settles it before routing, so that it can be priced); it is
    None only for a model without tiers. ``aspect_ratio`` is a ``"W:H"`` of the model's list; None: the model chooses.
    """

    model: str
    prompt: str = field(repr=False)
    operation: Operation = Operation.GENERATE
    images: tuple[Blob, ...] = ()
    """Input images, upright, without EXIF, each PNG, JPEG or WebP and labelled as what it is."""
    mask: Blob | None = None
    """PNG of the first image's size; what is fully transparent in it is to be changed."""
    n: int = 1
    aspect_ratio: str | None = None
    resolution: Resolution | None = Resolution.R1K
    pixels: tuple[int, int] | None = None
    """(width, height) the model's table gives for this ratio and tier; None when no ratio was asked for."""
    exact_pixels: tuple[int, int] | None = None
    """(width, height) the delivered image shall have to the pixel; None: what the model gives."""
    output_format: OutputFormat | None = None
    """To the gateway: the caller's format. To an adapter: the one the vendor is to be asked for. None: whatever
    comes."""
    output_compression: int | None = None
    """0 to 100, the quality of JPEG, WebP and AVIF. None: the vendor's, or the gateway's own."""
    transparent: bool = False
    """A transparent background is demanded."""
    seed: int | None = None
    web_search: bool = False
    image_search: bool = False
    thinking: str | None = None
    """Thinking level in lower case: minimal, low, medium, high. None: the model's default."""
    safety: Safety | None = None
    system_prompt: str | None = field(default=None, repr=False)
    negative_prompt: str | None = field(default=None, repr=False)
    partial_images: int = 0
    """Most interim images the caller wants to see; an adapter that can show them yields them as ``Interim``."""
    provider_options: Mapping[str, Options] = field(default_factory=lambda: _NO_OPTIONS, repr=False)
    """Fields for one provider alone, by its name, passed on as they are."""
