"""Replicate's errors: problem objects at create, sentences in a failed prediction."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from simulator.delivery import bad_gateway
from simulator.faults import Kind, Strike

RETRY_AFTER = 5.0
"""Seconds a 429 asks to wait, unless the fault says otherwise (``retry_after``)."""
PROBLEM = "application/problem+json"


def problem(status: int, title: str, detail: str) -> Response:
    """``{title, detail, status}``."""
    return JSONResponse({"title": title, "detail": detail, "status": status}, status, media_type=PROBLEM)


def unauthenticated() -> Response:
    """No token, or one that is not accepted."""
    return problem(401, "Unauthenticated", "You did not pass a valid authentication token")


def bad_key() -> Response:
    """A token that was good once."""
    return problem(401, "Authentication required", "Invalid or expired API token.")


def unreadable(sentence: str) -> Response:
    """A body that is no JSON."""
    return problem(400, "Bad Request", f"The body cannot be read: {sentence}.")


def not_found() -> Response:
    """A model or a prediction that does not exist."""
    return problem(404, "Not found", "The requested resource could not be found.")


def throttled(strike: Strike | None) -> Response:
    """429 with the wait in the header, in the body and in the sentence."""
    seconds = strike.number("retry_after", RETRY_AFTER) if strike else RETRY_AFTER
    body = {
        "detail": f"Request was throttled. Your rate limit resets in ~{seconds:g}s.",
        "status": 429,
        "retry_after": int(seconds) if seconds == int(seconds) else seconds,
    }
    return JSONResponse(body, 429, {"retry-after": f"{seconds:g}"})


def at_create(strike: Strike | None) -> Response | None:
    """The answer of a fault that refuses the create; ``None`` for other faults.

    500 and 503 are answered here unless the fault says ``{"at": "job"}``.
    """
    if strike is None:
        return None
    in_job = strike.params.get("at") == "job"
    match strike.kind:
        case Kind.TOO_MANY:
            return throttled(strike)
        case Kind.INTERNAL if not in_job:
            return problem(500, "Internal Server Error", "An unexpected error occurred.")
        case Kind.UNAVAILABLE if not in_job:
            return problem(503, "Service Unavailable", "The service is temporarily unavailable.")
        case Kind.HTML_502:
            return bad_gateway()
        case Kind.RETIRED:
            return not_found()
        case Kind.OUT_OF_FUNDS:
            return problem(402, "Insufficient credit", "You have insufficient credit to run this model.")
        case Kind.BAD_KEY:
            return bad_key()
    return None


def of_job(strike: Strike | None) -> str | None:
    """What a failed prediction says in ``error``; ``None`` when the fault does not make it fail."""
    if strike is None:
        return None
    match strike.kind:
        case Kind.REFUSAL:
            return "The input or output was flagged as sensitive. Please try again with different inputs. (E005)"
        case Kind.FLAGGED_BLACK:
            return "NSFW content detected. Try running it again, or try a different prompt."
        case Kind.INTERNAL:
            return "Director: unexpected error handling prediction (E6716)"
        case Kind.UNAVAILABLE:
            return "Service is currently unavailable due to high demand. Please try again later. (E003)"
    return None
