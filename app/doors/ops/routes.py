"""Liveness, readiness, metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from app.services import services

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> JSONResponse:
    """The process serves requests."""
    return JSONResponse({"status": "ok"})


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(request: Request) -> JSONResponse:
    """The gateway has offers to serve requests with; once shutdown has begun it says no, while it can be asked."""
    own = services(request)
    ready = bool(own.catalog.offers) and not own.draining
    body = {"status": "ready" if ready else "not ready", "offers": len(own.catalog.offers)}
    return JSONResponse(body, status_code=200 if ready else 503)


@router.api_route("/metrics", methods=["GET", "HEAD"])
async def metrics(request: Request) -> Response:
    """Prometheus exposition."""
    page, content_type = services(request).telemetry.exposition()
    return Response(page, media_type=content_type)
