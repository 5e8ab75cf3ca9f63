"""Capability: what an offer can do; why not, what it would ignore, and the request as it is to be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution

LOSSLESS = OutputFormat.PNG


class Objection(NamedTuple):
    """Why an offer cannot take a request: the caller's parameter at fault and a sentence saying what would be right."""

    parameter: str
    reason: str


@dataclass(frozen=True, slots=True)
class Capability:
    """What one vendor's version of a model accepts. Facts from configuration; see ``config/models.toml``."""

    operations: frozenset[Operation]
    resolutions: frozenset[Resolution]
    aspect_ratios: frozenset[str]
    output_formats: frozenset[OutputFormat]
    """Formats the vendor can be asked for. Empty: it cannot be asked."""
    native_format: OutputFormat
    """What comes when no format is asked for, or none can be."""
    max_input_images: int = 0
    max_input_image_bytes: int | None = None
    """Largest input image it takes however it is handed over; larger ones are made smaller first. None: no limit of
    its own below the gateway's."""
    max_images: int = 1
    """Images one call can make; more are the gateway's fan-out."""
    min_prompt_chars: int = 1
    max_prompt_chars: int = 32_000
    mask: bool = False
    transparent: bool = False
    compression: bool = False
    """Can be asked for an ``output_compression``."""
    seed: bool = False
    web_search: bool = False
    image_search: bool = False
    safety: bool = False
    system_prompt: bool = False
    negative_prompt: bool = False
    """True for no offer yet: no adapter has a field for it, so configuration cannot claim it either."""
    partial_images: bool = False
    """Really shows interim images."""
    thinking: frozenset[str] = frozenset()

    def objection(self, request: ImageRequest) -> Objection | None:
        """The first reason this offer cannot take the request, or None. What it would only ignore is no reason."""
        if request.operation not in self.operations:
            return Objection("image", f"this provider's version of the model cannot {request.operation.value}")
        if request.resolution is not None and request.resolution not in self.resolutions:
            return Objection("resolution", f"this provider offers {_listed(r.value for r in self.resolutions)}")
        if request.aspect_ratio is not None and request.aspect_ratio not in self.aspect_ratios:
            return Objection("aspect_ratio", f"this provider offers {_listed(self.aspect_ratios)}")
        if (request.images or request.mask is not None) and self.input_images(request) > self.max_input_images:
            guide = ", the mask among them" if self.mask_is_emulated(request) else ""
            return Objection("image", f"this provider takes at most {self.max_input_images} input images{guide}")
        if request.transparent and not self.transparent:
            return Objection("background", "this provider delivers no transparency")
        length = len(request.prompt)
        if length < self.min_prompt_chars:
            return Objection("prompt", f"this provider wants a prompt of at least {self.min_prompt_chars} characters")
        if length > self.max_prompt_chars:
            return Objection("prompt", f"this provider takes prompts of at most {self.max_prompt_chars} characters")
        if request.web_search and not self.web_search:
            return Objection("web_search", "this provider has no web search for this model")
        if request.image_search and not self.image_search:
            return Objection("image_search", "this provider has no image search for this model")
        if request.thinking is not None and request.thinking not in self.thinking:
            offered = _listed(self.thinking) if self.thinking else "no thinking levels"
            return Objection("thinking_level", f"this provider offers {offered}")
        return None

    def ignored(self, request: ImageRequest) -> tuple[str, ...]:
        """Parameters of the request that this offer takes without heeding them, by the caller's names for them."""
        unheeded = []
        if request.seed is not None and not self.seed:
            unheeded.append("seed")
        if request.safety is not None and not self.safety:
            unheeded.append("safety")
        if request.system_prompt and not self.system_prompt:
            unheeded.append("system_prompt")
        if request.negative_prompt and not self.negative_prompt:
            unheeded.append("negative_prompt")
        return tuple(unheeded)

    def mask_is_emulated(self, request: ImageRequest) -> bool:
        """Whether the mask goes along as one more input image, and is enforced by the gateway afterwards."""
        return request.mask is not None and not self.mask

    def input_images(self, request: ImageRequest) -> int:
        """Input images a call would carry, an emulated mask included."""
        return len(request.images) + self.mask_is_emulated(request)

    def asked(self, request: ImageRequest) -> ImageRequest:
        """The request as this offer's adapter is handed it: without what it ignores, in a format and a number it can
        be asked for. The mask is left as it is; whoever emulates it replaces it.

        What the gateway works on before it delivers is asked for without loss.
        """
        reworked = self.mask_is_emulated(request) or request.exact_pixels is not None
        ignored = self.ignored(request)
        kept_format = self._asked_format(request.output_format, reworked=reworked)
        native = kept_format is not None and kept_format is request.output_format and not reworked
        compression = request.output_compression if native and self.compression else None
        interim = request.partial_images if self.partial_images else 0
        same = (
            request.n <= self.max_images
            and kept_format is request.output_format
            and compression == request.output_compression
            and interim == request.partial_images
        )
        if same and not ignored:
            return request
        dropped: dict[str, Any] = dict.fromkeys(ignored)
        return replace(
            request,
            n=min(request.n, self.max_images),
            output_format=kept_format,
            output_compression=compression,
            partial_images=interim,
            **dropped,
        )

    def _asked_format(self, wanted: OutputFormat | None, *, reworked: bool) -> OutputFormat | None:
        if not reworked and (wanted is None or wanted in self.output_formats):
            return wanted
        return LOSSLESS if LOSSLESS in self.output_formats else None


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))
