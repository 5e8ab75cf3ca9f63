"""What Replicate's refusals mean: a reply or a failed prediction becomes a Fault here, and nowhere else.

Statuses: https://replicate.com/docs/reference/http. Codes of four digits:
https://replicate.com/docs/reference/error-codes. Codes of three digits come from partners' models; Replicate does not
document them, and their meaning is taken from many users' reports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from providers.job_dialect.failures import not_taken, sentences
from providers.job_dialect.reading import object_if_any
from providers.replicate.wire import Prediction, State
from providers.spec.conversation import Reply
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import safe_excerpt
from providers.spec.waits import stated_wait

VENDOR = "Replicate"
"""The name callers know it by."""

STATUSES: Mapping[int, Fault] = MappingProxyType(
    {
        401: Fault.CREDENTIALS,
        402: Fault.OUT_OF_FUNDS,
        403: Fault.CREDENTIALS,
        404: Fault.MODEL_GONE,
        408: Fault.OVERLOADED,
        429: Fault.RATE_LIMITED,
        499: Fault.OVERLOADED,
    }
)
"""Every other 4xx is UNSUPPORTED, every 5xx OVERLOADED. A 422 too is UNSUPPORTED: it says that the input does not fit
this vendor's schema, which says nothing about the next vendor's."""

CODES: Mapping[str, Fault] = MappingProxyType(
    {
        "E003": Fault.OVERLOADED,  # high demand
        "E004": Fault.OVERLOADED,  # temporarily unavailable
        "E005": Fault.CONTENT_REFUSED,  # input or output flagged as sensitive
        "E006": Fault.UNSUPPORTED,  # said to be invalid input (unverified): no retry here, but another may take it
        "E1000": Fault.OVERLOADED,  # not categorised; Replicate's advice is to try again
        "E1001": Fault.OVERLOADED,  # out of memory
        "E4875": Fault.BAD_REPLY,  # an empty webhook URL, of which the gateway sends none
        "E6716": Fault.OVERLOADED,  # timeout while starting
        "E8367": Fault.OVERLOADED,  # stopped before it ended
        "E8765": Fault.OVERLOADED,  # health check failed
        "E9243": Fault.OVERLOADED,  # error while starting
        "E9825": Fault.OVERLOADED,  # a file could not be uploaded
        "PA": Fault.OVERLOADED,  # interrupted, "please retry" (unverified)
    }
)
"""The code at the end of a failed prediction's error text. There is no field for it."""

ENDINGS: Mapping[State, tuple[Fault, Spend]] = MappingProxyType(
    {
        # By its deadline or by somebody else: this conversation never reads on after its own cancel. What ran is
        # charged by the time it took; what that means for models sold by the image is unverified.
        State.CANCELED: (Fault.OVERLOADED, Spend.POSSIBLE),
        # The deadline passed before it started, which is free.
        State.ABORTED: (Fault.OVERLOADED, Spend.NONE),
    }
)
"""Ends that are neither success nor failure."""

_CODE = re.compile(r"\b(E\d{3,4})\b|\(code: (PA)\)")
_REFUSED = re.compile(r"\bnsfw\b|flagged as sensitive|content polic|safety (?:filter|checker|polic)", re.IGNORECASE)
_BUSY = re.compile(r"high demand|temporarily unavailable|(?:try|retry) again|please retry", re.IGNORECASE)
_RESETS = re.compile(r"resets in ~?(\d{1,6})\s*s\b")

_LONGEST_WAIT_S = 86_400
"""Seconds. A longer wait in a body is no wait but a mistake."""

_SENTENCES = sentences(
    VENDOR,
    {
        Fault.CREDENTIALS: "Replicate did not accept the gateway's token.",
        Fault.OUT_OF_FUNDS: "The gateway's account at Replicate is out of credit.",
    },
)


def create_failed(reply: Reply, prompt: str) -> ProviderError:
    """Why a create was not accepted. No prediction exists, unless a load balancer gave up waiting for one (504)."""
    return _http_error(reply, prompt, Spend.POSSIBLE if reply.status == 504 else Spend.NONE)


def upload_failed(reply: Reply, prompt: str) -> ProviderError:
    """Why an input image was not taken."""
    detail = safe_excerpt(reply, prompt) if reply.status >= 400 else f"HTTP {reply.status}"
    return not_taken(_fault_of(reply.status), _SENTENCES, VENDOR, detail=detail, retry_after=_wait(reply))


def ask_failed(reply: Reply, prompt: str) -> ProviderError:
    """Why a question about an accepted prediction went unanswered. The prediction itself may be doing well."""
    return _http_error(reply, prompt, Spend.POSSIBLE, accepted=True)


def prediction_failed(prediction: Prediction, prompt: str) -> ProviderError:
    """Why a prediction ended without success. A failed one counts as free: sold by the image, it made none
    (unverified)."""
    if prediction.state is not None and prediction.state in ENDINGS:
        fault, spend = ENDINGS[prediction.state]
        return ProviderError(fault, _SENTENCES[fault], spend=spend, detail=f"prediction {prediction.state.value}")
    found = _CODE.search(prediction.error)
    code = (found[1] or found[2]) if found else ""
    fault = CODES.get(code) or _from_text(prediction.error)
    if code:
        detail = f"prediction failed: {code}"
    else:
        detail = safe_excerpt(Reply(200, {}, prediction.error.encode("utf-8", "replace")), prompt)
    return ProviderError(fault, _SENTENCES[fault], detail=detail)


def no_pictures(prediction: Prediction) -> ProviderError:
    """A success without a picture. It is free, being sold by the picture, unless the picture was deleted since."""
    if prediction.removed:
        return ProviderError(
            Fault.BAD_REPLY,
            "Replicate deleted the image before it could be fetched.",
            spend=Spend.CHARGED,
            detail="data_removed",
        )
    return ProviderError(Fault.BAD_REPLY, _SENTENCES[Fault.BAD_REPLY], detail="succeeded without a picture as output")


def substituted() -> ProviderError:
    """Another model than the one asked for made the image, and it is billed."""
    return ProviderError(
        Fault.BAD_REPLY,
        "Replicate had another model make the image.",
        spend=Spend.CHARGED,
        detail="metrics.resolution: fallback",
    )


def _http_error(reply: Reply, prompt: str, spend: Spend, *, accepted: bool = False) -> ProviderError:
    fault = _fault_of(reply.status)
    if accepted and fault is Fault.MODEL_GONE:
        # The model took the job a moment ago; it is the prediction that nobody knows any more.
        fault = Fault.BAD_REPLY
    return ProviderError(
        fault,
        _SENTENCES[fault],
        spend=spend,
        retry_after=_wait(reply),
        detail=safe_excerpt(reply, prompt),
    )


def _fault_of(status: int) -> Fault:
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return Fault.OVERLOADED
    return Fault.UNSUPPORTED if status >= 400 else Fault.BAD_REPLY


def _from_text(error: str) -> Fault:
    """Without a known code only the text is left. It is matched on few words, never on its full wording."""
    if _REFUSED.search(error):
        return Fault.CONTENT_REFUSED
    return Fault.OVERLOADED if _BUSY.search(error) else Fault.BAD_REPLY


def _wait(reply: Reply) -> float | None:
    """Seconds to wait: a field of the body, else the headers, else the end of the body's text."""
    document = object_if_any(reply)
    stated = document.get("retry_after")
    if isinstance(stated, int | float) and not isinstance(stated, bool) and 0 <= stated <= _LONGEST_WAIT_S:
        return float(stated)
    in_headers = stated_wait(reply.headers)
    if in_headers is not None:
        return in_headers
    detail = document.get("detail")
    found = _RESETS.search(detail) if isinstance(detail, str) else None
    return float(found[1]) if found else None
