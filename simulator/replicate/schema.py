"""Replicate's input schemas: what each official model takes, checked at create."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.inputs import too_long
from simulator.paint import Format, Reference, read_reference
from simulator.pixels import (
    ALL_RATIOS,
    CLASSIC_RATIOS,
    GEMINI_25,
    REPLICATE_FLUX,
    Size,
    gemini_3_size,
    nearest_ratio,
    replicate_flux_size,
)
from simulator.vendors import Tier

FORMATS = {"png": Format.PNG, "jpg": Format.JPEG, "webp": Format.WEBP}
MATCH = "match_input_image"
MOST_INPUTS = 14
LONGEST_DATA_URI = 1_000_000
"""Characters. The reference asks for uploads from 256 KB on, the guide from 1 MB; only beyond the latter is it refused
here. How Replicate itself refuses is unverified."""
DRAWN = 5000
"""Characters of a prompt that are kept to be drawn; Replicate's own limit is not known."""
LEVELS = ("block_low_and_above", "block_medium_and_above", "block_only_high")


@dataclass(frozen=True, slots=True)
class Field:
    """One input: its type, its default, and what it may be."""

    type: type
    default: Any = None
    values: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None
    """Least and greatest value."""


def _choice(default: str, *values: str) -> Field:
    return Field(str, default, values)


def _banana(ratios: tuple[str, ...], **more: Field) -> dict[str, Field]:
    return {
        "prompt": Field(str),
        "image_input": Field(list),
        "aspect_ratio": _choice(MATCH, MATCH, *ratios),
        "output_format": _choice("jpg", "jpg", "png"),
        **more,
    }


def _flux(most_steps: int, steps: int, **more: Field) -> dict[str, Field]:
    return {
        "prompt": Field(str),
        "aspect_ratio": _choice("1:1", *REPLICATE_FLUX),
        "num_outputs": Field(int, 1, bounds=(1, 4)),
        "num_inference_steps": Field(int, steps, bounds=(1, most_steps)),
        "output_format": _choice("webp", "webp", "jpg", "png"),
        "output_quality": Field(int, 80, bounds=(0, 100)),
        "megapixels": _choice("1", "1", "0.25"),
        "seed": Field(int),
        "go_fast": Field(bool, True),
        "disable_safety_checker": Field(bool, False),
        **more,
    }


MODELS: dict[str, dict[str, Field]] = {
    # https://replicate.com/google/nano-banana-2/api/schema and its siblings; Pro, first and FLUX by third parties.
    "google/nano-banana-2": _banana(
        ALL_RATIOS,
        resolution=_choice("1K", "1K", "2K", "4K"),
        google_search=Field(bool, False),
        image_search=Field(bool, False),
    ),
    "google/nano-banana-pro": _banana(
        CLASSIC_RATIOS,
        resolution=_choice("2K", "1K", "2K", "4K"),
        safety_filter_level=_choice("block_only_high", *LEVELS),
        allow_fallback_model=Field(bool, False),
    ),
    "google/nano-banana": _banana(CLASSIC_RATIOS),
    "black-forest-labs/flux-schnell": _flux(4, 4),
    "black-forest-labs/flux-dev": _flux(50, 28, guidance=Field(float, 3.5), prompt_strength=Field(float, 0.8)),
}


def is_flux(model: str) -> bool:
    """Whether the model gives a list of pictures and is quick."""
    return model.startswith("black-forest-labs/")


class Rejected(Exception):
    """The input does not fit the schema."""

    def __init__(self, field: str, kind: str, description: str) -> None:
        super().__init__(description)
        self.body = {
            "title": "Input validation failed",
            "detail": f"- {field}: {description}\n",
            "status": 422,
            "invalid_fields": [{"type": kind, "field": field, "description": description}],
        }


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made."""

    prompt: str
    references: tuple[Reference, ...]
    tier: Tier
    size: Size
    format: Format
    count: int
    quality: int


def checked(model: str, given: Any) -> dict[str, Any]:
    """The input with defaults filled in. Rejected for a wrong, missing or unknown field.

    That Replicate refuses unknown fields is unverified; strictness shows an adapter's slips.
    """
    if not isinstance(given, dict):
        raise Rejected("input", "invalid_type", "input is required and must be an object")
    schema = MODELS[model]
    for name in given:
        if name not in schema:
            raise Rejected(
                "input", "additional_property_not_allowed", f"Additional property {name[:100]} is not allowed"
            )
    if not isinstance(given.get("prompt"), str) or not given["prompt"]:
        raise Rejected("input", "required", "prompt is required")
    return {
        name: given[name] if _fits(name, given.get(name), field) else field.default for name, field in schema.items()
    }


def _fits(name: str, value: Any, field: Field) -> bool:
    """Whether a value was given; Rejected when it does not fit."""
    if value is None:
        return False
    where = f"input.{name}"
    accepted = (int, float) if field.type is float else field.type
    if not isinstance(value, accepted) or (isinstance(value, bool) and field.type is not bool):
        raise Rejected(where, "invalid_type", f"{name} must be of type {field.type.__name__}")
    if field.values and value not in field.values:
        listed = ", ".join(f'"{item}"' for item in field.values)
        raise Rejected(where, "enum", f"{name} must be one of the following: {listed}")
    bounds = field.bounds
    if bounds is not None and isinstance(value, int) and not bounds[0] <= value <= bounds[1]:
        raise Rejected(where, "number_range", f"{name} must be between {bounds[0]} and {bounds[1]}")
    return True


def links(values: dict[str, Any]) -> list[str]:
    """The input images' links. Rejected when they are not texts or too many."""
    urls = values.get("image_input") or []
    if not all(isinstance(url, str) for url in urls):
        raise Rejected("input.image_input", "invalid_type", "image_input must be a list of URIs")
    if len(urls) > MOST_INPUTS:
        raise Rejected("input.image_input", "array_max_items", f"image_input may have at most {MOST_INPUTS} items")
    if any(too_long(url, LONGEST_DATA_URI) for url in urls):
        raise Rejected("input.image_input", "file_too_large", "Data URIs must be below 1 MB; upload larger files")
    return list(urls)


def read_order(model: str, values: dict[str, Any], inputs: list[bytes]) -> Order:
    """The order from checked input. NotAPicture when an input image cannot be read. Slow: decodes them."""
    references = tuple(read_reference(data, first=place == 0) for place, data in enumerate(inputs))
    ratio = values["aspect_ratio"]
    if is_flux(model):
        tier = Tier.HALF if values["megapixels"] == "0.25" else Tier.ONE
        size = replicate_flux_size(ratio, values["megapixels"])
    else:
        if ratio == MATCH:
            allowed = tuple(item for item in MODELS[model]["aspect_ratio"].values if item != MATCH)
            ratio = nearest_ratio(references[0].size, allowed) if references else "1:1"
        tier = Tier(values.get("resolution", "1K"))
        size = GEMINI_25[ratio] if model == "google/nano-banana" else gemini_3_size(ratio, tier)
    return Order(
        prompt=values["prompt"][:DRAWN],
        references=references,
        tier=tier,
        size=size,
        format=FORMATS[values["output_format"]],
        count=values.get("num_outputs", 1),
        quality=max(values.get("output_quality", 85), 1),
    )
