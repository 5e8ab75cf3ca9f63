"""Responses of the OpenAPI document: what each status means here, and which headers come with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.doors.openapi.answers import Schema, ref

JSON = "application/json"
_HEADER = "#/components/headers/"

HEADERS: dict[str, Schema] = {
    "x-request-id": {"description": "Drawn anew for each request; the log has it.", "schema": {"type": "string"}},
    "x-gateway-provider": {
        "description": "Who delivered; several are separated by commas. Absent without an image.",
        "schema": {"type": "string"},
    },
    "x-gateway-model": {"description": "The model, by its own name.", "schema": {"type": "string"}},
    "x-gateway-attempts": {"description": "How many tries were made.", "schema": {"type": "integer", "minimum": 0}},
    "x-gateway-cost-usd": {"description": "What the delivered images cost, in USD.", "schema": {"type": "string"}},
    "x-gateway-simulated": {"description": "A pretended vendor was asked.", "schema": {"const": "true"}},
    "retry-after": {"description": "Whole seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "x-should-retry": {
        "description": "`false`: a retry would pay twice, or be refused again.",
        "schema": {"enum": ["true", "false"]},
    },
    "www-authenticate": {"description": "How to present a key.", "schema": {"type": "string"}},
    "accept-encoding": {"description": "Sent when a compressed body was refused.", "schema": {"type": "string"}},
    "accept-ranges": {"description": "Ranges are answered.", "schema": {"const": "bytes"}},
    "content-range": {"description": "Which bytes these are, of how many.", "schema": {"type": "string"}},
    "etag": {"description": "A strong validator.", "schema": {"type": "string"}},
}
"""Every header the document speaks of."""
MADE = ("x-gateway-attempts", "x-gateway-cost-usd", "x-gateway-model", "x-gateway-provider", "x-gateway-simulated")
"""Headers that tell of the making."""

_REASONS = {
    400: "Something in the request is not as it must be (`param` names the place), or the content was declined "
    "(`moderation_blocked`).",
    401: "No key, or none this gateway knows (`invalid_api_key`).",
    403: "Without keys only programs on the gateway's own machine are served (`loopback_only`).",
    404: "No such model (`model_not_found`).",
    408: "The body did not arrive in time (`request_timeout`).",
    413: "The body, or a part of it, is too large (`request_too_large`).",
    415: "A media type or a compression that is not read (`unsupported_media_type`).",
    429: "Every provider is at its limit, or the caller's key (`rate_limit_exceeded`); the gateway is (`slow_down`).",
    500: "The gateway's own fault (`internal_error`); its log has the cause under the request id.",
    502: "No provider delivered (`provider_bad_reply`); `metadata.attempts` says what each did.",
    503: "No provider can serve this at the moment (`provider_unavailable`), or the gateway stops (`shutting_down`).",
    504: "The time was over before a provider delivered (`provider_timeout`).",
}
ANY_TIME = (500, 503)
"""May befall every request."""
WITH_KEY = (401, 403, *ANY_TIME)
"""May befall every request to a path that asks for a key."""
WITH_BODY = (400, 404, 408, 413, 415, 429)
"""May befall every order."""
MAKING = (429, 502, 504)
"""May befall what asks providers."""
_MORE_HEADERS: dict[int, tuple[str, ...]] = {
    400: ("x-should-retry", *MADE),
    401: ("www-authenticate",),
    415: ("accept-encoding",),
    429: ("retry-after", "x-should-retry", *MADE),
    500: ("x-should-retry", *MADE),
    502: ("x-should-retry", *MADE),
    503: ("retry-after", "x-should-retry", *MADE),
    504: ("x-should-retry", *MADE),
}


def headers(*names: str) -> Schema:
    """References to these headers, and the one that every answer has."""
    found: Schema = {"x-request-id": {"$ref": f"{_HEADER}x-request-id"}}
    found["x-request-id"] = {"$ref": f"{_HEADER}x-request-id"}
    return {**found, **{name: {"$ref": _HEADER + name} for name in names}}


def answer(description: str, content: Schema | None = None, *names: str) -> Schema:
    """A response with these contents by media type, and these headers."""
    response: dict[str, Any] = {"description": description, "headers": headers(*names)}
    return {**response, "content": content} if content else response


def json_of(name: str) -> Schema:
    """A JSON body of this schema."""
    return {JSON: {"schema": ref(name)}}


def shared() -> dict[str, Schema]:
    """The errors, by the names under which ``errors`` refers to them."""
    return {
        f"Error{status}": answer(reason, json_of("Error"), *_MORE_HEADERS.get(status, ()))
        for status, reason in _REASONS.items()
    }


def errors(*statuses: int) -> dict[str, Schema]:
    """The errors of these statuses, as an operation has them."""
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in _sorted(statuses)}


def error(description: str, *names: str) -> Schema:
    """An error that one operation alone has."""
    return answer(description, json_of("Error"), *names)


def _sorted(statuses: Iterable[int]) -> list[int]:
    return sorted(set(statuses))
