"""Where the caller reached us: links in answers must work for whoever called."""

from __future__ import annotations

from starlette.requests import Request

FAL_PREFIX = "simulator.fal_prefix"
"""Key of the ASGI scope: the path under which this listener speaks fal."""


def origin(request: Request) -> str:
    """Scheme and host of the request, without a trailing slash."""
    host, port = request.scope.get("server") or ("localhost", None)
    return f"{request.scope['scheme']}://{request.headers.get('host', host if port is None else f'{host}:{port}')}"


def fal_root(request: Request) -> str:
    """What fal's own paths are appended to."""
    return origin(request) + str(request.scope.get(FAL_PREFIX, "/fal"))
