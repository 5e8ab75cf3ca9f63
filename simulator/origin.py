"""Where the caller reached us: links in answers must work for whoever called."""

from __future__ import annotations

from starlette.requests import Request

FAL_PREFIX = "simulator.fal_prefix"
"""Key of the ASGI scope: the path under which this listener speaks fal."""


def origin(request: Request) -> str:
    """Scheme and host of the request, without a trailing slash."""
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


def fal_root(request: Request) -> str:
    """What fal's own paths are appended to."""
    return origin(request) + str(request.scope.get(FAL_PREFIX, "/fal"))
