"""Capability: what an offer can do, and the one question asked of it: why not?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution


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
    max_images: int = 1
    """Images one call can make; more are the gateway's fan-out."""
    min_prompt_chars: int = 1
    max_prompt_chars: int = 32_000
    mask: bool = False
    seed: bool = False
    web_search: bool = False
    thinking: frozenset[str] = frozenset()

    def objection(self, request: ImageRequest) -> Objection | None:
        """The first reason this offer cannot take the request, or None. A seed is a wish and never a reason."""
        if request.operation not in self.operations:
            return Objection("image", f"this provider's version of the model cannot {request.operation.value}")
        if request.resolution is not None and request.resolution not in self.resolutions:
            return Objection("resolution", f"this provider offers {_listed(r.value for r in self.resolutions)}")
        if request.aspect_ratio is not None and request.aspect_ratio not in self.aspect_ratios:
            return Objection("aspect_ratio", f"this provider offers {_listed(self.aspect_ratios)}")
        if request.output_format is not None and request.output_format not in self.deliverable_formats:
            return Objection("output_format", f"this provider delivers {_listed(self.deliverable_formats)}")
        if len(request.images) > self.max_input_images:
            return Objection("image", f"this provider takes at most {self.max_input_images} input images")
        if request.mask is not None and not self.mask:
            return Objection("mask", "this provider takes no mask")
        if len(request.prompt) < self.min_prompt_chars:
            return Objection("prompt", f"this provider wants a prompt of at least {self.min_prompt_chars} characters")
        if len(request.prompt) > self.max_prompt_chars:
            return Objection("prompt", f"this provider takes prompts of at most {self.max_prompt_chars} characters")
        if request.web_search and not self.web_search:
            return Objection("web_search", "this provider has no web search for this model")
        if request.thinking is not None and request.thinking not in self.thinking:
            offered = _listed(self.thinking) if self.thinking else "no thinking levels"
            return Objection("thinking_level", f"this provider offers {offered}")
        return None

    @property
    def deliverable_formats(self) -> frozenset[OutputFormat]:
        """Formats a caller can really get from this offer."""
        return self.output_formats or frozenset({self.native_format})


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))
