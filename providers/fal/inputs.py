"""What fal's models are asked: one input document per schema.

Fields and defaults: the model pages' API tabs, for example https://fal.ai/models/fal-ai/nano-banana-2/api.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.job_dialect.reading import data_url
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from providers.spec.result import Warning

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class NanoBanana:
    """Where the endpoints of the nano-banana family differ."""

    resolutions: Mapping[Resolution, str]
    """How this endpoint spells each tier it sells. Empty: it has no such field and makes 1K images only."""
    generate_ratio: str
    """Sent for text-to-image when no ratio was asked for."""
    web_search: bool = False
    thinking: frozenset[str] = frozenset()
    system_prompt: bool = False


NANO_BANANA: Mapping[str, NanoBanana] = MappingProxyType(
    {
        "nano-banana-2": NanoBanana(
            # The smallest tier is called 0.5K here; "512" is Google's spelling and answered with a 422.
            {Resolution.R512: "0.5K", Resolution.R1K: "1K", Resolution.R2K: "2K", Resolution.R4K: "4K"},
            generate_ratio="auto",
            web_search=True,
            thinking=frozenset({"minimal", "high"}),
            system_prompt=True,
        ),
        # Square is the vendor's own default for text-to-image on these two; whether "auto" is accepted there is
        # unverified, so the default is spelt out.
        "nano-banana-pro": NanoBanana(
            {Resolution.R1K: "1K", Resolution.R2K: "2K", Resolution.R4K: "4K"}, generate_ratio="1:1", web_search=True
        ),
        "nano-banana": NanoBanana({}, generate_ratio="1:1"),
    }
)
FLUX = "flux"
SCHEMAS = frozenset({*NANO_BANANA, FLUX})

_EDIT_RATIO = "auto"
_FLUX_FORMATS = frozenset({OutputFormat.PNG, OutputFormat.JPEG})


def input_for(request: ImageRequest, schema: str) -> tuple[Document, tuple[Warning, ...]]:
    """The model's input for this request, and the wishes that did not make it in.

    Raises ProviderError(UNSUPPORTED) for a demand the schema has no field for.
    """
    if request.mask is not None:
        raise _unsupported("mask", "fal's version of this model takes no mask.")
    family = NANO_BANANA.get(schema)
    if family is not None:
        return _nano_banana(request, family), _ungranted(request, system_prompt=family.system_prompt)
    if schema == FLUX:
        return _flux(request), _ungranted(request, system_prompt=False)
    raise ProviderError(Fault.OWN_FAULT, f"The gateway knows no fal input schema called {schema!r}.")


def _nano_banana(request: ImageRequest, family: NanoBanana) -> Document:
    editing = request.operation is Operation.EDIT
    document: Document = {
        "prompt": request.prompt,
        "num_images": request.n,
        "aspect_ratio": request.aspect_ratio or (_EDIT_RATIO if editing else family.generate_ratio),
        "output_format": (request.output_format or OutputFormat.PNG).value,
        # True keeps a prompt that speaks of several pictures from yielding more than one; with n above one it was
        # seen to cut the count to one (reported by an integrator, unverified).
        "limit_generations": request.n == 1,
        "sync_mode": False,
    }
    tier = _tier(request.resolution, family)
    if tier is not None:
        document["resolution"] = tier
    if request.images:
        document["image_urls"] = [data_url(image) for image in request.images]
    if request.seed is not None:
        document["seed"] = request.seed
    if family.web_search:
        document["enable_web_search"] = request.web_search
    if request.thinking in family.thinking:
        document["thinking_level"] = request.thinking
    system_prompt = request.extras.get("system_prompt")
    if family.system_prompt and isinstance(system_prompt, str) and system_prompt:
        document["system_prompt"] = system_prompt
    return document


def _tier(resolution: Resolution | None, family: NanoBanana) -> str | None:
    if resolution is None or (not family.resolutions and resolution is Resolution.R1K):
        return None
    if resolution not in family.resolutions:
        raise _unsupported("resolution", f"fal's version of this model has no {resolution.value} images.")
    return family.resolutions[resolution]


def _flux(request: ImageRequest) -> Document:
    if request.images:
        raise _unsupported("image", "fal's version of this model takes no input images.")
    output_format = request.output_format or OutputFormat.PNG
    if output_format not in _FLUX_FORMATS:
        raise _unsupported("output_format", "fal's version of this model delivers png and jpeg.")
    edge = (request.resolution or Resolution.R1K).edge
    width, height = request.pixels or (edge, edge)
    document: Document = {
        "prompt": request.prompt,
        "num_images": request.n,
        "image_size": {"width": width, "height": height},
        "output_format": output_format.value,
        "enable_safety_checker": True,
        "sync_mode": False,
    }
    if request.seed is not None:
        document["seed"] = request.seed
    steps = request.extras.get("num_inference_steps")
    if isinstance(steps, int) and not isinstance(steps, bool):
        document["num_inference_steps"] = steps
    return document


def _ungranted(request: ImageRequest, *, system_prompt: bool) -> tuple[Warning, ...]:
    warnings = []
    if request.extras.get("negative_prompt"):
        warnings.append(
            Warning("negative_prompt", "fal's version of this model has no negative prompt; it was ignored.")
        )
    if request.extras.get("system_prompt") and not system_prompt:
        warnings.append(Warning("system_prompt", "fal's version of this model has no system prompt; it was ignored."))
    return tuple(warnings)


def _unsupported(parameter: str, message: str) -> ProviderError:
    return ProviderError(Fault.UNSUPPORTED, message, parameter=parameter)
