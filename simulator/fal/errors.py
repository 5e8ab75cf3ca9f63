"""fal's three shapes of error: a model's list, the machinery's pair, a plain sentence."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from simulator.bodies import abridged
from simulator.delivery import bad_gateway
from simulator.fal.queue import Failure
from simulator.fal.schema import Rejected
from simulator.faults import Kind, Strike

RETRY_AFTER = 5.0
"""Seconds a 429 asks to wait, unless the fault says otherwise (``retry_after``)."""
DOCS = "https://docs.fal.ai/errors#"


def plain(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """``{"detail": "..."}``."""
    return JSONResponse({"detail": sentence}, status, headers)


def model_failure(status: int, kind: str, message: str, given: dict[str, Any], *, retryable: bool) -> Failure:
    """A failure of the model; echoes the caller's input, as fal does, though abridged."""
    loc = ["body", "prompt"] if status == 422 else ["body"]
    item = {"loc": loc, "msg": message, "type": kind, "url": f"{DOCS}{kind}", "input": abridged(given)}
    headers = {"x-fal-retryable": str(retryable).lower(), "x-fal-needs-retry": str(int(retryable))}
    return Failure(status, {"detail": [item]}, headers | {"x-fal-billable-units": "0"})


def rejection(rejected: Rejected) -> Failure:
    """A failure of the caller's input."""
    headers = {"x-fal-retryable": "false", "x-fal-billable-units": "0"}
    return Failure(422, {"detail": [rejected.item]}, headers)


def bad_key() -> Response:
    """Credentials that are not accepted."""
    return plain(401, "invalid key credentials")


def concurrency_limit() -> Response:
    """What only the direct call says when too many run."""
    kind = "concurrent_requests_limit"
    body = {"detail": "Concurrent requests limit reached", "error_type": kind, "type": kind}
    return JSONResponse(body, 429, {"x-fal-needs-retry": "1", "x-fal-error-type": kind})


def at_submit(strike: Strike | None, endpoint: str) -> Response | None:
    """The answer of a fault that refuses the submit; ``None`` for other faults.

    500 and 503 belong to the job unless the fault says ``{"at": "submit"}``.
    """
    if strike is None:
        return None
    at_submit = strike.params.get("at") == "submit"
    match strike.kind:
        case Kind.TOO_MANY:
            seconds = strike.number("retry_after", RETRY_AFTER)
            return plain(429, "Too many requests", {"retry-after": f"{seconds:g}"})
        case Kind.HTML_502:
            return bad_gateway()
        case Kind.RETIRED:
            return plain(404, f'Application "{endpoint.partition("/")[2]}" not found')
        case Kind.OUT_OF_FUNDS:
            return plain(403, "User is locked. Reason: Exhausted balance. Top up your balance to go on.")
        case Kind.BAD_KEY:
            return bad_key()
        case Kind.INTERNAL if at_submit:
            return plain(500, "Internal Server Error")
        case Kind.UNAVAILABLE if at_submit:
            return plain(503, "Service Unavailable")
    return None


def of_job(strike: Strike | None, given: dict[str, Any]) -> Failure | None:
    """The way in which a fault makes an accepted job fail; ``None`` when it does not."""
    if strike is None:
        return None
    match strike.kind:
        case Kind.REFUSAL:
            message = "The request was rejected by a content checker."
            return model_failure(422, "content_policy_violation", message, given, retryable=False)
        case Kind.NO_IMAGE:
            return model_failure(422, "no_media_generated", "No image came back.", given, retryable=False)
        case Kind.INTERNAL:
            kind = "downstream_service_unavailable" if strike.hit % 2 else "downstream_service_error"
            return model_failure(500, kind, "The service behind this model failed.", given, retryable=True)
        case Kind.UNAVAILABLE:
            kind = "runner_connection_error" if strike.hit % 2 else "runner_disconnected"
            sentence = kind.replace("_", " ").capitalize()
            return Failure(
                503, {"detail": sentence, "error_type": kind}, {"x-fal-error-type": kind}, sentence, error_type=kind
            )
    return None
