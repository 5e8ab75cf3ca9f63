"""What fal's models are asked: one input document per schema.

Fields and defaults: the model pages' API tabs, for example https://fal.ai/models/fal-ai/nano-banana-2/api.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.job_dialect.options import with_options
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution, Safety
from providers.spec.result import Warning

PROVIDER = "fal"

Document = dict[str, object]

IMAGES = "image_urls"
"""Field of the input images; filled in once they are uploaded."""

RESERVED_OPTIONS: frozenset[str] = frozenset(
    {
        # What the gateway words from the request's own fields, which were checked against the model.
        "prompt",
        IMAGES,
        "aspect_ratio",
        "image_size",
        "output_format",
        "seed",
        "safety_tolerance",
        "system_prompt",
        # What is bought, and at which price: the quote would no longer be true.
        "num_images",
        "limit_generations",
        "resolution",
        "enable_web_search",
        "thinking_level",
        # Input the quote knows nothing of, and files nobody has looked at.
        "image_url",
        "mask_url",
        "mask_image_url",
        "video_url",
        "audio_url",
        "pdf_url",
        # How the answer comes back: the conversation expects links, asks for them itself, and tells nobody else.
        "sync_mode",
        "fal_webhook",
        "webhook_url",
    }
)
"""Fields of the input that a caller's ``provider_options`` may not set."""


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
    safety: bool = False


NANO_BANANA: Mapping[str, NanoBanana] = MappingProxyType(
    {
        "nano-banana-2": NanoBanana(
            # The smallest tier is called 0.5K here; "512" is Google's spelling and answered with a 422.
            {Resolution.R512: "0.5K", Resolution.R1K: "1K", Resolution.R2K: "2K", Resolution.R4K: "4K"},
            generate_ratio="auto",
            web_search=True,
            thinking=frozenset({"minimal", "high"}),
            system_prompt=True,
            safety=True,
        ),
        # Square is the vendor's own default for text-to-image on these two; whether "auto" is accepted there is
        # unverified, so the default is spelt out.
        "nano-banana-pro": NanoBanana(
            {Resolution.R1K: "1K", Resolution.R2K: "2K", Resolution.R4K: "4K"},
            generate_ratio="1:1",
            web_search=True,
            safety=True,
        ),
        "nano-banana": NanoBanana({}, generate_ratio="1:1"),
    }
)
FLUX = "flux"
SCHEMAS = frozenset({*NANO_BANANA, FLUX})

_EDIT_RATIO = "auto"
_NANO_BANANA_FORMATS = frozenset({OutputFormat.PNG, OutputFormat.JPEG, OutputFormat.WEBP})
_FLUX_FORMATS = frozenset({OutputFormat.PNG, OutputFormat.JPEG})

_TOLERANCE: Mapping[Safety, str] = MappingProxyType({Safety.STRICT: "2", Safety.RELAXED: "6"})
"""From "1", the strictest, to "6"; a string. The default, "4", is the standard. "1" is not used: nobody says what it
still lets through."""


def input_for(request: ImageRequest, schema: str) -> Document:
    """The model's input for this request, all but its input images.

    Raises ProviderError(UNSUPPORTED) for a demand the schema has no field for, or a reserved field among the options.
    """
    if request.mask is not None:
        raise _unsupported("mask", "fal's version of this model takes no mask.")
    if request.image_search:
        raise _unsupported("image_search", "fal's version of this model has no image search.")
    family = NANO_BANANA.get(schema)
    if family is not None:
        document = _nano_banana(request, family)
    elif schema == FLUX:
        document = _flux(request)
    else:
        raise ProviderError(Fault.OWN_FAULT, f"The gateway knows no fal input schema called {schema!r}.")
    return with_options(document, request.provider_options.get(PROVIDER, {}), RESERVED_OPTIONS, PROVIDER)


def ungranted(request: ImageRequest, schema: str) -> tuple[Warning, ...]:
    """Wishes that the input does not hold."""
    if schema in NANO_BANANA and request.seed is not None and request.n > 1:
        return (Warning("seed", "fal paints the same image several times under one seed; the seed was left out."),)
    return ()


def _nano_banana(request: ImageRequest, family: NanoBanana) -> Document:
    editing = request.operation is Operation.EDIT
    output_format = request.output_format or OutputFormat.PNG
    if output_format not in _NANO_BANANA_FORMATS:
        raise _unsupported("output_format", "fal's version of this model delivers png, jpeg and webp.")
    if request.web_search and not family.web_search:
        raise _unsupported("web_search", "fal's version of this model has no web search.")
    document: Document = {
        "prompt": request.prompt,
        "num_images": request.n,
        "aspect_ratio": request.aspect_ratio or (_EDIT_RATIO if editing else family.generate_ratio),
        "output_format": output_format.value,
        # True keeps a prompt that speaks of several pictures from yielding more than one; with n above one it was
        # seen to cut the count to one (reported by an integrator, unverified).
        "limit_generations": request.n == 1,
        "sync_mode": False,
    }
    tier = _tier(request.resolution, family)
    if tier is not None:
        document["resolution"] = tier
    # Several images under one seed were seen to be the same image: https://github.com/fal-ai/fal/issues/1022.
    if request.seed is not None and request.n == 1:
        document["seed"] = request.seed
    if family.web_search:
        document["enable_web_search"] = request.web_search
    if request.thinking in family.thinking:
        document["thinking_level"] = request.thinking
    if family.safety and request.safety is not None and (tolerance := _TOLERANCE.get(request.safety)):
        document["safety_tolerance"] = tolerance
    if family.system_prompt and request.system_prompt:
        document["system_prompt"] = request.system_prompt
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
    if request.web_search:
        raise _unsupported("web_search", "fal's version of this model has no web search.")
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
    return document


def _unsupported(parameter: str, message: str) -> ProviderError:
    return ProviderError(Fault.UNSUPPORTED, message, parameter=parameter)
