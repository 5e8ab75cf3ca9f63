"""Cells of the parity page: what becomes of one parameter at one offer, found out by asking the code that serves it.

A body is parsed, translated and fitted as for a request, and the adapter's first calls are compared with those of the
same body without the parameter. Nothing is called: a conversation is only begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from app.catalog.models import FoundModel
from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.output import ResponseFormat
from app.doors.openai_images.schema import ImagesBody, parse_body
from app.doors.openai_images.translate import NOTHING_SENT, Translated, translate
from app.fitting import Fitted, Fitting
from app.media.finish import finish
from app.media.inputs import InputError, Inputs, Prepared
from app.media.verify import Delivered
from providers.blobs import MemoryBlob
from providers.registry import Access, connect
from providers.spec.adapter import Adapter
from providers.spec.blob import Blob
from providers.spec.conversation import HttpCall
from providers.spec.errors import ProviderError
from providers.spec.request import ImageRequest, OutputFormat, Safety
from providers.workers import Workers
from routing.offers import Offer
from tests.architecture.parity_rows import EDGE, PROMPT, Row, photograph
from tests.contract.driving import pending, sent_body
from tests.unit.app.media.photographs import saved, scene


class Word(StrEnum):
    """What a cell may say."""

    NATIVE = "native"
    CONVERTED = "converted"
    EMULATED = "emulated"
    ACCEPTED = "accepted"
    IGNORED = "ignored"
    NONE = "none"
    REFUSED = "refused"
    INLINE = "inline"
    UPLOADED = "uploaded"
    SHRUNK = "smaller"


@dataclass(frozen=True, slots=True)
class Cell:
    """One verdict."""

    word: Word
    nearly: bool = False
    """Granted as nearly as the model can, with a warning."""
    why: str = ""
    """Of a refusal."""
    a_call: int = 0
    """Most images of one call, where more are asked for; 0: all of them."""


class _Refused(Exception):
    """The body does not become a request."""


@dataclass(frozen=True, slots=True)
class _Order:
    body: ImagesBody
    sent: Prepared
    translated: Translated

    @property
    def request(self) -> ImageRequest:
        return self.translated.request


class Kitchen:
    """Asks the code. One event loop and one pool of workers for all cells."""

    def __init__(self) -> None:
        self._workers = Workers()
        self._inputs = Inputs(self._workers, _fetched)
        self._original = photograph()

    def close(self) -> None:
        """End the workers."""
        self._workers.close()

    async def cell(self, row: Row, found: FoundModel, offer: Offer, *, editing: bool) -> Cell:
        """What becomes of the row's fields at the offer. Raises AssertionError when they vanish without a word."""
        fields = {"provider_options": {offer.provider: dict(row.fields)}} if row.by_provider else row.fields
        try:
            base = await self._order(row.beside, found, editing=editing)
            order = await self._order({**row.beside, **fields}, found, editing=editing)
        except _Refused as refused:
            return Cell(Word.REFUSED, why=str(refused))
        if any(warning.parameter in fields for warning in order.body.warnings):
            return Cell(Word.IGNORED)
        if objection := offer.capability.objection(order.request):
            return Cell(Word.REFUSED, why=objection.reason)
        fitting = Fitting(self._workers)
        fitted = await fitting.fitted(order.request, offer.capability)
        if {warning.parameter for warning in fitted.warnings} & offered_names(fields):
            return Cell(Word.IGNORED)
        try:
            first = _first_call(offer, fitted)
        except ProviderError as refused:
            return Cell(Word.REFUSED, why=refused.message)
        nearly = any(warning.parameter in fields for warning in order.translated.warnings)
        if editing and "image" in fields:
            return _of_input(row, order, fitted, first)
        plain = await Fitting(self._workers).fitted(base.request, offer.capability)
        word = self._word(order, base, offer, fitted, first, plain)
        if word is Word.ACCEPTED and nearly:
            return Cell(Word.IGNORED)
        a_call = fitted.request.n if 1 < fitted.request.n < order.request.n else 0
        return Cell(word, nearly, a_call=a_call)

    def _word(self, order: _Order, base: _Order, offer: Offer, fitted: Fitted, first: HttpCall, plain: Fitted) -> Word:
        if fitted.emulation is not None or (order.request.n > 1 and fitted.request.n == 1):
            return Word.EMULATED
        if fitted.request.partial_images < order.request.partial_images:
            return Word.NONE
        if _is_converted(order.request, offer, fitted):
            return Word.CONVERTED
        if _sent(first) != _sent(_first_call(offer, plain)):
            return Word.NATIVE
        if order.request == base.request:
            own = order.body.output.stream or order.body.output.response_format is ResponseFormat.URL
            return Word.EMULATED if own and order.body.output != base.body.output else Word.ACCEPTED
        if order.request.output_format is not None and base.request.output_format is None:
            return Word.NATIVE  # what comes unasked
        if any(_sent(_first_call(offer, Fitted(other))) != _sent(first) for other in _others(fitted.request)):
            return Word.NATIVE  # it is what the provider does unasked
        raise AssertionError(f"{offer.provider} is not told of this, and nobody says so: {order.request}")

    async def _order(self, fields: Mapping[str, Any], found: FoundModel, *, editing: bool) -> _Order:
        document = {"prompt": PROMPT, **({"image": self._original} if editing else {}), **fields}
        try:
            body = parse_body(document, editing=editing, max_timeout_s=300)
            sent = await self._inputs.prepared(body.images, body.mask) if body.images else NOTHING_SENT
            return _Order(body, sent, translate(body, found, sent))
        except (ParameterError, InputError) as refused:
            raise _Refused(refused.message) from None


def offered_names(fields: Mapping[str, Any]) -> set[str]:
    """The names under which an offer's warnings speak of these fields."""
    return {"safety" if name == "moderation" else name for name in fields} - {"image"}


def _others(request: ImageRequest) -> Iterator[ImageRequest]:
    """The request with another value of what may be a provider's default."""
    if request.aspect_ratio == "1:1":
        yield replace(request, aspect_ratio="16:9", pixels=(1344, 768))
    if request.safety is Safety.STANDARD:
        yield replace(request, safety=Safety.STRICT)


def _of_input(row: Row, order: _Order, fitted: Fitted, first: HttpCall) -> Cell:
    given = row.fields["image"]
    if isinstance(given, str):
        return Cell(Word.EMULATED)
    if isinstance(given, list):
        return Cell(Word.NATIVE)
    if " MB " in row.label:
        if any(warning.parameter == "image" for warning in fitted.warnings):
            return Cell(Word.SHRUNK)
        return Cell(Word.INLINE if first.commits else Word.UPLOADED)
    same = order.sent.images[0].read() == given.read()
    return Cell(Word.NATIVE if same else Word.CONVERTED, nearly=bool(order.sent.warnings))


def _is_converted(request: ImageRequest, offer: Offer, fitted: Fitted) -> bool:
    """Whether what the vendor delivers, in the format it was asked for or gives unasked, becomes another file."""
    format = fitted.request.output_format or offer.capability.native_format
    delivered = _delivered(format.value.upper())
    return finish(delivered, request, fitted.emulation, asked=fitted.request) is not delivered


@cache
def _delivered(format: str) -> Delivered:
    data = saved(scene(EDGE, EDGE), format)
    return Delivered(MemoryBlob(data), OutputFormat(format.lower()), EDGE, EDGE, len(data))


@cache
def _adapter(provider: str) -> Adapter:
    return connect(provider, Access(api_key="k")).adapter


def _first_call(offer: Offer, fitted: Fitted) -> HttpCall:
    step = pending(_adapter(offer.provider).converse(fitted.request, offer.provider_model), [], 0)
    assert isinstance(step, HttpCall)
    return step


def _sent(call: HttpCall) -> tuple[str, str, bytes]:
    return call.method, call.url, sent_body(call)


async def _fetched(url: str) -> Blob:
    del url
    return photograph()
