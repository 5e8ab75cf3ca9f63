"""``GET /openapi.json``. Asks for a key, as every path does that is not listed as open: it names the operator's models
and policies, and whoever may call what it describes has one."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from app.accounts.access import Access
from app.doors.openai_images.routes import PREFIXES
from app.doors.route_table import RouteTable
from app.services import services

router = RouteTable()


async def openapi(request: Request) -> Response:
    """The document, made when it is first asked for and then kept as bytes."""
    state = request.app.state
    known: bytes | None = getattr(state, "openapi", None)
    if known is None:
        from app.doors.openapi.document import as_bytes  # see there why not sooner

        known = state.openapi = as_bytes(services(request).catalog, PREFIXES)
    return Response(known, media_type="application/json")


for _prefix in PREFIXES:
    router.add(f"{_prefix}/openapi.json", openapi, methods=["GET", "HEAD"], access=Access.KEY)
