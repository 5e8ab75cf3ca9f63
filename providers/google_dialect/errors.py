"""What Google's refusals and errors mean: reply to fault, decided once, here.

Status codes and error bodies: https://ai.google.dev/gemini-api/docs/troubleshooting and https://cloud.google.com/apis/design/errors.
Reasons in ErrorInfo: google/api/error_reason.proto of https://github.com/googleapis/googleapis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from providers.google_dialect.shapes import an_object, objects, text
from providers.spec.conversation import Reply, Unanswered
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import safe_excerpt, safe_text
from providers.spec.request import ImageRequest
from providers.spec.waits import stated_wait

REFUSALS: frozenset[str] = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "ESCALATION",
    }
)
"""``finishReason`` values that say: not this content. The same prompt will be refused again. Google adds values without
notice; one that is not listed means an image that did not come (BAD_REPLY)."""

STATUSES: Mapping[int, Fault] = MappingProxyType(
    {
        401: Fault.CREDENTIALS,
        402: Fault.OUT_OF_FUNDS,
        403: Fault.CREDENTIALS,
        404: Fault.MODEL_GONE,
        408: Fault.OVERLOADED,
        413: Fault.UNSUPPORTED,
        429: Fault.RATE_LIMITED,
        499: Fault.OVERLOADED,
    }
)
"""HTTP status to fault, where nothing finer is said. Any other 4xx is UNSUPPORTED, any 5xx OVERLOADED. 413 is
UNSUPPORTED because each vendor has its own size limit; 499 is Google giving up on a client that did not leave."""

CANONICAL: Mapping[str, Fault] = MappingProxyType({"FAILED_PRECONDITION": Fault.CREDENTIALS})
"""``error.status`` that says more than the HTTP status. FAILED_PRECONDITION comes as 400 when the account is not set
up: no billing, or a location Google does not serve. That is the operator's to mend, not the caller's."""

REASONS: Mapping[str, Fault] = MappingProxyType(
    {
        "API_KEY_INVALID": Fault.CREDENTIALS,
        "BILLING_DISABLED": Fault.OUT_OF_FUNDS,
    }
)
"""``ErrorInfo.reason`` that says more than both. The Gemini API answers an invalid key with 400, not 401."""

BAD_INPUT_IMAGE: tuple[str, ...] = ("Provided image is not valid", "Unable to process input image")
"""Beginnings of the 400 messages that blame the caller's picture; Google gives no code for it. Seen in public reports
(https://github.com/google-gemini/gemini-cli/issues/27244, https://github.com/google-gemini/gemini-cli/issues/5064), not
by us. Any other 400 stays UNSUPPORTED."""

DAILY_QUOTA_WAIT = 3600.0
"""Seconds to leave an offer alone when its daily quota is spent. The retryDelay stated beside it is far too short, and
the hour of the reset is not in the reply: asking once an hour costs nothing and finds it."""

_LIMIT_ZERO = re.compile(r"\blimit:\s*0(?![\d.])")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_RETRY_IN = re.compile(r"retry in (\d{1,9}(?:\.\d{1,9})?)s")

_SENTENCES: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.INVALID_REQUEST: "{vendor} could not read an input image.",
        Fault.UNSUPPORTED: "{vendor} does not accept this request.",
        Fault.CONTENT_REFUSED: "{vendor} refused this content.",
        Fault.CREDENTIALS: "{vendor} does not accept the gateway's account.",
        Fault.OUT_OF_FUNDS: "The gateway's account at {vendor} has no funds or quota for this model.",
        Fault.MODEL_GONE: "{vendor} does not have this model.",
        Fault.RATE_LIMITED: "{vendor} limits the rate of requests.",
        Fault.OVERLOADED: "{vendor} is overloaded.",
        Fault.UNREACHABLE: "{vendor} could not be reached.",
        Fault.BAD_REPLY: "{vendor} answered without a usable image.",
    }
)


def failure(
    fault: Fault,
    vendor: str,
    *,
    spend: Spend = Spend.NONE,
    retry_after: float | None = None,
    detail: str = "",
    parameter: str | None = None,
) -> ProviderError:
    """A ProviderError in our own words; ``vendor`` is the name people know it by."""
    sentence = _SENTENCES[fault].format(vendor=vendor)
    return ProviderError(fault, sentence, spend=spend, retry_after=retry_after, detail=detail, parameter=parameter)


def unanswered(vendor: str, silence: Unanswered) -> ProviderError:
    """No reply came. Once the request may have been sent, the image may have been made and billed."""
    spend = Spend.POSSIBLE if silence.sent else Spend.NONE
    return failure(Fault.UNREACHABLE, vendor, spend=spend, detail=silence.reason)


def stated_error(reply: Reply, vendor: str, request: ImageRequest) -> ProviderError:
    """What an error reply means: one whose status is not 2xx, or a 2xx whose body is an error object."""
    error = error_object(reply)
    status = _status(reply, error)
    if not 400 <= status <= 599:
        return failure(Fault.BAD_REPLY, vendor, detail=safe_excerpt(reply, request.prompt))
    fault = _fault(status, error, request)
    return failure(
        fault,
        vendor,
        # A generation that ran out of time may have been billed; Google bills no other error.
        spend=Spend.POSSIBLE if status == 504 else Spend.NONE,
        retry_after=_wait(reply, error) if fault in {Fault.RATE_LIMITED, Fault.OVERLOADED} else None,
        detail=_detail(status, error, request) if error else safe_excerpt(reply, request.prompt),
        parameter="image" if fault is Fault.INVALID_REQUEST else None,
    )


def error_object(reply: Reply) -> Mapping[str, Any]:
    """The reply's ``error`` object, also out of the one-element list Google sometimes wraps it in; empty when none."""
    try:
        return error_in(reply.json())
    except ValueError:
        return {}


def error_in(document: object) -> Mapping[str, Any]:
    """The same of a reply that is parsed."""
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    return an_object(document.get("error")) if isinstance(document, dict) else {}


def _status(reply: Reply, error: Mapping[str, Any]) -> int:
    """The HTTP status, or for an error object under a 2xx the code it states itself."""
    if not 200 <= reply.status <= 299:
        return reply.status
    code = error.get("code")
    return code if isinstance(code, int) else reply.status


def _fault(status: int, error: Mapping[str, Any], request: ImageRequest) -> Fault:
    for reason in _texts(_details(error, "ErrorInfo"), "reason"):
        if reason in REASONS:
            return REASONS[reason]
    if status == 429 and _never_granted(error):
        return Fault.OUT_OF_FUNDS
    if (canonical := text(error.get("status"))) in CANONICAL:
        return CANONICAL[canonical]
    if status == 400 and request.images and text(error.get("message")).startswith(BAD_INPUT_IMAGE):
        return Fault.INVALID_REQUEST
    return STATUSES.get(status, Fault.OVERLOADED if status >= 500 else Fault.UNSUPPORTED)


def _never_granted(error: Mapping[str, Any]) -> bool:
    """A quota of zero is no rate limit: waiting will not help, a paid plan will."""
    return "0" in _texts(_violations(error), "quotaValue") or _LIMIT_ZERO.search(text(error.get("message"))) is not None


def _wait(reply: Reply, error: Mapping[str, Any]) -> float | None:
    """Seconds Google asks to wait: RetryInfo, then the message, then Retry-After (never seen from Google)."""
    if any("PerDay" in quota for quota in _texts(_violations(error), "quotaId")):
        return DAILY_QUOTA_WAIT
    for delay in _texts(_details(error, "RetryInfo"), "retryDelay"):
        if duration := _DURATION.fullmatch(delay):
            return float(duration[1])
    if spoken := _RETRY_IN.search(text(error.get("message"))):
        return float(spoken[1])
    return stated_wait(reply.headers)


def _detail(status: int, error: Mapping[str, Any], request: ImageRequest) -> str:
    codes = [
        *_texts([error], "status"),
        *_texts(_details(error, "ErrorInfo"), "reason"),
        *_texts(_violations(error), "quotaId"),
    ]
    said = safe_text(text(error.get("message")), request.prompt)
    return safe_text(f"HTTP {status} {' '.join(codes)}", request.prompt) + (f": {said}" if said else "")


def _details(error: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The google.rpc detail objects of this kind, known by the end of their ``@type``."""
    return [item for item in objects(error.get("details")) if str(item.get("@type")).endswith(f".{kind}")]


def _violations(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for quota in _details(error, "QuotaFailure") for entry in objects(quota.get("violations"))]


def _texts(items: list[Mapping[str, Any]], key: str) -> list[str]:
    return [value for item in items if isinstance(value := item.get(key), str)]
