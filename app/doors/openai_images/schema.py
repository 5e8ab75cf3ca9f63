"""The body of a request for images: which fields there are, what each accepts, and what is refused with a sentence.

Lenient: fields may be null or empty, numbers and flags may come as text, names in camel case, and fields nobody knows
become warnings. A wish that cannot be granted is refused by name rather than ignored, or becomes a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.fields import Fields, parse_object
from app.doors.openai_images.output import Output, take_output
from app.doors.openai_images.preferences import take_preferences
from app.doors.openai_images.provider_options import take_provider_options
from app.doors.openai_images.references import refuse_markup, take_images, take_mask
from app.doors.openai_images.sizes import SizeWishes
from app.doors.openai_images.spellings import Spelling, spelling
from app.media.inputs import Source
from providers.registry import PROVIDERS
from providers.spec.request import Options, Safety
from providers.spec.result import Warning
from routing.knobs import OBJECTIVES
from routing.wishes import NO_WISHES, RouteWishes

MAX_PROMPT_CHARS = 32_000
"""Characters (code points), as OpenAI's API reference states it for its GPT image models."""
MAX_IMAGES = 10
"""Upper limit of ``n`` in OpenAI's API reference."""
MAX_SEED = 2**31 - 1
"""Google's ``generationConfig.seed`` is a signed 32-bit number; the other vendors take this range too."""
THINKING_LEVELS = ("minimal", "low", "medium", "high")

_UNSUPPORTED = "unsupported_value"
_RATIO_NAMES = ("aspect_ratio", "aspectRatio")
_TIER_NAMES = ("resolution", "image_size", "imageSize")
_CONFIG_NAMES = ("image_config", "imageConfig")
# Read for nothing: they say who asks, or (extra_*) belong to the client library and may hold its secrets.
HARMLESS_NAMES = (
    "user", "safety_identifier", "safetyIdentifier", "extra_headers", "extra_query", "api_key", "apiKey",
)  # fmt: skip
_WITHOUT_EFFECT: Mapping[str, str] = {
    "style": "say it in the prompt",
    "input_fidelity": "these models always keep what they are shown",
    "complexity": "thinking_level decides how much a model plans",
    "frame_count": "images here have one frame",
    "frame_duration_ms": "images here have one frame",
}
"""OpenAI's parameters that change nothing here, and what to do instead."""
MAX_UNKNOWN = 20
"""Unknown fields that are named in warnings; a body with more of them is not read by a person."""
_NO_SIZES = SizeWishes()
_PLAIN_OUTPUT = Output()
_NO_OPTIONS: Mapping[str, Options] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ImagesBody:
    """What a caller wrote, field by field, before a model is found. None: not said, the default applies."""

    prompt: str = field(repr=False)
    model: str | None = None
    n: int = 1
    images: tuple[Source, ...] = ()
    """Input images as they were given: neither fetched nor looked at."""
    mask: Source | None = None
    sizes: SizeWishes = _NO_SIZES
    output: Output = _PLAIN_OUTPUT
    seed: int | None = None
    web_search: bool = False
    image_search: bool = False
    thinking: str | None = None
    safety: Safety | None = None
    system_prompt: str | None = field(default=None, repr=False)
    negative_prompt: str | None = field(default=None, repr=False)
    provider_options: Mapping[str, Options] = field(default_factory=lambda: _NO_OPTIONS, repr=False)
    timeout_s: float | None = None
    """Seconds the caller gives the whole request."""
    warnings: tuple[Warning, ...] = ()
    """Fields that were accepted and have no effect."""
    wishes: RouteWishes = NO_WISHES
    models: tuple[str, ...] = ()
    """Names to choose from, ``model`` first where it is given; empty when the body has no ``models``."""
    dry_run: bool = False
    """The plan is wanted and no image."""


def parse_body(
    document: Mapping[str, Any],
    *,
    editing: bool,
    max_timeout_s: float,
    policies: Collection[str] = tuple(OBJECTIVES),
    providers: Collection[str] = PROVIDERS,
) -> ImagesBody:
    """Read the body of ``POST /v1/images/generations`` or, when ``editing``, of ``POST /v1/images/edits``.

    Uploaded and inline images stand in ``document`` as blobs. ``max_timeout_s`` is the largest ``timeout`` a caller may
    ask for, in seconds; ``policies`` are the names of the routing policies there are, ``providers`` those of the
    providers. Raises ParameterError, which names the parameter at fault and says what would be right.
    """
    fields = Fields(_unwrapped(document))
    prompt = _prompt(fields)
    images, mask = _inputs(fields, editing=editing)
    fields.drop(*HARMLESS_NAMES)
    model = fields.text("model")
    preferences = take_preferences(fields, model, policies=policies, providers=providers)
    body = ImagesBody(
        prompt=prompt,
        model=model,
        n=fields.integer(1, MAX_IMAGES, "n") or 1,
        images=images,
        mask=mask,
        sizes=_sizes(fields),
        output=take_output(fields),
        seed=_seed(fields),
        web_search=bool(
            fields.flag(
                "web_search", "webSearch", "enable_web_search", "enableWebSearch", "google_search", "googleSearch"
            )
        ),
        image_search=bool(fields.flag("image_search", "imageSearch", "enable_image_search", "enableImageSearch")),
        thinking=fields.choice(THINKING_LEVELS, "thinking_level", "thinkingLevel", "thinking"),
        safety=_safety(fields),
        system_prompt=_instruction(fields, "system_prompt", "systemPrompt"),
        negative_prompt=_instruction(fields, "negative_prompt", "negativePrompt"),
        provider_options=take_provider_options(fields, providers=providers),
        timeout_s=fields.seconds(max_timeout_s, "timeout"),
        wishes=preferences.wishes,
        models=preferences.models,
        dry_run=bool(fields.flag("dry_run", "dryRun")),
    )
    without_effect = (*body.output.warnings, *_without_effect(fields), *_unknown(fields))
    if preferences.wishes.require_parameters and without_effect:
        raise _required(without_effect[0])
    warnings = without_effect + preferences.warnings
    return replace(body, warnings=warnings) if warnings else body


def _unwrapped(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """``extra_body`` is an option of the Python client, which unpacks it. Callers who take the habit to a client
    without that option send it as a field; what is in it is meant all the same, and wins as it does there."""
    inner = document.get("extra_body")
    if not isinstance(inner, dict):
        return document
    return {**{key: value for key, value in document.items() if key != "extra_body"}, **inner}


def _prompt(fields: Fields) -> str:
    prompt = fields.exactly("prompt")
    if prompt is None:
        raise ParameterError("prompt", "prompt is missing: say what the image shows.", "missing_required_parameter")
    if not isinstance(prompt, str):
        raise ParameterError("prompt", f"prompt must be text, not {shown(prompt)}.")
    if not 1 <= len(prompt) <= MAX_PROMPT_CHARS:
        raise ParameterError(
            "prompt", f"prompt must have 1 to {MAX_PROMPT_CHARS:,} characters; this one has {len(prompt):,}."
        )
    return prompt


def _inputs(fields: Fields, *, editing: bool) -> tuple[tuple[Source, ...], Source | None]:
    refuse_markup(fields)
    images, mask = take_images(fields), take_mask(fields)
    if editing and not images:
        raise ParameterError(
            "image",
            "image is missing: send one or more image files as image, or images with their URLs.",
            "missing_required_parameter",
        )
    if mask is not None and not images:
        raise ParameterError(
            mask.param, f"{mask.param} marks a place in an input image, and there is none: send image."
        )
    return images, mask


def _sizes(fields: Fields) -> SizeWishes:
    extras = list(_spellings(fields, ""))
    for name, config in fields.take_all(*_CONFIG_NAMES):
        document = parse_object(config.encode(), param=name) if isinstance(config, str) else config
        if not isinstance(document, dict):
            raise ParameterError(name, f'{name} must be an object such as {{"aspect_ratio": "16:9"}}.')
        extras += _spellings(Fields(document), f"{name}.")
    size = spelling(*fields.take("size")) if fields.has("size") else _from_edges(fields)
    return SizeWishes(size, tuple(extras))


def _spellings(fields: Fields, prefix: str) -> Iterator[Spelling]:
    for name, value in fields.take_all(*_RATIO_NAMES, *_TIER_NAMES):
        said = spelling(prefix + name, value)
        if said is not None:
            yield said


def _from_edges(fields: Fields) -> Spelling | None:
    """``width`` and ``height``, as some image services spell a size. One alone says nothing and stays an extra."""
    if not (fields.has("width") and fields.has("height")):
        return None
    (_, width), (_, height) = fields.take("width"), fields.take("height")
    return spelling("size", {"width": width, "height": height})


def _seed(fields: Fields) -> int | None:
    seed = fields.integer(-1, MAX_SEED, "seed")
    # -1 means "any" in most diffusion programs, whose users bring the habit along.
    return None if seed == -1 else seed


def _safety(fields: Fields) -> Safety | None:
    """The level named, or the one OpenAI's ``moderation: low`` stands for."""
    safety = fields.choice(tuple(Safety), "safety")
    moderation = fields.choice(("auto", "low"), "moderation")
    if safety is not None:
        return Safety(safety)
    return Safety.RELAXED if moderation == "low" else None


def _instruction(fields: Fields, *names: str) -> str | None:
    said = fields.text(*names)
    if said is not None and len(said) > MAX_PROMPT_CHARS:
        raise ParameterError(
            names[0], f"{names[0]} may have {MAX_PROMPT_CHARS:,} characters; this one has {len(said):,}."
        )
    return said


def _required(warning: Warning) -> ParameterError:
    return ParameterError(
        warning.parameter, f"{warning.message}; provider.require_parameters asks for more than a warning.", _UNSUPPORTED
    )


def _without_effect(fields: Fields) -> Iterator[Warning]:
    quality_name, quality = fields.take("quality")
    if quality is not None and str(quality).strip().lower() != "auto":
        yield Warning(quality_name, "quality has no effect on these models; resolution decides how fine an image is")
    for field_name, instead in _WITHOUT_EFFECT.items():
        for name, _ in fields.take_all(field_name):
            yield Warning(name, f"{name} has no effect: {instead}")


def _unknown(fields: Fields) -> Iterator[Warning]:
    """What nobody asked for. It is passed on to nobody: a misspelt field must not reach a vendor by chance."""
    for name in list(fields.rest())[:MAX_UNKNOWN]:
        label = shown(name)
        yield Warning(label, f"{label} is not known and was ignored; fields of one provider go into provider_options")
