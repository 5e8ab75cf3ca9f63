"""A gateway that does nothing but keep and serve images, behind the real edge."""

from __future__ import annotations

import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from app.accounts.access import Access
from app.accounts.keys import Keys
from app.doors.edge import Edge
from app.doors.failures import answer_in_the_envelope
from app.doors.hosted import routes
from app.doors.hosted.origin import origin_of
from app.doors.route_table import RouteTable, registered
from app.hosting.hosting import Hosting, HostingError
from app.telemetry import Telemetry
from providers.blobs import MemoryBlob

KEY = "a-caller-s-key"


def gateway(hosting: Hosting) -> ASGIApp:
    """The application: ``POST /keep`` stores what it is sent, with a key; the images are the real routes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await hosting.start()
        app.state.hosting = hosting
        yield
        await hosting.stop()

    app = FastAPI(openapi_url=None, lifespan=lifespan, redirect_slashes=False)
    answer_in_the_envelope(app)

    async def keep(request: Request) -> Response:
        image = MemoryBlob(await request.body())
        try:
            url = await hosting.keep(image, request.headers["content-type"], base_url=origin_of(request))
        except HostingError as failed:
            return JSONResponse({"failed": str(failed)}, status_code=500)
        return PlainTextResponse(url)

    own = RouteTable()
    own.add("/keep", keep, methods=["POST"], access=Access.KEY)
    permissions = registered(app, routes.router, own)
    return Edge(app, permissions=permissions, keys=Keys([KEY]), metrics_keys=Keys([]), telemetry=Telemetry())


def keep(base: str, image: bytes, media_type: str = "image/png") -> str:
    """Have an image kept; its URL."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": media_type}
    answer = httpx.post(f"{base}/keep", content=image, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def raw(base: str, target: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body for a request target that is sent as it is written, which no client library does."""
    address = urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection._validate_path = lambda _: None  # type: ignore[attr-defined]
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
