"""Shortcuts: requests for the busiest routes go straight to their endpoints.

The framework finds a route among all there are, and opens scopes for dependencies that no endpoint here has: a tenth of
a millisecond for each request, as much as the call to a vendor takes. Everything else is the framework's: other
methods, other spellings of a path, and what does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]


class Shortcuts:
    """ASGI application in front of the framework's. ``endpoints``: by method and path."""

    def __init__(self, app: FastAPI, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope. Raises what an endpoint raises: the edge knows what to do with it."""
        endpoint = None
        if scope["type"] == "http" and not scope.get("root_path"):
            endpoint = self._endpoints.get((scope["method"], scope["path"]))
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
