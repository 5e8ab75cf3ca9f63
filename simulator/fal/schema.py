"""fal's input schemas: what each endpoint takes, checked as fal checks it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulator.bodies import abridged
from simulator.inputs import too_long
from simulator.paint import Format, NotAPicture, Reference, read_reference
from simulator.pixels import ALL_RATIOS, CLASSIC_RATIOS, FAL_PRESETS, GEMINI_25, Size, gemini_3_size, nearest_ratio
from simulator.pixels import tier_by_area as tier_of
from simulator.prices import FAL_HIGH_THINKING, FAL_WEB_SEARCH, image_price
from simulator.vendors import Tier, Vendor

TIERS = {"0.5K": Tier.HALF, "1K": Tier.ONE, "2K": Tier.TWO, "4K": Tier.FOUR}
FORMATS = {"png": Format.PNG, "jpeg": Format.JPEG, "webp": Format.WEBP}
MOST_INPUTS = 14
LONGEST_DATA_URI = 10_000_000
"""Characters. fal states no limit, but advises data URIs for small files only: an assumption, so that a client that
sends its large images inline is noticed here rather than there."""
LARGEST_EDGE = 4096
"""Pixels of a custom FLUX size; a bound of the simulator, fal's own is not known."""


@dataclass(frozen=True, slots=True)
class FalModel:
    """One endpoint pair."""

    family: str
    resolutions: tuple[str, ...]
    """Values of ``resolution``; empty when there is no such field."""
    ratios: tuple[str, ...]
    """Values of ``aspect_ratio`` besides ``auto``; empty for FLUX."""
    formats: tuple[str, ...] = ("jpeg", "png", "webp")
    default_format: str = "png"
    searches: bool = False
    thinks: bool = False
    most_steps: int = 0
    """Largest ``num_inference_steps``; 0 when there is no such field."""

    @property
    def flux(self) -> bool:
        """Whether it speaks FLUX's schema: ``image_size`` in place of ratio and resolution."""
        return not self.ratios


_NB2 = FalModel("nano-banana-2", ("0.5K", "1K", "2K", "4K"), ALL_RATIOS, searches=True, thinks=True)
_PRO = FalModel("nano-banana-pro", ("1K", "2K", "4K"), CLASSIC_RATIOS, searches=True)
_NB = FalModel("nano-banana", (), CLASSIC_RATIOS)
MODELS: dict[str, FalModel] = {
    # https://fal.ai/models/fal-ai/nano-banana-2/api and its siblings.
    "fal-ai/nano-banana-2": _NB2,
    "fal-ai/nano-banana-2/edit": _NB2,
    "fal-ai/gemini-3.1-flash-image-preview": _NB2,
    "fal-ai/gemini-3.1-flash-image-preview/edit": _NB2,
    "fal-ai/nano-banana-pro": _PRO,
    "fal-ai/nano-banana-pro/edit": _PRO,
    "fal-ai/nano-banana": _NB,
    "fal-ai/nano-banana/edit": _NB,
    "fal-ai/flux/schnell": FalModel("flux/schnell", (), (), ("jpeg", "png"), "jpeg", most_steps=12),
    "fal-ai/flux/dev": FalModel("flux/dev", (), (), ("jpeg", "png"), "jpeg", most_steps=50),
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
    sync: bool
    """Whether the pictures come as data URIs."""
    surcharge: Decimal
    """USD per request on top of the images."""
    seed: int | None

    def price(self, family: str, images: int) -> Decimal:
        """USD for this many delivered images."""
        return image_price(Vendor.FAL, family, self.tier) * images + (self.surcharge if images else Decimal(0))


class Rejected(Exception):
    """The input does not fit: one item of fal's ``detail`` list."""

    def __init__(self, field: str, kind: str, message: str, given: Any, ctx: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.item: dict[str, Any] = {"loc": ["body", field], "msg": message, "type": kind, "input": abridged(given)}
        if ctx:
            self.item["ctx"] = ctx
        if kind in ("image_load_error", "file_download_error"):
            self.item["url"] = f"https://docs.fal.ai/errors#{kind}"


def links(endpoint: str, body: dict[str, Any]) -> list[str]:
    """The input images' links. Rejected when an edit has none or there are too many."""
    if not endpoint.endswith("/edit"):
        return []
    urls = body.get("image_urls")
    if urls is None:
        raise Rejected("image_urls", "missing", "Field required", body)
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise Rejected("image_urls", "list_type", "Input should be a valid list", urls)
    if not urls:
        raise Rejected("image_urls", "sequence_too_short", "At least 1 image is needed", urls, {"min_length": 1})
    if len(urls) > MOST_INPUTS:
        ctx = {"max_length": MOST_INPUTS}
        raise Rejected("image_urls", "sequence_too_long", f"At most {MOST_INPUTS} images", urls, ctx)
    if any(too_long(url, LONGEST_DATA_URI) for url in urls):
        ctx = {"max_size": LONGEST_DATA_URI}
        raise Rejected("image_urls", "file_too_large", "A file is too large; upload it first.", urls, ctx)
    return urls


def read_order(endpoint: str, body: dict[str, Any], inputs: list[bytes]) -> Order:
    """Check the body. Rejected for what fal refuses; unknown fields are ignored. Decodes input images: slow."""
    model = MODELS[endpoint]
    prompt = _prompt(body)
    try:
        references = tuple(read_reference(data, first=place == 0) for place, data in enumerate(inputs))
    except NotAPicture:
        raise Rejected("image_urls", "image_load_error", "An image could not be decoded.", "") from None
    seed = body.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise Rejected("seed", "int_type", "Input should be a valid integer", seed)
    if model.flux:
        size = _flux_size(body.get("image_size", "landscape_4_3"))
        tier = tier_of(size)
        if body.get("num_inference_steps") is not None:
            _integer(body, "num_inference_steps", 1, model.most_steps)
        _flag(body, "enable_safety_checker")
    else:
        tier = TIERS[_choice(body, "resolution", "1K", model.resolutions)] if model.resolutions else Tier.ONE
        size = _banana_size(model, body, tier, references)
        _choice(body, "safety_tolerance", "4", tuple("123456"))
    surcharge = Decimal(0)
    if model.searches and _flag(body, "enable_web_search"):
        surcharge += FAL_WEB_SEARCH
    if model.thinks and body.get("thinking_level") is not None:
        level = _choice(body, "thinking_level", "minimal", ("minimal", "high"))
        surcharge += FAL_HIGH_THINKING if level == "high" else Decimal(0)
    return Order(
        prompt=prompt,
        references=references,
        tier=tier,
        size=size,
        format=FORMATS[_choice(body, "output_format", model.default_format, model.formats)],
        count=_integer(body, "num_images", 1, 4),
        sync=_flag(body, "sync_mode"),
        surcharge=surcharge,
        seed=seed,
    )


def _prompt(body: dict[str, Any]) -> str:
    prompt = body.get("prompt")
    if prompt is None:
        raise Rejected("prompt", "missing", "Field required", body)
    if not isinstance(prompt, str):
        raise Rejected("prompt", "string_type", "Input should be a valid string", prompt)
    if len(prompt) < 3:
        raise Rejected("prompt", "string_too_short", "At least 3 characters are needed", prompt, {"min_length": 3})
    if len(prompt) > 50_000:
        raise Rejected("prompt", "string_too_long", "At most 50000 characters", prompt, {"max_length": 50_000})
    return prompt


def _choice(body: dict[str, Any], field: str, default: str, values: tuple[str, ...]) -> str:
    value = body.get(field, default)
    if value not in values:
        expected = ", ".join(f"'{item}'" for item in values[:-1]) + f" or '{values[-1]}'"
        raise Rejected(field, "literal_error", f"Input should be {expected}", value, {"expected": expected})
    return str(value)


def _integer(body: dict[str, Any], field: str, least: int, most: int) -> int:
    value = body.get(field, least)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Rejected(field, "int_type", "Input should be a valid integer", value)
    if value < least:
        raise Rejected(field, "greater_than_equal", f"Should be at least {least}", value, {"ge": least})
    if value > most:
        raise Rejected(field, "less_than_equal", f"Should be at most {most}", value, {"le": most})
    return value


def _flag(body: dict[str, Any], field: str) -> bool:
    value = body.get(field, False)
    if not isinstance(value, bool):
        raise Rejected(field, "bool_type", "Input should be a valid boolean", value)
    return value


def _banana_size(model: FalModel, body: dict[str, Any], tier: Tier, references: tuple[Reference, ...]) -> Size:
    ratio = _choice(body, "aspect_ratio", "auto", ("auto", *model.ratios))
    if ratio == "auto":
        ratio = nearest_ratio(references[0].size, model.ratios) if references else "1:1"
    return gemini_3_size(ratio, tier) if model.resolutions else GEMINI_25[ratio]


def _flux_size(asked: Any) -> Size:
    if isinstance(asked, dict):
        return _integer(asked, "width", 16, LARGEST_EDGE), _integer(asked, "height", 16, LARGEST_EDGE)
    return FAL_PRESETS[_choice({"image_size": asked}, "image_size", "landscape_4_3", tuple(FAL_PRESETS))]
