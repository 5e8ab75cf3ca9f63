"""The body of a generation request: which fields there are, what each accepts, and what is refused with a sentence.

Lenient: fields may be null or empty, numbers and flags may come as text, names in camel case, and fields nobody knows
are kept as extras. A wish that cannot be granted is refused by name rather than ignored, or becomes a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.fields import Fields, parse_object
from app.doors.openai_images.preferences import take_preferences
from app.doors.openai_images.sizes import SizeWishes, Spelling, spelling
from providers.registry import PROVIDERS
from providers.spec.request import OutputFormat
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

_NOT_BUILT = "unsupported_value"
_RATIO_NAMES = ("aspect_ratio", "aspectRatio")
_TIER_NAMES = ("resolution", "image_size", "imageSize")
_CONFIG_NAMES = ("image_config", "imageConfig")
_IMAGE_NAMES = (
    "image", "images", "image_url", "imageUrl", "image_urls", "imageUrls", "input_image", "input_images",
    "input_references", "inputReferences", "reference_images", "mask", "markup",
)  # fmt: skip
# Read for nothing: they change no image, or (extra_*) belong to the client library and may hold its secrets.
_HARMLESS_NAMES = (
    "style", "user", "safety_identifier", "safetyIdentifier", "moderation",
    "extra_headers", "extra_query", "api_key", "apiKey",
)  # fmt: skip
_FORMATS: Mapping[str, OutputFormat] = {
    "png": OutputFormat.PNG,
    "jpeg": OutputFormat.JPEG,
    "jpg": OutputFormat.JPEG,
    "webp": OutputFormat.WEBP,
}
_NO_SIZES = SizeWishes()
_NO_EXTRAS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class GenerationBody:
    """What a caller wrote, field by field, before a model is found. None: not said, the default applies."""

    prompt: str = field(repr=False)
    model: str | None = None
    sizes: SizeWishes = _NO_SIZES
    output_format: OutputFormat | None = None
    seed: int | None = None
    web_search: bool = False
    thinking: str | None = None
    timeout_s: float | None = None
    """Seconds the caller gives the whole request."""
    warnings: tuple[Warning, ...] = ()
    """Fields that were accepted and have no effect."""
    wishes: RouteWishes = NO_WISHES
    models: tuple[str, ...] = ()
    """Names to choose from, ``model`` first where it is given; empty when the body has no ``models``."""
    dry_run: bool = False
    """The plan is wanted and no image."""
    extras: Mapping[str, object] = field(default_factory=lambda: _NO_EXTRAS, repr=False)


def parse_generation(
    body: bytes,
    *,
    max_timeout_s: float,
    policies: Collection[str] = tuple(OBJECTIVES),
    providers: Collection[str] = PROVIDERS,
) -> GenerationBody:
    """Read a JSON body of ``POST /v1/images/generations``.

    ``max_timeout_s`` is the largest ``timeout`` a caller may ask for, in seconds; ``policies`` are the names of the
    routing policies there are, ``providers`` those of the providers. Raises ParameterError, which names the parameter
    at fault and says what would be right.
    """
    fields = Fields(_unwrapped(parse_object(body)))
    prompt = _prompt(fields)
    _refuse_what_is_not_built(fields)
    fields.drop(*_HARMLESS_NAMES)
    model = fields.text("model")
    preferences = take_preferences(fields, model, policies=policies, providers=providers)
    without_effect = tuple(_without_effect(fields))
    if preferences.wishes.require_parameters and without_effect:
        raise _required(without_effect[0])
    return GenerationBody(
        prompt=prompt,
        model=model,
        sizes=_sizes(fields),
        output_format=_output_format(fields),
        seed=_seed(fields),
        web_search=bool(
            fields.flag(
                "web_search", "webSearch", "enable_web_search", "enableWebSearch", "google_search", "googleSearch"
            )
        ),
        thinking=fields.choice(THINKING_LEVELS, "thinking_level", "thinkingLevel", "thinking"),
        timeout_s=fields.seconds(max_timeout_s, "timeout"),
        warnings=without_effect + preferences.warnings,
        wishes=preferences.wishes,
        models=preferences.models,
        dry_run=bool(fields.flag("dry_run", "dryRun")),
        extras=MappingProxyType(fields.rest()),
    )


def _unwrapped(document: dict[str, Any]) -> dict[str, Any]:
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


def _refuse_what_is_not_built(fields: Fields) -> None:
    images = fields.integer(1, MAX_IMAGES, "n")
    if images is not None and images > 1:
        raise ParameterError("n", "More than one image per request is not built yet: n must be 1.", _NOT_BUILT)
    if fields.flag("stream"):
        raise ParameterError("stream", "Streaming is not built yet: leave stream out or false.", _NOT_BUILT)
    if fields.integer(0, 3, "partial_images", "partialImages"):
        raise ParameterError(
            "partial_images", "Partial images come with streaming, which is not built yet: leave them at 0.", _NOT_BUILT
        )
    if fields.choice(("b64_json", "url"), "response_format", "responseFormat") == "url":
        raise ParameterError(
            "response_format", "Answering with a URL is not built yet: response_format must be b64_json.", _NOT_BUILT
        )
    if fields.choice(("auto", "opaque", "transparent"), "background") == "transparent":
        raise ParameterError(
            "background", "No provider of these models delivers transparency: background must be auto or opaque.",
            _NOT_BUILT,
        )  # fmt: skip
    for name, value in fields.take_all(*_IMAGE_NAMES):
        if value not in ([], {}):
            raise ParameterError(
                name, f"Images as input are not built yet: this gateway makes images from text. Leave {name} out.",
                _NOT_BUILT,
            )  # fmt: skip


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


def _output_format(fields: Fields) -> OutputFormat | None:
    name, value = fields.take("output_format", "outputFormat")
    if value is None:
        return None
    word = value.strip().lower().removeprefix("image/") if isinstance(value, str) else ""
    if word not in _FORMATS:
        code = "unsupported_value" if word in ("gif", "svg", "svg+xml", "avif") else "invalid_value"
        raise ParameterError(name, f"{name} must be one of {', '.join(OutputFormat)}, not {shown(value)}.", code)
    return _FORMATS[word]


def _seed(fields: Fields) -> int | None:
    seed = fields.integer(-1, MAX_SEED, "seed")
    # -1 means "any" in most diffusion programs, whose users bring the habit along.
    return None if seed == -1 else seed


def _required(warning: Warning) -> ParameterError:
    return ParameterError(
        warning.parameter, f"{warning.message}; provider.require_parameters asks for more than a warning.", _NOT_BUILT
    )


def _without_effect(fields: Fields) -> Iterator[Warning]:
    quality_name, quality = fields.take("quality")
    if quality is not None and str(quality).strip().lower() != "auto":
        yield Warning(quality_name, "quality has no effect on these models; resolution decides how fine an image is")
    if fields.integer(0, 100, "output_compression", "outputCompression") is not None:
        yield Warning("output_compression", "output_compression has no effect: images are passed on as delivered")
    if fields.text("negative_prompt", "negativePrompt") is not None:
        yield Warning("negative_prompt", "negative_prompt has no effect on these models; say it in the prompt")
