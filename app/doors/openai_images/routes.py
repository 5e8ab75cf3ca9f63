"""The OpenAI Images door: generations, edits, the variations there are none of, and the model list."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Coroutine
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from app.accounts.access import Access
from app.catalog.models import PublicModel
from app.doors.hang_up import unless_hung_up
from app.doors.openai_images.delivering import answered, not_made
from app.doors.openai_images.drain import drain
from app.doors.openai_images.errors import ApiError, shutting_down
from app.doors.openai_images.orders import Order, find_named, order_from
from app.doors.openai_images.route_plan import dry_run_asked, planned
from app.doors.openai_images.sse import Event, Kind
from app.doors.openai_images.stream import EventStreamResponse
from app.doors.openai_images.streaming import events_of, streams_at_once
from app.doors.reply import error_response
from app.doors.route_table import RouteTable
from app.fan_out import AllMade, make_all
from app.fitting import Fitting
from app.gateway import NotMadeError
from app.services import Services, services

DOOR = "openai_images"
CLIENT_CLOSED = 499
"""Status of an answer nobody will read."""
PREFIXES = ("/v1", "", "/openai/v1")
"""People configure clients with and without ``/v1``; Azure-minded ones with ``/openai/v1``."""

router = RouteTable()


async def generations(request: Request) -> Response:
    """Make images from a prompt, or from a prompt and images."""
    return await _serve(request, Kind.GENERATION)


async def edits(request: Request) -> Response:
    """Make images from images and a prompt; multipart or JSON."""
    return await _serve(request, Kind.EDIT)


async def _serve(request: Request, kind: Kind) -> Response:
    own = services(request)
    ending = _Ending(own)
    response: Response | None = None
    try:
        planning = bool(request.scope["query_string"]) and dry_run_asked(request.query_params)
        order = await order_from(own, request, editing=kind is Kind.EDIT, planning=planning)
        ending.model = order.model
        if order.dry_run or planning:
            ending.outcome = "dry_run"
            return JSONResponse(planned(own, order))
        if order.stream and streams_at_once(own, order):
            response = EventStreamResponse(_Watched(events_of(own, order, kind), ending), headers={})
            return response
        try:
            made = await unless_hung_up(request, _made(own, order))
        except NotMadeError as failed:
            raise not_made(failed, order) from failed
        if made is None:
            return Response(status_code=CLIENT_CLOSED)
        ending.model = made.parts[0].choice.model.name
        response = await answered(own, request, order, made)
        ending.outcome = "ok"
        return response
    except ApiError as error:
        ending.refused(error)
        return error_response(error)
    except ClientDisconnect:
        return Response(status_code=CLIENT_CLOSED)
    finally:
        if not isinstance(response, EventStreamResponse):  # a stream says itself when it is over
            ending.close()


def _made(own: Services, order: Order) -> Coroutine[Any, Any, AllMade]:
    return make_all(
        own.gateway,
        order.choices,
        Fitting(own.workers, own.spool_dir),
        timeout_s=order.timeout_s,
        stopping=lambda: own.draining.cancelling,
    )


class _Watched:
    """The events of a request; when they are over, or nobody wants them any more, so is the request.

    Not a generator: one that is closed before it was begun would not notice.
    """

    def __init__(self, events: AsyncGenerator[Event], ending: _Ending) -> None:
        self._events = events
        self._ending = ending

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Event:
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            self._ending.outcome = "ok"
            raise
        except ApiError as error:
            self._ending.refused(error)
            raise

    async def aclose(self) -> None:
        try:
            await self._events.aclose()
        finally:
            self._ending.close()


class _Ending:
    """A request under way, and what telemetry is told of it once it is over."""

    def __init__(self, own: Services) -> None:
        self.own = own
        self.model = ""
        self.outcome = "abandoned"
        self._closed = False
        self._started = time.monotonic()
        own.telemetry.request_began()

    def refused(self, error: ApiError) -> None:
        """It ends with this error."""
        self.outcome = error.code or str(error.status)
        self.own.telemetry.refused(self.model, self.outcome, error.param)

    def close(self) -> None:
        """It is over. Said twice, it counts once."""
        if self._closed:
            return
        self._closed = True
        if self.outcome == "abandoned" and self.own.draining.cancelling:  # by the gateway, and not by its caller
            self.refused(shutting_down())
        seconds = time.monotonic() - self._started
        self.own.telemetry.request_ended(DOOR, self.model, self.outcome, seconds, served=True)


async def variations(request: Request) -> Response:
    """Gone at OpenAI, never here."""
    return await _turned_down(
        request,
        ApiError(
            404,
            "Image variations do not exist here, nor at OpenAI any more; use /v1/images/generations.",
            type="invalid_request_error",
            code="route_not_found",
        ),
    )


async def _turned_down(request: Request, error: ApiError) -> Response:
    telemetry, code = services(request).telemetry, error.code or ""
    telemetry.refused("", code, error.param)
    telemetry.request_ended(DOOR, "", code, 0.0)
    if not await drain(request):
        error.headers = {**error.headers, "connection": "close"}
    return error_response(error)


async def models(request: Request) -> Response:
    """The models that can be asked for now."""
    own = services(request)
    return JSONResponse({"object": "list", "data": [_model(model) for model in own.catalog.models.values()]})


async def model(request: Request) -> Response:
    """One model, by its name, an alias, or a name with a provider before it."""
    try:
        found = find_named(services(request), request.path_params["model_id"])
    except ApiError as error:
        return error_response(error)
    return JSONResponse(_model(found.model))


for _prefix in PREFIXES:
    router.add(f"{_prefix}/images/generations", generations, methods=["POST"], access=Access.KEY)
    router.add(f"{_prefix}/images/edits", edits, methods=["POST"], access=Access.KEY)
    router.add(f"{_prefix}/images/variations", variations, methods=["POST"], access=Access.KEY)
    router.add(f"{_prefix}/models", models, methods=["GET", "HEAD"], access=Access.KEY)
    router.add(f"{_prefix}/models/{{model_id:path}}", model, methods=["GET", "HEAD"], access=Access.KEY)

BUSIEST = MappingProxyType(
    {
        ("POST", f"{prefix}/images/{name}"): endpoint
        for prefix in PREFIXES
        for name, endpoint in (("generations", generations), ("edits", edits))
    }
)
"""Endpoints by method and path, for whom the way through the framework's routing is long."""


def _model(model: PublicModel) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "aliases": list(model.aliases),
    }
