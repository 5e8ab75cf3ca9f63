"""Google's error objects, as the two APIs send them."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from simulator.delivery import bad_gateway
from simulator.faults import Kind, Strike
from simulator.vendors import Vendor

RPC = "type.googleapis.com/google.rpc."
SERVICES = {Vendor.GEMINI: "generativelanguage.googleapis.com", Vendor.VERTEX: "aiplatform.googleapis.com"}
RETRY_AFTER = 5.0
"""Seconds a Gemini 429 asks to wait, unless the fault says otherwise (``retry_after``)."""


class GoogleError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, status: str, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.code = code
        body: dict[str, Any] = {"code": code, "message": message, "status": status}
        if details:
            body["details"] = details
        self.body = {"error": body}

    def response(self, *, in_list: bool = False) -> Response:
        """The answer; a streaming call without ``alt=sse`` gets it inside a list."""
        return JSONResponse([self.body] if in_list else self.body, self.code)


def invalid(message: str = "Request contains an invalid argument.") -> GoogleError:
    """400 for a value that cannot be taken."""
    return GoogleError(400, "INVALID_ARGUMENT", message)


def unknown_field(name: str, path: str) -> GoogleError:
    """400 for a key that is not in the schema; ``path`` in snake case, empty at the top."""
    at = f" at '{path}'" if path else ""
    message = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    violation = {"field": path, "description": message}
    return GoogleError(
        400, "INVALID_ARGUMENT", message, [{"@type": f"{RPC}BadRequest", "fieldViolations": [violation]}]
    )


def not_found(vendor: Vendor, model: str, version: str) -> GoogleError:
    """404 for a model that never was, or is no more."""
    if vendor is Vendor.GEMINI:
        message = f"models/{model} is not found for API version {version}, or is not supported for generateContent."
    else:
        message = f"Publisher Model `publishers/google/models/{model}` was not found or your project has no access."
    return GoogleError(404, "NOT_FOUND", message)


def _info(vendor: Vendor, reason: str) -> dict[str, Any]:
    return {
        "@type": f"{RPC}ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": SERVICES[vendor]},
    }


def no_key(vendor: Vendor) -> GoogleError:
    """No credentials at all."""
    if vendor is Vendor.GEMINI:
        return GoogleError(403, "PERMISSION_DENIED", "Callers without an established identity are not allowed here.")
    return GoogleError(
        401, "UNAUTHENTICATED", "The request has no valid credentials.", [_info(vendor, "CREDENTIALS_MISSING")]
    )


def bad_key(vendor: Vendor) -> GoogleError:
    """Credentials that are not accepted: a 400 on Gemini, a 401 on Vertex."""
    if vendor is Vendor.GEMINI:
        message = "API key not valid. Please pass a valid API key."
        return GoogleError(400, "INVALID_ARGUMENT", message, [_info(vendor, "API_KEY_INVALID")])
    return GoogleError(
        401,
        "UNAUTHENTICATED",
        "The request had invalid authentication credentials.",
        [_info(vendor, "ACCESS_TOKEN_EXPIRED")],
    )


def out_of_funds(vendor: Vendor, hit: int) -> GoogleError:
    """Billing is off: in turn the two shapes in which Google says so."""
    if hit % 2 == 0:
        message = "This API method requires billing to be enabled on the project."
        return GoogleError(403, "PERMISSION_DENIED", message, [_info(vendor, "BILLING_DISABLED")])
    return GoogleError(400, "FAILED_PRECONDITION", "The free tier is not available here; enable billing.")


def too_many(vendor: Vendor, strike: Strike | None, model: str) -> GoogleError:
    """429: with quota and wait on Gemini, bare on Vertex."""
    if vendor is Vendor.VERTEX:
        return GoogleError(429, "RESOURCE_EXHAUSTED", "Resource exhausted, please try again later.")
    seconds = strike.number("retry_after", RETRY_AFTER) if strike else RETRY_AFTER
    per = "PerDay" if strike is not None and strike.params.get("per") == "day" else "PerMinute"
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
        "quotaId": f"GenerateRequests{per}PerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": model},
    }
    return GoogleError(
        429,
        "RESOURCE_EXHAUSTED",
        f"You exceeded your current quota. Please retry in {seconds:.9f}s.",
        [
            {"@type": f"{RPC}QuotaFailure", "violations": [violation]},
            {
                "@type": f"{RPC}Help",
                "links": [{"description": "Quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}],
            },
            {"@type": f"{RPC}RetryInfo", "retryDelay": f"{seconds:g}s"},
        ],
    )


def at_the_door(vendor: Vendor, strike: Strike | None, model: str, version: str) -> GoogleError | Response | None:
    """The answer of a fault that refuses the request before any work is done; ``None`` for other faults."""
    if strike is None:
        return None
    match strike.kind:
        case Kind.TOO_MANY:
            return too_many(vendor, strike, model)
        case Kind.INTERNAL:
            return GoogleError(500, "INTERNAL", "An internal error has occurred.")
        case Kind.UNAVAILABLE:
            calm = "This model is currently experiencing high demand. Please try again later."
            busy = "The model is overloaded. Please try again later."
            return GoogleError(503, "UNAVAILABLE", busy if strike.hit % 2 else calm)
        case Kind.HTML_502:
            return bad_gateway()
        case Kind.RETIRED:
            return not_found(vendor, model, version)
        case Kind.OUT_OF_FUNDS:
            return out_of_funds(vendor, strike.hit)
        case Kind.BAD_KEY:
            return bad_key(vendor)
    return None
