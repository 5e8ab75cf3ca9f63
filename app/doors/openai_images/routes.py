"""The OpenAI Images door: generations, the routes not built yet, and the model list."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from app.catalog.catalog import UnknownModelError
from app.catalog.models import FoundModel, PublicModel
from app.doors.openai_images.answer import headers_of, metadata_of, success_parts
from app.doors.openai_images.errors import (
    ApiError,
    body_too_large,
    internal_error,
    media_type_unsupported,
    model_not_found,
)
from app.doors.openai_images.schema import GenerationBody, parse_generation
from app.doors.openai_images.translate import Translated, translate
from app.doors.reply import PartsResponse, error_response
from app.gateway import Made, NotMadeError
from app.services import Services, services

DOOR = "openai_images"
MAX_JSON_BYTES = 16 * 1024 * 1024
"""A 32,000-character prompt is under 400 KB; the rest is room for clients that send reference images as data URLs,
so that they get a sentence about it rather than a 413."""
BODY_SECONDS = 60.0
"""Longest a caller may take to send a body."""
CLIENT_CLOSED = 499
"""Status of an answer nobody will read."""
_THREAD_BYTES = 256 * 1024
"""Bodies above this are parsed in a worker thread."""
PREFIXES = ("/v1", "", "/openai/v1")
"""People configure clients with and without ``/v1``; Azure-minded ones with ``/openai/v1``."""

router = APIRouter()
T = TypeVar("T")


async def generations(request: Request) -> Response:
    """Make an image from a prompt."""
    own = services(request)
    with own.telemetry.serving():
        return await _generations(request, own)


async def _generations(request: Request, own: Services) -> Response:
    started = time.monotonic()
    model_name = ""
    outcome = "abandoned"
    try:
        body = await _json_body(request)
        parsed = await _parsed(own, body)
        found = _find(own, parsed.model)
        model_name = found.model.name
        translated = translate(parsed, found)
        try:
            made = await _unless_hung_up(request, _make(own, translated, found))
        except NotMadeError as failed:
            raise _not_made(failed, translated) from failed
        if made is None:
            return Response(status_code=CLIENT_CLOSED)
        response = await _answered(own, made, translated)
    except ApiError as error:
        outcome = error.code or str(error.status)
        own.telemetry.refused(model_name, outcome, error.param)
        return error_response(error)
    except ClientDisconnect:
        return Response(status_code=CLIENT_CLOSED)
    else:
        outcome = "ok"
        return response
    finally:
        own.telemetry.request_ended(DOOR, model_name, outcome, time.monotonic() - started)


async def edits(request: Request) -> Response:
    """Not built yet, and says so."""
    return _turned_down(
        request,
        ApiError(
            400,
            "Image edits are not supported by this version of the gateway; /v1/images/generations is.",
            type="invalid_request_error",
            param="image",
            code="unsupported_value",
        ),
    )


async def variations(request: Request) -> Response:
    """Gone at OpenAI, never here."""
    return _turned_down(
        request,
        ApiError(
            404,
            "Image variations do not exist here, nor at OpenAI any more; use /v1/images/generations.",
            type="invalid_request_error",
            code="route_not_found",
        ),
    )


def _turned_down(request: Request, error: ApiError) -> Response:
    telemetry, code = services(request).telemetry, error.code or ""
    telemetry.refused("", code, error.param)
    telemetry.request_ended(DOOR, "", code, 0.0)
    return error_response(error)


async def models(request: Request) -> Response:
    """The models that can be asked for now."""
    own = services(request)
    return JSONResponse({"object": "list", "data": [_model(model) for model in own.catalog.models.values()]})


async def model(request: Request, model_id: str) -> Response:
    """One model, by its name, an alias, or a name with a provider before it."""
    try:
        if not model_id.strip():
            raise model_not_found("No model is named; GET /v1/models lists those there are.")
        found = _find(services(request), model_id)
    except ApiError as error:
        return error_response(error)
    return JSONResponse(_model(found.model))


for _prefix in PREFIXES:
    router.add_api_route(f"{_prefix}/images/generations", generations, methods=["POST"])
    router.add_api_route(f"{_prefix}/images/edits", edits, methods=["POST"])
    router.add_api_route(f"{_prefix}/images/variations", variations, methods=["POST"])
    router.add_api_route(f"{_prefix}/models", models, methods=["GET", "HEAD"])
    router.add_api_route(f"{_prefix}/models/{{model_id:path}}", model, methods=["GET", "HEAD"])


async def _json_body(request: Request) -> bytes:
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


async def _parsed(own: Services, body: bytes) -> GenerationBody:
    max_timeout_s = own.catalog.policy.max_timeout_s
    if len(body) <= _THREAD_BYTES:
        return parse_generation(body, max_timeout_s=max_timeout_s)
    return await own.workers.run(parse_generation, body, max_timeout_s=max_timeout_s)


def _find(own: Services, name: str | None) -> FoundModel:
    try:
        return own.catalog.find(name, default_model=own.default_model)
    except UnknownModelError as unknown:
        raise model_not_found(str(unknown)) from None


async def _make(own: Services, translated: Translated, found: FoundModel) -> Made:
    return await own.gateway.make(
        translated.request, found.model, own.catalog.offers_of(found), timeout_s=translated.timeout_s
    )


async def _unless_hung_up(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result; None when the caller left first, in which case the work was cancelled.

    The server does not cancel a handler whose client is gone, and sending to one is silent: its receive channel tells.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _answered(own: Services, made: Made, translated: Translated) -> Response:
    """The answer to a request that is paid for. Whatever goes wrong now, a retry would pay again, and that is said."""
    try:
        return await _success(own, made, translated)
    except Exception as bug:
        failed = internal_error()
        failed.headers = {"x-should-retry": "false"}
        failed.metadata = metadata_of(made.attempts, resolution=translated.request.resolution)
        raise failed from bug


async def _success(own: Services, made: Made, translated: Translated) -> Response:
    asked = translated.request
    metadata = metadata_of(
        made.attempts,
        resolution=asked.resolution,
        warnings=(*translated.warnings, *made.warnings),
        model=asked.model,
        operation=asked.operation,
    )
    parts = await own.workers.run(success_parts, made.delivered, metadata, usage=made.usage, created=int(time.time()))
    return PartsResponse(parts, headers_of(made.attempts, simulated=made.simulated, model=asked.model))


def _not_made(failed: NotMadeError, translated: Translated) -> ApiError:
    verdict, plan = failed.verdict, failed.plan
    headers = dict(headers_of(failed.attempts, simulated=failed.simulated, model=plan.model))
    if verdict.retry_after is not None:
        headers["retry-after"] = str(verdict.retry_after)
    if verdict.should_retry is not None:
        headers["x-should-retry"] = "true" if verdict.should_retry else "false"
    return ApiError(
        verdict.status,
        verdict.message,
        type=verdict.type,
        param=verdict.param,
        code=verdict.code,
        headers=headers,
        metadata=metadata_of(
            failed.attempts,
            resolution=plan.resolution,
            warnings=translated.warnings,
            model=plan.model,
            operation=plan.operation,
        ),
    )


def _model(model: PublicModel) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "aliases": list(model.aliases),
    }
