"""Orders: a request's body, read and understood: the models it may be served by, in order, each in our terms."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from fastapi import Request

from app.catalog.catalog import UnknownModelError
from app.catalog.models import FoundModel
from app.doors.openai_images.errors import (
    ApiError,
    ParameterError,
    body_too_large,
    media_type_unsupported,
    model_not_found,
)
from app.doors.openai_images.schema import GenerationBody, parse_generation
from app.doors.openai_images.translate import Translated, translate
from app.gateway import Choice
from app.services import Services
from providers.spec.result import Warning
from routing.wishes import objective_of

MAX_JSON_BYTES = 16 * 1024 * 1024
"""A 32,000-character prompt is under 400 KB; the rest is room for clients that send reference images as data URLs,
so that they get a sentence about it rather than a 413."""
BODY_SECONDS = 60.0
"""Longest a caller may take to send a body."""
_THREAD_BYTES = 256 * 1024
"""Bodies above this are parsed in a worker thread."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller ordered."""

    choices: tuple[Choice, ...]
    """At least one; the next is tried when no provider of the one before could deliver."""
    timeout_s: float | None
    """Seconds the caller gives the whole request; None: the policy's."""
    dry_run: bool
    """The plan is wanted and no image."""

    @property
    def model(self) -> str:
        """The name of the model asked for first."""
        return self.choices[0].model.name


async def read_body(request: Request) -> bytes:
    """The body of a JSON request. Raises ApiError when it is too large, too slow, or of another kind."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type.startswith("multipart/"):
        raise media_type_unsupported(media_type, "application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_JSON_BYTES:
                    raise body_too_large(MAX_JSON_BYTES)
    except TimeoutError:
        raise ApiError(
            408,
            f"The request body did not arrive within {BODY_SECONDS:.0f} s.",
            type="invalid_request_error",
            code="request_timeout",
        ) from None
    # curl sends JSON as a form when no type is given; what looks like JSON is read as JSON.
    if media_type and not media_type.endswith("json") and not body.lstrip().startswith(b"{"):
        raise media_type_unsupported(media_type, "application/json")
    return bytes(body)


async def parsed(own: Services, body: bytes) -> GenerationBody:
    """The body's fields. Raises ParameterError."""
    policy = own.catalog.policy
    if len(body) <= _THREAD_BYTES:
        return parse_generation(body, max_timeout_s=policy.max_timeout_s, policies=tuple(policy.objectives))
    return await own.workers.run(
        parse_generation, body, max_timeout_s=policy.max_timeout_s, policies=tuple(policy.objectives)
    )


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


def order_of(own: Services, body: GenerationBody) -> Order:
    """The order a body stands for.

    A model that cannot be had in the size demanded is passed over, with a warning, as long as there is another. Raises
    ApiError (404) for a name nobody knows, ParameterError when no model has the size.
    """
    try:
        found = own.catalog.ordered_models(body.model, body.models, default_model=own.default_model)
    except UnknownModelError as unknown:
        raise model_not_found(str(unknown)) from None
    choices: list[Choice] = []
    passed_over: list[ParameterError] = []
    for each in found:
        try:
            choices.append(_choice(own, translate(body, each), each))
        except ParameterError as refused:
            passed_over.append(refused)
    if not choices:
        raise passed_over[0]
    warnings = tuple(Warning("models", f"a model was passed over: {refused.message}") for refused in passed_over)
    choices[0] = replace(choices[0], warnings=(*choices[0].warnings, *warnings))
    return Order(tuple(choices), body.timeout_s, body.dry_run)


def _choice(own: Services, translated: Translated, found: FoundModel) -> Choice:
    warnings = translated.warnings
    name, objective = objective_of(translated.wishes, own.catalog.policy)
    if translated.wishes.hedge and objective.hedge_share <= 0:
        warnings = (*warnings, Warning("hedge", f"hedge has no effect: the policy {name} never asks two at once"))
    return Choice(translated.request, found.model, own.catalog.offers_of(found), translated.wishes, warnings)
