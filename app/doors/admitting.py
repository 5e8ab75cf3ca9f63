"""Admitting: every request that may bring a body or ask for an image pays admission a visit. Raw ASGI, as the edge is.

Pages of operators, models and hosted images are asked for by GET; nothing here is in their way.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.admission.budget import Phase
from app.admission.visit import Admission, Visit
from app.doors.openai_images.errors import not_taken_any_more
from app.doors.reply import WHOLE, error_response
from providers.spool import holder

_VISIT = "visit"


class Admitting:
    """ASGI middleware: opens a visit, tells it when its answer is made, and closes it however the request ends."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        visit = self._admission.visit()
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            # A stream, which no whole answer is, is begun before there is an image, so it is in flight until its end.
            if message["type"] == "http.response.start" and (WHOLE in message or not _is_stream(message)):
                visit.answered()
            await send(message)

        scope[_VISIT] = visit
        token = holder.set(visit)
        try:
            await self._app(scope, receive, send_watched)
        except asyncio.CancelledError:
            # Only shutdown cancels a request. One that was not admitted yet has bought nothing, and may go elsewhere.
            if started or visit.phase is not Phase.ARRIVING:
                raise
            await error_response(not_taken_any_more())(scope, receive, send)
        finally:
            holder.reset(token)
            visit.close()


def visit_of(request: Request) -> Visit | None:
    """The visit a request pays; None where nobody is admitted: by GET, and in an application without admission."""
    visit: Visit | None = request.scope.get(_VISIT)
    return visit


def _is_stream(start: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in start["headers"])
