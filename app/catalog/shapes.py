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
Tiers = Annotated[list[Tier], Field(min_length=1), AfterValidator(_distinct)]
Operations = Annotated[list[Annotated[Operation, Field(strict=False)]], Field(min_length=1), AfterValidator(_distinct)]
Formats = Annotated[list[Annotated[OutputFormat, Field(strict=False)]], AfterValidator(_distinct)]
Ratios = Annotated[list[Ratio], Field(min_length=1), AfterValidator(_distinct)]
Names = Annotated[list[Name], AfterValidator(_distinct)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OfferEntry(_Shape):
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
    max_images: Count = 1
    min_prompt_chars: Count = 1
    max_prompt_chars: Count = 32_000
    mask: bool = False
    seed: bool = False
    web_search: bool = False
    thinking: Annotated[list[Literal["minimal", "low", "medium", "high"]], AfterValidator(_distinct)] = []


class ModelEntry(_Shape):
    """One ``[[model]]`` with its offers."""

    name: Name
    display_name: Text
    released: date
    owned_by: Text
    aliases: Names = []
    default_resolution: Tier
    pixel_table: Name
    offer: Annotated[list[OfferEntry], Field(min_length=1)]


class PixelTable(_Shape):
    """One ``[pixel_tables.<name>]``: sizes by resolution and ratio."""

    sizes: Annotated[dict[Tier, dict[Ratio, Size]], Field(min_length=1)]
    also: dict[Tier, dict[Ratio, Size]] = {}


class DefaultFor(_Shape):
    """``[default_for]``: names that GATEWAY_DEFAULT_MODEL stands in for."""

    names: Names


class ModelsFile(_Shape):
    """models.toml."""

    default_for: DefaultFor
    aspect_ratios: dict[Name, Ratios]
    pixel_tables: dict[Name, PixelTable]
    model: Annotated[list[ModelEntry], Field(min_length=1)]


class PriceEntry(_Shape):
    """One ``[[price]]``. See the head of prices/gemini.toml for what each key means."""

    model: Name
    operations: Operations
    images: Annotated[dict[Tier, ImagePrice], Field(min_length=1)]
    input_image: Amount = Decimal(0)
    surcharges: dict[Literal["web_search", "high_thinking"], Amount] = {}
    token_rates: dict[Literal["text_input", "image_input", "text_output", "image_output"], Amount] = {}
    source: Text
    checked_on: date
    effective_from: date
    confidence: Literal["verified", "unverified"]


class PricesFile(_Shape):
    """prices/<provider>.toml."""

    price: Annotated[list[PriceEntry], Field(min_length=1)]


class AttemptLimits(_Shape):
    """``[attempt_limit_s]`` of policy.toml."""

    r512: Annotated[Seconds, Field(alias="512")]
    r1k: Annotated[Seconds, Field(alias="1K")]
    r2k: Annotated[Seconds, Field(alias="2K")]
    r4k: Annotated[Seconds, Field(alias="4K")]


class PolicyFile(_Shape):
    """policy.toml. Every knob must be present; routing.policy says what each means."""

    request_deadline_s: Seconds
    max_timeout_s: Seconds
    max_attempts: Count
    max_possible_payments: Count
    refusal_policy: Literal["stop"]
    default_block_s: Seconds
    max_block_s: Seconds
    out_probe_s: Seconds
    out_long_s: Seconds
    default_retry_after_s: Seconds
    max_retry_after_s: Annotated[Seconds, Field(le=60)]
    submit_grace_s: Seconds
    cancel_limit_s: Seconds
    attempt_limit_s: AttemptLimits
