"""Shapes of the configuration files: which keys each holds and of what kind. load checks what they say together."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from app.catalog.models import Pixels
from providers.spec.request import Operation, OutputFormat, Resolution

_AMOUNT = re.compile(r"\d{1,6}(\.\d{1,12})?")
_PIXELS = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


def _amount(value: Any) -> Decimal:
    if isinstance(value, int | float):
        raise ValueError(f'{value!r} must stand in quotes: an amount in USD is text such as "0.12"')
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError(f'{_shown(value)} is not an amount in USD such as "0.12"')
    return Decimal(value)


def _pixels(value: Any) -> Pixels:
    match = _PIXELS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{_shown(value)} is not a width and height such as "1024x1024"')
    return int(match[1]), int(match[2])


def _above_zero(amount: Decimal) -> Decimal:
    if not amount:
        raise ValueError("no image is free: an amount above zero is needed")
    return amount


def _distinct(values: list[Any]) -> list[Any]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f'"{value}" stands there twice')
    return values


def _shown(value: object) -> str:
    return repr(value)[:80]


Amount = Annotated[Decimal, BeforeValidator(_amount)]
ImagePrice = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_above_zero)]
Size = Annotated[Pixels, BeforeValidator(_pixels)]
Tier = Annotated[Resolution, Field(strict=False)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
"""A public name or the name of a set or provider: it may not hold "/", which separates a pinned provider."""
Text = Annotated[str, Field(pattern=r"\S", max_length=300)]
Ratio = Annotated[str, Field(pattern=r"^[1-9]\d?:[1-9]\d?$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
"""Neither impossible nor certain: the logarithm of either is taken."""
Tiers = Annotated[list[Tier], Field(min_length=1), AfterValidator(_distinct)]
Operations = Annotated[list[Annotated[Operation, Field(strict=False)]], Field(min_length=1), AfterValidator(_distinct)]
Formats = Annotated[list[Annotated[OutputFormat, Field(strict=False)]], AfterValidator(_distinct)]
Ratios = Annotated[list[Ratio], Field(min_length=1), AfterValidator(_distinct)]
Names = Annotated[list[Name], AfterValidator(_distinct)]


class StrictShape(BaseModel):
    """A table in which no key is unknown and no value is of another kind than it should be."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OfferEntry(StrictShape):
    """One ``[[model.offer]]``. See the head of models.toml for what each key means."""

    provider: Name
    id: Text
    schema_name: Annotated[str, Field(alias="schema")]
    edit_id: Text | None = None
    operations: Operations
    resolutions: Tiers
    aspect_ratios: Name
    output_formats: Formats
    native_format: Annotated[OutputFormat, Field(strict=False)]
    max_input_images: Annotated[int, Field(ge=0)] = 0
    max_input_image_bytes: Count | None = None
    max_images: Count = 1
    min_prompt_chars: Count = 1
    max_prompt_chars: Count = 32_000
    mask: bool = False
    transparent: bool = False
    compression: bool = False
    seed: bool = False
    web_search: bool = False
    image_search: bool = False
    safety: bool = False
    system_prompt: bool = False
    partial_images: bool = False
    thinking: Annotated[list[Literal["minimal", "low", "medium", "high"]], AfterValidator(_distinct)] = []
    expected_seconds: Seconds | None = None
    expected_success: Probability | None = None


class ModelEntry(StrictShape):
    """One ``[[model]]`` with its offers."""

    name: Name
    display_name: Text
    released: date
    owned_by: Text
    aliases: Names = []
    default_resolution: Tier
    pixel_table: Name
    quality: Annotated[float, Field(ge=0, le=100)] | None = None
    expected_seconds: Seconds | None = None
    expected_success: Probability | None = None
    offer: Annotated[list[OfferEntry], Field(min_length=1)]


class PixelTable(StrictShape):
    """One ``[pixel_tables.<name>]``: sizes by resolution and ratio."""

    sizes: Annotated[dict[Tier, dict[Ratio, Size]], Field(min_length=1)]
    also: dict[Tier, dict[Ratio, Size]] = {}


class DefaultFor(StrictShape):
    """``[default_for]``: names that GATEWAY_DEFAULT_MODEL stands in for."""

    names: Names


class ModelsFile(StrictShape):
    """models.toml."""

    default_for: DefaultFor
    aspect_ratios: dict[Name, Ratios]
    pixel_tables: dict[Name, PixelTable]
    model: Annotated[list[ModelEntry], Field(min_length=1)]


class PriceEntry(StrictShape):
    """One ``[[price]]``. See the head of prices/gemini.toml for what each key means."""

    model: Name
    operations: Operations
    images: Annotated[dict[Tier, ImagePrice], Field(min_length=1)]
    input_image: Amount = Decimal(0)
    surcharges: dict[Literal["web_search", "image_search", "high_thinking"], Amount] = {}
    token_rates: dict[Literal["text_input", "image_input", "text_output", "image_output"], Amount] = {}
    source: Text
    checked_on: date
    effective_from: date
    confidence: Literal["verified", "unverified"]


class PricesFile(StrictShape):
    """prices/<provider>.toml."""

    price: Annotated[list[PriceEntry], Field(min_length=1)]
