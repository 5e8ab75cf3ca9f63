"""Orders: a request's body, read and understood: the models it may be served by, in order, each in our terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request

from app.catalog.catalog import UnknownModelError
from app.catalog.models import FoundModel
from app.doors.openai_images.bodies import read
from app.doors.openai_images.entrance import admitted
from app.doors.openai_images.errors import ParameterError, model_not_found
from app.doors.openai_images.output import ResponseFormat
from app.doors.openai_images.schema import ImagesBody, parse_body
from app.doors.openai_images.translate import NOTHING_SENT, Translated, translate
from app.doors.openai_images.understood import Gist, WithoutPrompt, gist_of
from app.gateway import Choice
from app.media.inputs import InputError, Prepared
from app.services import Services
from providers.spec.result import Warning
from providers.spec.unguarded import unguarded
from routing.wishes import objective_of

URL_NAMES = "dall-e-"
"""Names of models whose clients read nothing but ``url``: at OpenAI these answered with URLs unless asked otherwise."""


@unguarded
@dataclass(frozen=True, slots=True)
class Order:
    """What a caller ordered."""

    choices: tuple[Choice, ...]
    """At least one; the next is tried when no provider of the one before could deliver."""
    timeout_s: float | None
    """Seconds the caller gives the whole request; None: the policy's."""
    dry_run: bool
    """The plan is wanted and no image."""
    response_format: ResponseFormat = ResponseFormat.B64_JSON
    stream: bool = False

    @property
    def model(self) -> str:
        """The name of the model asked for first."""
        return self.choices[0].model.name


async def order_from(own: Services, request: Request, *, editing: bool, planning: bool = False) -> Order:
    """Read a request's body, understand it, and have it admitted, unless (``planning``) only its plan is wanted.

    Admitted before its input images are fetched and made ready, for that is work, and after its body was read and
    found in order: a slow upload takes nobody's place. Raises ApiError, and ClientDisconnect when its sender leaves.
    """
    received = await read(request, own.workers, own.spool_dir)
    gist = None if editing else gist_of(received.document)
    order = None if gist is None else recalled(own, gist, received.document["prompt"])
    waited_s = 0.0
    if order is not None:
        if not (planning or order.dry_run):
            waited_s = await admitted(request, timeout_s=_limit_s(own, order.timeout_s))
    else:
        body = parsed(own, received.document, editing=editing)
        found = models_of(own, body)
        if not (planning or body.dry_run):
            waited_s = await admitted(request, timeout_s=_limit_s(own, body.timeout_s))
        order = order_of(own, body, found, await prepared(own, body))
        if gist is not None:
            remember(own, gist, order)
    if waited_s == 0:
        return order
    return replace(order, timeout_s=max(_limit_s(own, order.timeout_s) - waited_s, 0.0))


def _limit_s(own: Services, timeout_s: float | None) -> float:
    """Seconds a request has in all."""
    return own.gateway.deadline_s if timeout_s is None else timeout_s


def remember(own: Services, gist: Gist, order: Order) -> None:
    """Keep what a body with this gist was understood as, without its prompt."""
    choices = tuple(WithoutPrompt.of(choice) for choice in order.choices)
    own.understood.keep(gist, (choices, order.timeout_s, order.dry_run, order.response_format, order.stream))


def recalled(own: Services, gist: Gist, prompt: str) -> Order | None:
    """The order that a body with this gist was understood as lately, with this prompt."""
    known = own.understood.get(gist)
    if known is None:
        return None
    choices, *others = known
    return Order(tuple([choice.asking(prompt) for choice in choices]), *others)


def parsed(own: Services, document: Mapping[str, Any], *, editing: bool) -> ImagesBody:
    """The body's fields. Raises ParameterError."""
    policy = own.catalog.policy
    return parse_body(document, editing=editing, max_timeout_s=policy.max_timeout_s, policies=tuple(policy.objectives))


async def prepared(own: Services, body: ImagesBody) -> Prepared:
    """The body's input images, those given by URL fetched, checked and ready to be handed on. Raises ParameterError."""
    if not body.images:
        return NOTHING_SENT
    try:
        return await own.inputs.prepared(body.images, body.mask)
    except InputError as refused:
        raise ParameterError(refused.param, refused.message, refused.code) from None


def find(own: Services, name: str | None) -> FoundModel:
    """What a model's name means. Raises ApiError (404)."""
    try:
        return own.catalog.find(name, default_model=own.default_model)
    except UnknownModelError as unknown:
        raise model_not_found(str(unknown)) from None


def find_named(own: Services, model_id: str) -> FoundModel:
    """The same for a name out of a path, which must not be empty."""
    if not model_id.strip():
        raise model_not_found("No model is named; GET /v1/models lists those there are.")
    return find(own, model_id)


def models_of(own: Services, body: ImagesBody) -> tuple[FoundModel, ...]:
    """The models a body names, in the order in which to try them. Raises ApiError (404) for a name nobody knows."""
    try:
        return tuple(own.catalog.ordered_models(body.model, body.models, default_model=own.default_model))
    except UnknownModelError as unknown:
        raise model_not_found(str(unknown)) from None


def order_of(own: Services, body: ImagesBody, found: tuple[FoundModel, ...], sent: Prepared = NOTHING_SENT) -> Order:
    """The order a body stands for.

    A model that cannot be had in the size demanded is passed over, with a warning, as long as there is another. Raises
    ParameterError when no model has the size.
    """
    choices: list[Choice] = []
    passed_over: list[ParameterError] = []
    for each in found:
        try:
            translated = translate(body, _sized(own, body, each), sent, default_format=own.output_format)
        except ParameterError as refused:
            passed_over.append(refused)
        else:
            choices.append(_choice(own, translated, each))
    if not choices:
        raise passed_over[0]
    if passed_over:
        warnings = tuple(Warning("models", f"a model was passed over: {refused.message}") for refused in passed_over)
        choices[0] = replace(choices[0], warnings=(*choices[0].warnings, *warnings))
    return Order(tuple(choices), body.timeout_s, body.dry_run, _response_format(body), body.output.stream)


def _sized(own: Services, body: ImagesBody, found: FoundModel) -> FoundModel:
    """The model by whose sizes an order is settled. Exact pixels can be made at any tier, so the one that is chosen for
    them is one that whom the caller wants sells."""
    if not body.output.exact:
        return found
    wanted = {offer.provider for offer in own.catalog.offers_of(found)} - body.wishes.ignore
    return own.catalog.as_sold_by(found, wanted if body.wishes.only is None else wanted & body.wishes.only)


def _response_format(body: ImagesBody) -> ResponseFormat:
    if body.output.response_format is not None:
        return body.output.response_format
    named = (body.model or "").rpartition("/")[2].lower()
    reads_url = named.startswith(URL_NAMES) and not body.output.stream
    return ResponseFormat.URL if reads_url else ResponseFormat.B64_JSON


def _choice(own: Services, translated: Translated, found: FoundModel) -> Choice:
    warnings = translated.warnings
    name, objective = objective_of(translated.wishes, own.catalog.policy)
    if translated.wishes.hedge and objective.hedge_share <= 0:
        warnings = (*warnings, Warning("hedge", f"hedge has no effect: the policy {name} never asks two at once"))
    return Choice(translated.request, found.model, own.catalog.offers_of(found), translated.wishes, warnings)
