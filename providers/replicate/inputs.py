"""What Replicate's models are asked: one input document per schema.

Fields and defaults: the model pages' schema tabs, for example https://replicate.com/google/nano-banana-2/api/schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.job_dialect.options import with_options
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution, Safety

PROVIDER = "replicate"

Document = dict[str, object]

IMAGES = "image_input"
"""Field of the input images; filled in once they are uploaded."""

RESERVED_OPTIONS: frozenset[str] = frozenset(
    {
        # What the gateway words from the request's own fields, which were checked against the model.
        "prompt",
        IMAGES,
        "aspect_ratio",
        "output_format",
        "output_quality",
        "seed",
        "safety_filter_level",
        # What is bought, and at which price: the quote would no longer be true.
        "num_outputs",
        "resolution",
        "megapixels",
        "width",
        "height",
        "google_search",
        "image_search",
        # Would let another model answer, at that model's price.
        "allow_fallback_model",
        # Files nobody has looked at.
        "image",
        "mask",
        # Fields of the prediction, in case it ever takes them for ones of its input: who else is told, and which model.
        "webhook",
        "webhook_events_filter",
        "stream",
        "version",
    }
)
"""Fields of the input that a caller's ``provider_options`` may not set."""


@dataclass(frozen=True, slots=True)
class NanoBanana:
    """Where the models of the nano-banana family differ."""

    resolutions: Mapping[Resolution, str]
    """How this model spells each tier it sells. Empty: it has no such field and makes 1K images only."""
    web_search: bool = False
    image_search: bool = False
    safety: bool = False
    may_substitute: bool = False
    """At capacity another model may answer unless it is forbidden."""


_TIERS: Mapping[Resolution, str] = MappingProxyType(
    {Resolution.R1K: "1K", Resolution.R2K: "2K", Resolution.R4K: "4K"},
)

NANO_BANANA: Mapping[str, NanoBanana] = MappingProxyType(
    {
        "nano-banana-2": NanoBanana(_TIERS, web_search=True, image_search=True),
        "nano-banana-pro": NanoBanana(_TIERS, safety=True, may_substitute=True),
        "nano-banana": NanoBanana({}),
    }
)

FLUX = frozenset({"flux-schnell", "flux-dev"})
SCHEMAS = frozenset({*NANO_BANANA, *FLUX})

_MEGAPIXELS: Mapping[Resolution, str] = MappingProxyType({Resolution.R512: "0.25", Resolution.R1K: "1"})
"""FLUX is asked for an area; a string, as the schema has it."""

_FORMATS: Mapping[OutputFormat, str] = MappingProxyType(
    {OutputFormat.PNG: "png", OutputFormat.JPEG: "jpg", OutputFormat.WEBP: "webp"}
)
_NANO_BANANA_FORMATS = frozenset({OutputFormat.PNG, OutputFormat.JPEG})
_SQUARE = "1:1"

_FILTER_LEVEL: Mapping[Safety, str] = MappingProxyType(
    {Safety.STRICT: "block_low_and_above", Safety.RELAXED: "block_only_high"}
)
"""The standard is the model's own default, which is not sent. It was read to be the loosest level (unverified), so that
relaxed may change nothing."""


def input_for(request: ImageRequest, schema: str) -> Document:
    """The model's input for this request, all but its input images.

    Raises ProviderError(UNSUPPORTED) for a demand the schema has no field for, or a reserved field among the options.
    """
    if request.mask is not None:
        raise _unsupported("mask", "Replicate's version of this model takes no mask.")
    family = NANO_BANANA.get(schema)
    if request.web_search and not (family and family.web_search):
        raise _unsupported("web_search", "Replicate's version of this model has no web search.")
    if request.image_search and not (family and family.image_search):
        raise _unsupported("image_search", "Replicate's version of this model has no image search.")
    if family is not None:
        document = _nano_banana(request, family)
    elif schema in FLUX:
        document = _flux(request)
    else:
        raise ProviderError(Fault.OWN_FAULT, f"The gateway knows no Replicate input schema called {schema!r}.")
    return with_options(document, request.provider_options.get(PROVIDER, {}), RESERVED_OPTIONS, PROVIDER)


def _nano_banana(request: ImageRequest, family: NanoBanana) -> Document:
    output_format = request.output_format or OutputFormat.PNG
    if output_format not in _NANO_BANANA_FORMATS:
        raise _unsupported("output_format", "Replicate's version of this model delivers png and jpeg.")
    # The model's default, match_input_image, has nothing to match when there is no input image.
    any_ratio = "match_input_image" if request.operation is Operation.EDIT and request.images else _SQUARE
    document: Document = {
        "prompt": request.prompt,
        IMAGES: [],
        "aspect_ratio": request.aspect_ratio or any_ratio,
        "output_format": _FORMATS[output_format],
    }
    if family.resolutions:
        # Never left out: the default of the pro model is 2K, which is not what a request without a tier was priced at.
        document["resolution"] = _spelt(family.resolutions, request.resolution or Resolution.R1K)
    elif request.resolution not in {None, Resolution.R1K}:
        raise _unsupported("resolution", "Replicate's version of this model makes 1K images only.")
    if family.web_search:
        document["google_search"] = request.web_search or request.image_search
    if request.image_search:
        # Switches web search on too; both are said, so that the input shows what is bought. Left out otherwise: earlier
        # versions of the model do not know it.
        document["image_search"] = True
    if family.safety and request.safety is not None and (level := _FILTER_LEVEL.get(request.safety)):
        document["safety_filter_level"] = level
    if family.may_substitute:
        # True would let a different model answer when Google is at capacity, at that model's price.
        document["allow_fallback_model"] = False
    return document


def _flux(request: ImageRequest) -> Document:
    if request.images:
        raise _unsupported("image", "Replicate's version of this model takes no input images.")
    output_format = request.output_format or OutputFormat.PNG
    if output_format not in _FORMATS:
        raise _unsupported("output_format", "Replicate's version of this model delivers png, jpeg and webp.")
    document: Document = {
        "prompt": request.prompt,
        "aspect_ratio": request.aspect_ratio or _SQUARE,
        "megapixels": _spelt(_MEGAPIXELS, request.resolution or Resolution.R1K),
        "num_outputs": request.n,
        "output_format": _FORMATS[output_format],
    }
    if request.output_compression is not None:
        document["output_quality"] = request.output_compression
    if request.seed is not None:
        document["seed"] = request.seed
    return document


def _spelt(tiers: Mapping[Resolution, str], resolution: Resolution) -> str:
    if resolution not in tiers:
        raise _unsupported("resolution", f"Replicate's version of this model has no {resolution.value} images.")
    return tiers[resolution]


def _unsupported(parameter: str, message: str) -> ProviderError:
    return ProviderError(Fault.UNSUPPORTED, message, parameter=parameter)
