"""Prices: what a request would cost at an offer, and which price line says so. No clock: the day is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from providers.spec.request import ImageRequest, Operation, Resolution
from providers.spec.unguarded import unguarded
from routing.offers import Offer
from routing.reasons import dollars

Confidence = Literal["verified", "unverified"]

WEB_SEARCH = "web_search"
IMAGE_SEARCH = "image_search"
HIGH_THINKING = "high_thinking"
SURCHARGES: frozenset[str] = frozenset({WEB_SEARCH, IMAGE_SEARCH, HIGH_THINKING})
"""Extras a vendor may charge for, once per call."""

TOKEN_RATES: frozenset[str] = frozenset({"text_input", "image_input", "text_output", "image_output"})
"""Kinds of token a vendor lists a rate for."""


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One entry of a price file: what a provider asks for a model from a day on. Every amount is in USD."""

    provider: str
    model: str
    """The public model's name."""
    operations: frozenset[Operation]
    images: Mapping[Resolution, Decimal]
    """Per delivered image. A resolution that is missing is not for sale."""
    input_image: Decimal
    """Per input image of a call; zero where the vendor does not charge for it."""
    surcharges: Mapping[str, Decimal]
    """Per call; keys are those of SURCHARGES."""
    token_rates: Mapping[str, Decimal]
    """Per million tokens; keys are those of TOKEN_RATES. For information: quotes do not use them."""
    source: str
    """The vendor's page, or who else says so."""
    checked_on: date
    effective_from: date
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class QuotePart:
    """One summand of a quote, in USD. ``name`` is ``images``, ``input_images`` or the name of a surcharge."""

    name: str
    amount: Decimal


@unguarded
@dataclass(frozen=True, slots=True)
class Quote:
    """What a request would cost at an offer, in USD, the parts it is the sum of, and the line they come from."""

    total: Decimal
    parts: tuple[QuotePart, ...]
    line: PriceLine
    price: float = field(init=False, repr=False, compare=False)
    """The total for the objective's arithmetic; kept, for a quote serves many requests."""
    told: str = field(init=False, repr=False, compare=False)
    """The total as a sentence names it."""

    def __post_init__(self) -> None:
        """Put the total into its other shapes."""
        object.__setattr__(self, "price", float(self.total))
        object.__setattr__(self, "told", dollars(self.total))


_Key = tuple[str, str, Operation]
_Asked = tuple[str, str, Operation, Resolution | None, int, int, bool, int, bool, bool, str | None, date]
_MOST_QUOTES = 2048
"""Quotes a table keeps before it begins anew; about a megabyte. Most requests ask for the same few."""
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_S = 86_400


def day_of(now: float) -> date:
    """The UTC day whose prices hold at that moment, in unix seconds."""
    return _day(now // _DAY_S)


@lru_cache(maxsize=2)
def _day(number: float) -> date:
    return date.fromordinal(_EPOCH + int(number))


@dataclass(frozen=True, slots=True)
class PriceTable:
    """All price lines, past, present and announced. Immutable, but for what it remembers of its own answers."""

    lines: tuple[PriceLine, ...]
    _newest_first: Mapping[_Key, tuple[PriceLine, ...]] = field(init=False, repr=False, compare=False)
    _quotes: dict[_Asked, Quote | None] = field(init=False, repr=False, compare=False)
    """Those of late, by all they depend on."""

    def __post_init__(self) -> None:
        """Sort the lines of each (provider, model, operation), newest first."""
        index: dict[_Key, list[PriceLine]] = {}
        for line in sorted(self.lines, key=lambda line: line.effective_from, reverse=True):
            for operation in line.operations:
                index.setdefault((line.provider, line.model, operation), []).append(line)
        frozen = MappingProxyType({key: tuple(lines) for key, lines in index.items()})
        object.__setattr__(self, "_newest_first", frozen)
        object.__setattr__(self, "_quotes", {})

    def line(self, provider: str, model: str, operation: Operation, on: date) -> PriceLine | None:
        """The line in force on that day: the newest that is not still to come. None when there is none."""
        for line in self._newest_first.get((provider, model, operation), ()):
            if line.effective_from <= on:
                return line
        return None

    def quote(self, offer: Offer, request: ImageRequest, *, on: date) -> Quote | None:
        """What ``request`` would cost at ``offer`` on that day.

        The sum of n images, of the input images, and of the surcharges the request calls for. Input images and
        surcharges are billed per call, and an offer that makes fewer than n images at once is called more than once.
        None when the offer has no price for this operation or resolution on that day. A request without a resolution
        has a price only where the line knows a single one.
        """
        capability = offer.capability
        inputs = capability.input_images(request)
        asked = (
            offer.provider,
            offer.model,
            request.operation,
            request.resolution,
            request.n,
            capability.max_images,
            request.seed is None,
            inputs,
            request.web_search,
            request.image_search,
            request.thinking,
            on,
        )
        try:
            return self._quotes[asked]
        except KeyError:
            pass  # not asked for of late
        line = self.line(offer.provider, offer.model, request.operation, on)
        # With a seed every image is a call of its own, for each has to have another seed.
        at_once = max(1, capability.max_images) if request.seed is None else 1
        quote = None if line is None else _quote(line, request, calls=-(-request.n // at_once), inputs=inputs)
        if len(self._quotes) >= _MOST_QUOTES:
            self._quotes.clear()
        self._quotes[asked] = quote
        return quote


def _quote(line: PriceLine, request: ImageRequest, *, calls: int, inputs: int) -> Quote | None:
    per_image = _price_of_one(line, request.resolution)
    if per_image is None:
        return None
    parts = [QuotePart("images", per_image * request.n)]
    if inputs and line.input_image:
        parts.append(QuotePart("input_images", line.input_image * inputs * calls))
    parts += [QuotePart(name, line.surcharges[name] * calls) for name in _extras(request) if name in line.surcharges]
    total = parts[0].amount if len(parts) == 1 else sum((part.amount for part in parts), Decimal(0))
    return Quote(total=total, parts=tuple(parts), line=line)


def _price_of_one(line: PriceLine, resolution: Resolution | None) -> Decimal | None:
    if resolution is not None:
        return line.images.get(resolution)
    return next(iter(line.images.values())) if len(line.images) == 1 else None


def _extras(request: ImageRequest) -> list[str]:
    asked = (
        (WEB_SEARCH, request.web_search),
        (IMAGE_SEARCH, request.image_search),
        (HIGH_THINKING, request.thinking == "high"),
    )
    return [name for name, wanted in asked if wanted]
