"""Liveness, readiness, metrics; rankings and route plans."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from app.accounts.access import Access
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.orders import find_named, order_from
from app.doors.openai_images.route_plan import planned
from app.doors.openai_images.routes import CLIENT_CLOSED, PREFIXES
from app.doors.ops.rankings import Rankings, Row
from app.doors.reply import error_response
from app.doors.route_table import RouteTable
from app.services import services

router = RouteTable()


async def healthz() -> JSONResponse:
    """The process serves requests."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """The gateway has offers to serve requests with; no from the moment on at which it is asked to stop."""
    own = services(request)
    ready = bool(own.catalog.offers) and not own.draining.begun
    body = {"status": "ready" if ready else "not ready", "offers": len(own.catalog.offers)}
    return JSONResponse(body, status_code=200 if ready else 503)


async def metrics(request: Request) -> Response:
    """Prometheus exposition."""
    page, content_type = await services(request).telemetry.exposition()
    return Response(page, media_type=content_type)


async def model_providers(request: Request) -> Response:
    """The figures of one model's offers; the name as in ``GET /v1/models/{id}``."""
    try:
        found = find_named(services(request), request.path_params["model_id"])
    except ApiError as error:
        return error_response(error)
    return _listed(await _rankings(request).of(found))


async def stats(request: Request) -> Response:
    """The figures of all offers."""
    return _listed(await _rankings(request).of_all())


async def route(request: Request) -> Response:
    """The plan for a request that is not carried out. Reads what the generations door reads."""
    own = services(request)
    try:
        order = await order_from(own, request, editing=False, planning=True)
    except ApiError as error:
        own.telemetry.refused("", error.code or str(error.status), error.param)
        return error_response(error)
    except ClientDisconnect:
        return Response(status_code=CLIENT_CLOSED)
    return JSONResponse(planned(own, order))


router.add("/healthz", healthz, methods=["GET", "HEAD"], access=Access.OPEN)
router.add("/readyz", readyz, methods=["GET", "HEAD"], access=Access.OPEN)
router.add("/metrics", metrics, methods=["GET", "HEAD"], access=Access.METRICS)
# Before the images door, whose route for one model would take "providers" for a part of the model's name.
for _prefix in PREFIXES:
    router.add(
        f"{_prefix}/models/{{model_id:path}}/providers", model_providers, methods=["GET", "HEAD"], access=Access.KEY
    )
    router.add(f"{_prefix}/stats", stats, methods=["GET", "HEAD"], access=Access.KEY)
    router.add(f"{_prefix}/route", route, methods=["POST"], access=Access.KEY)


def _listed(rows: list[Row]) -> Response:
    return JSONResponse({"object": "list", "data": rows})


def _rankings(request: Request) -> Rankings:
    """The application's rankings, made when they are first asked for."""
    own, state = services(request), request.app.state
    known: Rankings | None = getattr(state, "rankings", None)
    if known is None or known.board is not own.gateway.board:
        known = state.rankings = Rankings(own.catalog, own.gateway.board, own.gateway.clock)
    return known
