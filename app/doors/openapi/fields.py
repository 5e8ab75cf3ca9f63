"""The fields of an image request as the OpenAPI document describes them.

Limits and lists come from the readers' own constants, and a test holds the names against what the readers ask for.
Types are those a program should send; readers take more (numbers and flags as text), and the prose says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.catalog.catalog import Catalog
from app.doors.openai_images.image_names import IMAGE_NAMES, MASK_NAMES
from app.doors.openai_images.output import MAX_PARTIAL_IMAGES, ResponseFormat
from app.doors.openai_images.preferences import (
    MAX_LATENCY_S,
    MAX_MODEL_CHARS,
    MAX_MODELS,
    MAX_PRICE_USD,
    MAX_VALUE_OF_TIME,
    SORTS,
)
from app.doors.openai_images.references import MAX_INPUT_IMAGES
from app.doors.openai_images.schema import MAX_IMAGES, MAX_PROMPT_CHARS, MAX_SEED, THINKING_LEVELS
from app.doors.openai_images.spellings import MAX_EDGE
from providers.registry import PROVIDERS
from providers.spec.request import OutputFormat, Resolution, Safety

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it accepts, and under which other names it may come."""

    schema: Schema
    also: tuple[str, ...] = ()

    def described(self) -> Schema:
        """The schema with its other names in its description, and null as one more value: it means absent."""
        schema = dict(self.schema)
        if self.also:
            names = ", ".join(f"`{name}`" for name in self.also)
            schema["description"] = f"{schema.get('description', '')} Also: {names}.".strip()
        if "type" in schema:
            schema["type"] = [schema["type"], "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        else:
            schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
        return schema


def text(description: str, **more: Any) -> Schema:
    """Text."""
    return {"type": "string", "description": description, **more}


def flag(description: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": description}


def integer(low: int, high: int, description: str, **more: Any) -> Schema:
    """A whole number between these."""
    return {"type": "integer", "minimum": low, "maximum": high, "description": description, **more}


def one_of(values: Iterable[str], description: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values), "description": description}


def fields(catalog: Catalog) -> Mapping[str, Field]:
    """Every field but ``prompt``, ``image``, ``images`` and ``mask``, by its main name. ``catalog`` knows the models,
    the policies and the longest time a caller may ask for."""
    names = list(catalog.models)
    return {
        "model": Field(
            text(
                "A name or an alias of `GET /v1/models`. `fal/NAME` pins the provider, `NAME-4k` names the tier, "
                "`NAME:fastest` the policy. Absent: the operator's default.",
                examples=names,
            )
        ),
        "models": Field(
            {
                "type": "array",
                "maxItems": MAX_MODELS,
                "items": {"type": "string", "minLength": 1, "maxLength": MAX_MODEL_CHARS},
                "description": "Further models to fall back to.",
            }
        ),
        "n": Field(integer(1, MAX_IMAGES, "How many images.", default=1)),
        **_sizes(),
        **_output(),
        **_making(),
        **_routing(tuple(catalog.policy.objectives)),
        "timeout": Field(
            {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": catalog.policy.max_timeout_s,
                "description": "Seconds for the whole request, tries at several providers included.",
            }
        ),
        "dry_run": Field(flag("The route plan, and no image."), ("dryRun",)),
        **_without_effect(),
    }


def _sizes() -> dict[str, Field]:
    tiers = ", ".join(Resolution)
    edge = {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_EDGE,
        "description": "Pixels; only together with the other.",
    }
    ratio = text('A demand: a ratio such as "16:9"; what the model lacks is refused.')
    tier = text(f"A demand: {tiers}; what the model lacks is refused.")
    return {
        "size": Field(text('A wish: pixels ("1536x1024"), a ratio, a tier or "auto"; granted as nearly as can be.')),
        "width": Field(edge),
        "height": Field(edge),
        "aspect_ratio": Field(ratio, ("aspectRatio",)),
        "resolution": Field(tier),
        "image_size": Field(tier, ("imageSize",)),
        "image_config": Field(
            {
                "type": "object",
                "properties": {"aspect_ratio": ratio, "image_size": tier},
                "description": "Both of these in an object.",
            },
            ("imageConfig",),
        ),
        "resize": Field(one_of(("exact", "auto", "none"), "`exact`: the image has the very pixels of `size`.")),
    }


def _output() -> dict[str, Field]:
    return {
        "output_format": Field(
            one_of(OutputFormat, "Exactly this. Absent: as the provider delivers."), ("outputFormat",)
        ),
        "output_compression": Field(integer(0, 100, "Quality of JPEG, WebP and AVIF."), ("outputCompression",)),
        "background": Field(one_of(("auto", "opaque", "transparent"), "What is behind the picture.")),
        "response_format": Field(one_of(ResponseFormat, "Base64, or a signed URL that ends."), ("responseFormat",)),
        "stream": Field(flag("Answer with server-sent events.")),
        "partial_images": Field(integer(0, MAX_PARTIAL_IMAGES, "Interim images of a stream."), ("partialImages",)),
    }


def _making() -> dict[str, Field]:
    searches = ("webSearch", "enable_web_search", "enableWebSearch", "google_search", "googleSearch")
    return {
        "seed": Field(integer(-1, MAX_SEED, "Where the provider has it; -1 is none.")),
        "system_prompt": Field(text("Where the provider has it.", maxLength=MAX_PROMPT_CHARS), ("systemPrompt",)),
        "negative_prompt": Field(
            text("No provider here has it: a warning.", maxLength=MAX_PROMPT_CHARS), ("negativePrompt",)
        ),
        "thinking_level": Field(one_of(THINKING_LEVELS, "A demand."), ("thinkingLevel", "thinking")),
        "web_search": Field(flag("The model may look things up."), searches),
        "image_search": Field(
            flag("The model may look pictures up."), ("imageSearch", "enable_image_search", "enableImageSearch")
        ),
        "safety": Field(one_of(Safety, "How much the provider's own filters hold back.")),
        "moderation": Field(one_of(("auto", "low"), "`low` is `safety: relaxed`.")),
        "provider_options": Field(
            {
                "type": "object",
                "properties": {name: {"type": "object"} for name in PROVIDERS},
                "additionalProperties": False,
                "description": "Fields for one provider alone, passed on as they are.",
            },
            ("providerOptions",),
        ),
    }


def _routing(policies: Collection[str]) -> dict[str, Field]:
    usd = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_PRICE_USD}
    seconds = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_LATENCY_S}
    names = {"type": "array", "items": {"type": "string", "enum": list(PROVIDERS)}}
    return {
        "policy": Field(one_of(policies, "What the choice of the provider goes by.")),
        "value_of_time": Field(
            {
                "type": "number",
                "minimum": 0,
                "maximum": MAX_VALUE_OF_TIME,
                "description": "USD a second of waiting is worth, in place of the policy's.",
            },
            ("valueOfTime",),
        ),
        "hedge": Field(flag("A second provider may be asked while the first is slow.")),
        "provider": Field(
            {
                "type": "object",
                "properties": {
                    "order": names,
                    "only": names,
                    "ignore": names,
                    "allow_fallbacks": {"type": "boolean"},
                    "require_parameters": {"type": "boolean"},
                    "sort": {"type": "string", "enum": list(SORTS)},
                    "max_price": {
                        "anyOf": [usd, {"type": "object", "properties": {"image": usd, "request": usd}}],
                        "description": "USD per image, or per image and per request.",
                    },
                    "preferred_max_latency": {
                        "anyOf": [
                            seconds,
                            {
                                "type": "object",
                                "properties": dict.fromkeys(("p50", "p75", "p90", "p95", "p99"), seconds),
                            },
                        ],
                        "description": "Seconds: the median, or by percentile.",
                    },
                },
                "description": "Who may serve the request, and at what price. Names nobody knows are refused in here.",
            }
        ),
    }


def _without_effect() -> dict[str, Field]:
    said = "Has no effect, and a warning says so."
    return {
        "quality": Field(text("Other values than `auto` have no effect, and a warning says so.")),
        "style": Field(text(said)),
        "input_fidelity": Field(text(said)),
        "complexity": Field({"anyOf": [{"type": "string"}, {"type": "number"}], "description": said}),
        "frame_count": Field({"type": "integer", "description": said}),
        "frame_duration_ms": Field({"type": "integer", "description": said}),
        "user": Field(text("Read for nothing.")),
        "safety_identifier": Field(text("Read for nothing."), ("safetyIdentifier",)),
    }


def body(catalog: Catalog, *, form: bool, editing: bool) -> Schema:
    """The schema of a request's body: JSON, or a form, in which files stand for images."""
    described = {name: field.described() for name, field in fields(catalog).items()}
    own = {"prompt": text("What the image shows.", minLength=1, maxLength=MAX_PROMPT_CHARS), **_images(form=form)}
    needed = ["prompt", "image" if form else "images"] if editing else ["prompt"]
    return {"type": "object", "required": needed, "properties": {**own, **described}}


def _images(*, form: bool) -> dict[str, Schema]:
    others = ", ".join(f"`{name}`" for name in IMAGE_NAMES if name not in ("image", "images"))
    said = f"Input images, up to {MAX_INPUT_IMAGES}; the first is the one to be changed. Also: {others}."
    masks = "Transparent where the first image is to change; a PNG of its size. Also: "
    masks += ", ".join(f"`{name}`" for name in MASK_NAMES[1:]) + "."
    if form:
        file = {"type": "string", "format": "binary"}
        several = {"type": "array", "items": file, "minItems": 1, "maxItems": MAX_INPUT_IMAGES, "description": said}
        return {"image": several, "mask": {**file, "description": masks}}
    one = {"$ref": "#/components/schemas/ImageReference"}
    several = {"type": "array", "items": one, "maxItems": MAX_INPUT_IMAGES, "description": said}
    return {"images": several, "mask": {**one, "description": masks}}


_URL: Schema = {"type": "string", "format": "uri", "description": "An https URL, or a data URL of base64."}
REFERENCE: Schema = {
    "anyOf": [_URL, {"type": "object", "required": ["image_url"], "properties": {"image_url": _URL}}],
    "description": "An image by reference.",
}
