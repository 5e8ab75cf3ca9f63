"""What Replicate's models are asked: one input document per schema.

Fields and defaults: the model pages' schema tabs, for example https://replicate.com/google/nano-banana-2/api/schema.
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
    """Where the models of the nano-banana family differ."""

    resolutions: Mapping[Resolution, str]
    """How this model spells each tier it sells. Empty: it has no such field and makes 1K images only."""
    web_search: bool = False
    may_substitute: bool = False
    """At capacity another model may answer unless it is forbidden."""


_TIERS: Mapping[Resolution, str] = MappingProxyType(
    {Resolution.R1K: "1K", Resolution.R2K: "2K", Resolution.R4K: "4K"},
)

NANO_BANANA: Mapping[str, NanoBanana] = MappingProxyType(
    {
        "nano-banana-2": NanoBanana(_TIERS, web_search=True),
        "nano-banana-pro": NanoBanana(_TIERS, may_substitute=True),
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


def input_for(request: ImageRequest, schema: str) -> tuple[Document, tuple[Warning, ...]]:
    """The model's input for this request, and the wishes that did not make it in.

    Raises ProviderError(UNSUPPORTED) for a demand the schema has no field for.
    """
    if request.mask is not None:
        raise _unsupported("mask", "Replicate's version of this model takes no mask.")
    family = NANO_BANANA.get(schema)
    if family is not None:
        return _nano_banana(request, family), _ungranted(request, seed=False)
    if schema in FLUX:
        return _flux(request), _ungranted(request, seed=True)
    raise ProviderError(Fault.OWN_FAULT, f"The gateway knows no Replicate input schema called {schema!r}.")


def _nano_banana(request: ImageRequest, family: NanoBanana) -> Document:
    output_format = request.output_format or OutputFormat.PNG
    if output_format not in _NANO_BANANA_FORMATS:
        raise _unsupported("output_format", "Replicate's version of this model delivers png and jpeg.")
    # The model's default, match_input_image, has nothing to match when there is no input image.
    any_ratio = "match_input_image" if request.operation is Operation.EDIT and request.images else _SQUARE
    document: Document = {
        "prompt": request.prompt,
        "image_input": [data_url(image) for image in request.images],
        "aspect_ratio": request.aspect_ratio or any_ratio,
        "output_format": _FORMATS[output_format],
    }
    if family.resolutions:
        # Never left out: the default of the pro model is 2K, which is not what a request without a tier was priced at.
        document["resolution"] = _spelt(family.resolutions, request.resolution or Resolution.R1K)
    elif request.resolution not in {None, Resolution.R1K}:
        raise _unsupported("resolution", "Replicate's version of this model makes 1K images only.")
    if family.web_search:
        document["google_search"] = request.web_search
    if family.may_substitute:
        # True would let a different model answer when Google is at capacity, at that model's price.
        document["allow_fallback_model"] = False
    return document


def _flux(request: ImageRequest) -> Document:
    if request.images:
        raise _unsupported("image", "Replicate's version of this model takes no input images.")
    document: Document = {
        "prompt": request.prompt,
        "aspect_ratio": request.aspect_ratio or _SQUARE,
        "megapixels": _spelt(_MEGAPIXELS, request.resolution or Resolution.R1K),
        "num_outputs": request.n,
        "output_format": _FORMATS[request.output_format or OutputFormat.PNG],
    }
    if request.seed is not None:
        document["seed"] = request.seed
    return document


def _spelt(tiers: Mapping[Resolution, str], resolution: Resolution) -> str:
    if resolution not in tiers:
        raise _unsupported("resolution", f"Replicate's version of this model has no {resolution.value} images.")
    return tiers[resolution]


def _ungranted(request: ImageRequest, *, seed: bool) -> tuple[Warning, ...]:
    warnings = []
    if request.seed is not None and not seed:
        warnings.append(Warning("seed", "Replicate's version of this model takes no seed; it was ignored."))
    for name in ("negative_prompt", "system_prompt"):
        if request.extras.get(name):
            wish = name.replace("_", " ")
            warnings.append(Warning(name, f"Replicate's version of this model has no {wish}; it was ignored."))
    return tuple(warnings)


def _unsupported(parameter: str, message: str) -> ProviderError:
    return ProviderError(Fault.UNSUPPORTED, message, parameter=parameter)
