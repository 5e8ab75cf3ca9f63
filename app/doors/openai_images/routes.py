"""The OpenAI Images door: generations, the routes not built yet, and the model list."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from app.catalog.models import PublicModel
from app.doors.openai_images.answer import headers_of, metadata_of, success_parts
from app.doors.openai_images.errors import ApiError, internal_error
from app.doors.openai_images.orders import Order, find_named, order_of, parsed, read_body
from app.doors.openai_images.route_plan import dry_run_asked, planned
from app.doors.reply import PartsResponse, error_response
from app.gateway import Made, NotMadeError
from app.services import Services, services

DOOR = "openai_images"
CLIENT_CLOSED = 499
"""Status of an answer nobody will read."""
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
        order = order_of(own, await parsed(own, await read_body(request)))
        model_name = order.model
        if order.dry_run or dry_run_asked(request.query_params):
            outcome = "dry_run"
            return JSONResponse(planned(own, order))
        try:
            made = await _unless_hung_up(request, own.gateway.make(order.choices, timeout_s=order.timeout_s))
        except NotMadeError as failed:
            raise _not_made(failed, order) from failed
        if made is None:
            return Response(status_code=CLIENT_CLOSED)
        model_name = made.choice.model.name
        response = await _answered(own, made)
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
        found = find_named(services(request), model_id)
    except ApiError as error:
        return error_response(error)
    return JSONResponse(_model(found.model))


for _prefix in PREFIXES:
    router.add_api_route(f"{_prefix}/images/generations", generations, methods=["POST"])
    router.add_api_route(f"{_prefix}/images/edits", edits, methods=["POST"])
    router.add_api_route(f"{_prefix}/images/variations", variations, methods=["POST"])
    router.add_api_route(f"{_prefix}/models", models, methods=["GET", "HEAD"])
    router.add_api_route(f"{_prefix}/models/{{model_id:path}}", model, methods=["GET", "HEAD"])


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


async def _answered(own: Services, made: Made) -> Response:
    """The answer to a request that is paid for. Whatever goes wrong now, a retry would pay again, and that is said."""
    try:
        return await _success(own, made)
    except Exception as bug:
        failed = internal_error()
        failed.headers = {"x-should-retry": "false"}
        failed.metadata = metadata_of(made.attempts, resolution=made.choice.request.resolution, winner=made.winner)
        raise failed from bug


async def _success(own: Services, made: Made) -> Response:
    asked = made.choice.request
    metadata = metadata_of(
        made.attempts,
        resolution=asked.resolution,
        warnings=made.warnings,
        model=asked.model,
        operation=asked.operation,
        policy=made.plan.objective_name,
        winner=made.winner,
    )
    parts = await own.workers.run(success_parts, made.delivered, metadata, usage=made.usage, created=int(time.time()))
    return PartsResponse(
        parts, headers_of(made.attempts, simulated=made.simulated, model=asked.model, winner=made.winner)
    )


def _not_made(failed: NotMadeError, order: Order) -> ApiError:
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
            warnings=order.choices[0].warnings,
            model=plan.model,
            operation=plan.operation,
            policy=plan.objective_name,
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
