"""What fal's refusals mean: a reply becomes a Fault here, and nobody looks at its status again.

Types and statuses: https://docs.fal.ai/errors (model errors) and
https://fal.ai/docs/documentation/model-apis/request-errors (fal's infrastructure).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.job_dialect.failures import not_taken, sentences
from providers.job_dialect.reading import object_if_any
from providers.spec.conversation import Reply
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import safe_excerpt
from providers.spec.waits import stated_wait

VENDOR = "fal"
"""The name callers know it by."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A fault, and the caller's parameter that is to blame, if one is."""

    fault: Fault
    parameter: str | None = None


_IMAGE = Meaning(Fault.INVALID_REQUEST, "image")
_OVERLOADED = Meaning(Fault.OVERLOADED)
_UNSUPPORTED = Meaning(Fault.UNSUPPORTED)

MODEL_ERRORS: Mapping[str, Meaning] = MappingProxyType(
    {
        "content_policy_violation": Meaning(Fault.CONTENT_REFUSED),
        # The model talked instead of painting. Often a soft refusal, but another try elsewhere may well succeed.
        "no_media_generated": Meaning(Fault.BAD_REPLY),
        "image_load_error": _IMAGE,
        "file_too_large": _IMAGE,
        "image_too_small": _IMAGE,
        "image_too_large": _IMAGE,
        "unsupported_image_format": _IMAGE,
        "image_aspect_ratio_error": _IMAGE,
        "face_detection_error": _IMAGE,
        "string_too_short": Meaning(Fault.INVALID_REQUEST, "prompt"),
        # Not the caller's doing: fal could not fetch a reference, or its schema differs from what we believe.
        "file_download_error": Meaning(Fault.UNSUPPORTED, "image"),
        "missing": _UNSUPPORTED,
        "literal_error": _UNSUPPORTED,
        "value_error": _UNSUPPORTED,
        "greater_than": _UNSUPPORTED,
        "greater_than_equal": _UNSUPPORTED,
        "less_than": _UNSUPPORTED,
        "less_than_equal": _UNSUPPORTED,
        "multiple_of": _UNSUPPORTED,
        "one_of": _UNSUPPORTED,
        "sequence_too_short": _UNSUPPORTED,
        "sequence_too_long": _UNSUPPORTED,
        "feature_not_supported": _UNSUPPORTED,
        # Undocumented, but seen in the wild; too vague to tell the caller that nobody can serve the request.
        "invalid_request": _UNSUPPORTED,
        "generation_timeout": _OVERLOADED,
        "internal_server_error": _OVERLOADED,
        "downstream_service_error": _OVERLOADED,
        "downstream_service_unavailable": _OVERLOADED,
    }
)
"""``detail[].type`` of a model's own error."""

REQUEST_ERRORS: Mapping[str, Meaning] = MappingProxyType(
    {
        "request_timeout": _OVERLOADED,
        "startup_timeout": _OVERLOADED,
        "runner_scheduling_failure": _OVERLOADED,
        "runner_connection_timeout": _OVERLOADED,
        "runner_disconnected": _OVERLOADED,
        "runner_connection_refused": _OVERLOADED,
        "runner_connection_error": _OVERLOADED,
        "runner_incomplete_response": _OVERLOADED,
        "runner_server_error": _OVERLOADED,
        "internal_error": _OVERLOADED,
        # Somebody ended the job, and it was not this conversation: it would have left before reading this.
        "client_disconnected": _OVERLOADED,
        "client_cancelled": _OVERLOADED,
        "bad_request": _UNSUPPORTED,
        "concurrent_requests_limit": Meaning(Fault.RATE_LIMITED),
    }
)
"""``error_type`` of fal's infrastructure, in a body, a status or the header ``x-fal-error-type``."""

STATUSES: Mapping[int, Meaning] = MappingProxyType(
    {
        401: Meaning(Fault.CREDENTIALS),
        402: Meaning(Fault.OUT_OF_FUNDS),
        403: Meaning(Fault.CREDENTIALS),
        404: Meaning(Fault.MODEL_GONE),
        429: Meaning(Fault.RATE_LIMITED),
    }
)
"""Statuses that speak for themselves, whatever type the body names."""

_MAY_BE_BILLED = frozenset({"client_disconnected", "client_cancelled"})
"""The job may have run for a while; whether fal bills that is unverified."""

_TRANSIENT = frozenset({408, 499})
"""4xx that speak of timing, not of the request."""

_LOCKED = re.compile(r"exhausted balance|user is locked", re.IGNORECASE)
"""How a 403 for an empty account reads, according to many independent reports; fal does not document it."""

_SENTENCES = sentences(
    VENDOR,
    {
        Fault.INVALID_REQUEST: "fal cannot work with this input.",
        Fault.CREDENTIALS: "fal did not accept the gateway's key.",
        Fault.OUT_OF_FUNDS: "The gateway's account at fal is locked or out of funds.",
    },
)


def submit_failed(reply: Reply, prompt: str) -> ProviderError:
    """Why a submit was not accepted. No job exists, unless a load balancer gave up waiting for fal (504)."""
    named = _named(reply)
    ambiguous = reply.status == 504 and named is None
    return _error(reply, prompt, named, spend=Spend.POSSIBLE if ambiguous else Spend.NONE)


def upload_failed(reply: Reply, prompt: str, *, keyed: bool = True) -> ProviderError:
    """Why an input image was not taken. ``keyed``: the call was made to fal itself, so that a refusal may be about the
    gateway's key; the place fal names for the bytes knows no key, and its words are not fal's."""
    fault = _meaning(reply, None).fault
    if not keyed and fault in {Fault.CREDENTIALS, Fault.OUT_OF_FUNDS}:
        fault = Fault.BAD_REPLY
    detail = f"HTTP {reply.status} {_named(reply) or ''}".rstrip()
    if keyed and reply.status >= 400 and _named(reply) is None:
        detail = safe_excerpt(reply, prompt)
    return not_taken(fault, _SENTENCES, VENDOR, detail=detail, retry_after=stated_wait(reply.headers))


def ask_failed(reply: Reply, prompt: str) -> ProviderError:
    """Why a question about an accepted job went unanswered. The job itself may be doing well."""
    return _error(reply, prompt, _named(reply), spend=Spend.POSSIBLE, accepted=True)


def job_failed(reply: Reply, prompt: str) -> ProviderError:
    """Why a completed job has no image: fal answers its result with the failing status and body.

    Spend: the header ``x-fal-billable-units`` decides. Without it a failure counts as free (fal bills successful
    outputs only), except where the reply does not show that the job ended by failing.
    """
    named = _named(reply)
    own_failure = reply.status == 422 or reply.status >= 500 or (named is not None and named not in _MAY_BE_BILLED)
    spend = billed(reply, otherwise=Spend.NONE if own_failure else Spend.POSSIBLE)
    return _error(reply, prompt, named, spend=spend, accepted=True)


def is_jobs_own_answer(reply: Reply) -> bool:
    """Whether the reply to a result call is the job's stored outcome, not trouble on the way to it."""
    if reply.status == 429:
        return False
    if reply.status < 500:
        return True
    document = object_if_any(reply)
    return "detail" in document or "error_type" in document


def infrastructure_failed(error_type: str) -> ProviderError | None:
    """What a status's ``error_type`` says on its own, when the result itself cannot be had. None: not a known one."""
    meaning = REQUEST_ERRORS.get(error_type)
    if meaning is None:
        return None
    spend = Spend.POSSIBLE if error_type in _MAY_BE_BILLED else Spend.NONE
    return ProviderError(meaning.fault, _SENTENCES[meaning.fault], spend=spend, detail=error_type)


def flagged(reply: Reply) -> ProviderError:
    """Images that fal itself marked as not safe. What it sends in their place is usually a black picture."""
    return ProviderError(
        Fault.CONTENT_REFUSED,
        _SENTENCES[Fault.CONTENT_REFUSED],
        spend=billed(reply, otherwise=Spend.POSSIBLE),
        detail="the result was flagged as not safe for work",
    )


def billed(reply: Reply, *, otherwise: Spend) -> Spend:
    """What ``x-fal-billable-units`` says. Its unit is unverified, but zero was seen on rejected inputs."""
    try:
        units = float(reply.headers.get("x-fal-billable-units", ""))
    except ValueError:
        return otherwise
    if math.isnan(units):
        return otherwise
    return Spend.CHARGED if units > 0 else Spend.NONE


def _error(reply: Reply, prompt: str, named: str | None, *, spend: Spend, accepted: bool = False) -> ProviderError:
    meaning = _meaning(reply, named)
    if accepted and meaning.fault is Fault.MODEL_GONE:
        # The model took the job a moment ago; it is the job that nobody knows any more.
        meaning = Meaning(Fault.BAD_REPLY)
    return ProviderError(
        meaning.fault,
        _SENTENCES[meaning.fault],
        spend=spend,
        retry_after=stated_wait(reply.headers),
        detail=f"HTTP {reply.status} {named}" if named else safe_excerpt(reply, prompt),
        parameter=meaning.parameter,
    )


def _meaning(reply: Reply, named: str | None) -> Meaning:
    if reply.status == 403 and _LOCKED.search(str(object_if_any(reply).get("detail"))[:500]):
        return Meaning(Fault.OUT_OF_FUNDS)
    if reply.status in STATUSES:
        return STATUSES[reply.status]
    if named is not None:
        return MODEL_ERRORS.get(named) or REQUEST_ERRORS[named]
    if reply.status >= 500 or reply.status in _TRANSIENT:
        return _OVERLOADED
    if reply.status >= 400:
        return _UNSUPPORTED
    return Meaning(Fault.BAD_REPLY)


def _named(reply: Reply) -> str | None:
    """The first error type of the reply that the tables know; the vendor's own text is never looked at."""
    return next((name for name in _names(reply) if name in MODEL_ERRORS or name in REQUEST_ERRORS), None)


def _names(reply: Reply) -> Iterator[str]:
    document = object_if_any(reply)
    details = document.get("detail")
    for item in details if isinstance(details, list) else ():
        name = item.get("type") if isinstance(item, dict) else None
        if isinstance(name, str):
            yield name
    for name in (document.get("error_type"), document.get("type"), reply.headers.get("x-fal-error-type")):
        if isinstance(name, str):
            yield name
