"""The edge: what every request passes, whatever its door. Raw ASGI, because a framework middleware would hide the
caller's hang-up.

Draws the request id, asks for the key, catches what nobody caught, sets the headers every answer has.
"""

from __future__ import annotations

import asyncio

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.access import Access
from app.accounts.keys import AmbiguousHeaderError, Keys, from_this_machine, presented_key
from app.doors.answer_headers import beside, drawn_request_id
from app.doors.openai_images.drain import drain
from app.doors.openai_images.errors import (
    ApiError,
    internal_error,
    key_ambiguous,
    key_missing,
    key_wrong,
    not_taken_any_more,
    shutting_down,
)
from app.doors.reply import WHOLE, ClientTooSlowError, error_response
from app.doors.route_table import Permissions
from app.draining import Draining
from app.telemetry import Telemetry, request_id
from providers.spec.excerpt import place_of

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")

_DRAIN_SECONDS = 2.0
"""Longest an upload without a key is read and dropped so that its sender sees the answer: Node's client reports a
broken connection instead when the answer comes before it has sent everything."""


class CutShortError(Exception):
    """An answer that was begun cannot be finished. Stands in for the cause, whose text the server would log."""

    def __init__(self) -> None:
        super().__init__("the answer was cut short; see the log line before this one")


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        permissions: Permissions | None = None,
        keys: Keys,
        metrics_keys: Keys,
        telemetry: Telemetry,
        draining: Draining | None = None,
    ) -> None:
        self._app = app
        self._permissions = permissions or Permissions([])  # all paths ask for a key
        self._draining = draining or Draining()
        self._keys = {Access.OPEN: None, Access.METRICS: metrics_keys, Access.KEY: keys}
        """Those that open what asks for them; None: nothing is asked for."""
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # nothing is served so, and no key was asked for
            return
        drawn = drawn_request_id()
        token = request_id.set(drawn)
        started = finished = False

        async def send_marked(message: Message) -> None:
            nonlocal started, finished
            if message["type"] != "http.response.start":
                finished = message["type"] == "http.response.body" and not message.get("more_body", False)
                await send(message)
                return
            started, finished = True, False
            headers = message["headers"]
            marks = ((b"x-request-id", drawn.encode()), *beside(headers))
            await send({**message, "headers": [*headers, *marks]})
            finished = WHOLE in message

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                self._telemetry.turned_away(refusal.code or "")
                if not await drain(Request(scope, receive), max_seconds=_DRAIN_SECONDS):
                    refusal.headers = {**refusal.headers, "connection": "close"}
                await error_response(refusal)(scope, receive, send_marked)
            else:
                await self._app(scope, receive, send_marked)
        except asyncio.CancelledError:
            # Only shutdown cancels a request. What it bought or may have bought is not known here, hence no retry.
            if not started:
                await error_response(shutting_down())(scope, receive, send_marked)
            elif not finished:
                raise
        except ClientTooSlowError:
            _log.info("client_too_slow", request_id=drawn)
            raise CutShortError from None
        except Exception as bug:  # noqa: BLE001 - the last place where one can be caught
            # Only the kind and place of a bug are logged: its text may hold the caller's prompt.
            _log.error("bug", request_id=drawn, error=type(bug).__name__, place=place_of(bug))
            if started and not finished:
                raise CutShortError from None  # the server closes the connection, so that the client sees a cut
            if not started:
                await error_response(internal_error())(scope, receive, send_marked)
        finally:
            request_id.reset(token)

    def _refusal(self, scope: Scope) -> ApiError | None:
        # The path the server parsed, and nothing else a caller says, tells what is asked for. With a prefix that the
        # router would take off first, nothing is open.
        access = Access.KEY if scope.get("root_path") else self._permissions.of(scope["path"])
        refusal = self._not_permitted(access, scope["headers"])
        if refusal is None and self._draining.refusing and access is Access.KEY:
            return not_taken_any_more()
        return refusal

    def _not_permitted(self, access: Access, headers: list[tuple[bytes, bytes]]) -> ApiError | None:
        keys = self._keys[access]
        if keys is None:
            return None
        try:
            if not keys:
                return None if access is Access.METRICS or from_this_machine(headers) else _foreign()
            presented = presented_key(headers)
        except AmbiguousHeaderError as ambiguous:
            return key_ambiguous(ambiguous.name)
        if keys.admit(presented):
            return None
        return key_wrong() if presented else key_missing()


def _foreign() -> ApiError:
    return ApiError(
        403,
        "Without GATEWAY_API_KEYS the gateway serves only programs on its own machine that call it by a loopback name.",
        type="invalid_request_error",
        code="loopback_only",
    )
