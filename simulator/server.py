"""The application: all routes, and around them the journal and the mark on every answer."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.control import Control
from simulator.fal.routes import FalRoutes
from simulator.google.routes import GoogleRoutes
from simulator.media import vendor_of
from simulator.origin import FAL_PREFIX
from simulator.refusal import refusal
from simulator.replicate.routes import ReplicateRoutes
from simulator.settings import SimulatorSettings
from simulator.world import ERA, Overtaken, World

MARK = b"x-image-gateway-simulator"
SECRET_HEADERS = frozenset({"authorization", "x-goog-api-key", "proxy-authorization", "cookie"})


def create_app(settings: SimulatorSettings | None = None, clock: Callable[[], float] = time.monotonic) -> ASGIApp:
    """The simulator with a world of its own; to be served by any ASGI server, from one event loop."""
    world = World(settings or SimulatorSettings(), clock)
    routes = [
        Route("/media/{vendor}/{name}", world.media.serve, methods=["GET"]),
        Route("/", _greeting, methods=["GET"]),
        *Control(world).routes(),
        *GoogleRoutes(world).routes(),
        *FalRoutes(world).routes(),
        *ReplicateRoutes(world).routes(),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _nowhere, Exception: _broken})
    return Marked(app, world)


async def _nowhere(request: Request, error: Exception) -> Response:
    """No such path, or not by this method."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    sentence = "Method Not Allowed" if status == 405 else "The requested URL was not found on this server."
    return refusal(request.url.path, status, sentence, error.headers if isinstance(error, HTTPException) else None)


async def _broken(request: Request, error: Exception) -> Response:
    """What nobody expected; ``Marked`` tells it on standard error."""
    if isinstance(error, Overtaken):
        return refusal(request.url.path, 503, "The simulator was reset meanwhile.")
    return refusal(request.url.path, 500, "The simulator failed; its standard error says how.")


async def _greeting(_request: Request) -> Response:
    return JSONResponse({"simulator": "image-gateway", "vendors": ["/gemini", "/vertex", "/fal", "/replicate"]})


class Marked:
    """Writes each vendor request into the journal and names the vendor on every answer."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        vendor = vendor_of(scope["path"])
        scope = {**scope, ERA: self._world.era}
        entry = _entry(scope, vendor.value if vendor else None)
        if vendor is not None:
            self._world.journal.append(entry)
        read = 0
        mark = (vendor.value if vendor else "control").encode("ascii")

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            entry["size"] = max(entry["size"], read)
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                message = {**message, "headers": [*message.get("headers", []), (MARK, mark)]}
            await send(message)

        try:
            await self._app(scope, counted, marked)
        except (Overtaken, ClientDisconnect):
            return
        except Exception:  # noqa: BLE001 - the last catch: answered already, in the vendor's shape
            traceback.print_exc(file=sys.stderr)


def _entry(scope: Scope, vendor: str | None) -> dict[str, Any]:
    """A line of the journal: no credentials, neither in headers nor in the query."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    query = scope["query_string"].decode("latin-1")
    safe = "&".join(item for item in query.split("&") if item and item.partition("=")[0].lower() != "key")
    return {
        "method": scope["method"],
        "path": scope["path"] + (f"?{safe}" if safe else ""),
        "vendor": vendor,
        "size": int(next((value for name, value in headers if name == "content-length" and _is_count(value)), "0")),
        "status": None,
        "headers": {name: value for name, value in headers if name.lower() not in SECRET_HEADERS},
    }


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


class FalAtRoot:
    """The same application with fal's paths at the root: for clients that take a host only, as fal-client does."""

    OTHERS = ("/media/", "/fal-run/", "/_control/")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not scope["path"].startswith(self.OTHERS):
            path = "/fal" + scope["path"]
            scope = {**scope, "path": path, "raw_path": path.encode("utf-8"), FAL_PREFIX: ""}
        await self._app(scope, receive, send)
