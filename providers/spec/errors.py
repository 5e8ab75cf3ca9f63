"""Faults: why an attempt failed, from a closed list, and what each means for the next try, for health, for the caller.

The table at the end is the most important screen in the code: no other place decides on a fault's consequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Spend(StrEnum):
    """May the vendor bill this attempt? Once fal or Replicate accepted a job, falling back may pay twice."""

    NONE = "none"
    POSSIBLE = "possible"
    CHARGED = "charged"


class Fault(StrEnum):
    """Why an attempt failed. Closed list: a vendor's reply is classified once, in that vendor's ``errors.py``."""

    INVALID_REQUEST = "invalid_request"
    UNSUPPORTED = "unsupported"
    CONTENT_REFUSED = "content_refused"
    CREDENTIALS = "credentials"
    OUT_OF_FUNDS = "out_of_funds"
    MODEL_GONE = "model_gone"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_REPLY = "bad_reply"
    ABANDONED = "abandoned"
    OWN_FAULT = "own_fault"


class Elsewhere(StrEnum):
    """May another offer be tried after this fault?"""

    NO = "no"
    YES = "yes"
    BY_POLICY = "by_policy"


class HealthEffect(StrEnum):
    """What the fault says about the offer's health."""

    NOTHING = "nothing"
    FAILURE = "failure"
    BLOCK = "block"
    """Blocked until the wait the vendor stated; never a failure."""
    OUT = "out"
    """Out but for one probing request every few minutes, or until a reload; counts as a failure and alarms."""
    OUT_LONG = "out_long"
    """Out for long: the vendor no longer has the model."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """One row of the fault table."""

    elsewhere: Elsewhere
    health: HealthEffect
    status: int
    """HTTP status the caller sees when this fault is the answer; 0: there is nobody to answer."""
    type: str
    code: str | None
    should_retry: bool | None = None
    """Value of ``x-should-retry`` for this fault; None: leave it to the client."""


FAULT_TABLE: Mapping[Fault, Consequence] = MappingProxyType(
    {
        Fault.INVALID_REQUEST: Consequence(
            Elsewhere.NO, HealthEffect.NOTHING, 400, "invalid_request_error", "invalid_value"
        ),
        Fault.UNSUPPORTED: Consequence(
            Elsewhere.YES, HealthEffect.NOTHING, 400, "invalid_request_error", "unsupported_value"
        ),
        Fault.CONTENT_REFUSED: Consequence(
            Elsewhere.BY_POLICY, HealthEffect.NOTHING, 400, "image_generation_user_error", "moderation_blocked", False
        ),
        Fault.CREDENTIALS: Consequence(Elsewhere.YES, HealthEffect.OUT, 502, "server_error", "provider_bad_reply"),
        Fault.OUT_OF_FUNDS: Consequence(Elsewhere.YES, HealthEffect.OUT, 502, "server_error", "provider_bad_reply"),
        Fault.MODEL_GONE: Consequence(Elsewhere.YES, HealthEffect.OUT_LONG, 502, "server_error", "provider_bad_reply"),
        Fault.RATE_LIMITED: Consequence(
            Elsewhere.YES, HealthEffect.BLOCK, 429, "rate_limit_error", "rate_limit_exceeded"
        ),
        Fault.OVERLOADED: Consequence(Elsewhere.YES, HealthEffect.FAILURE, 503, "server_error", "provider_unavailable"),
        Fault.TIMED_OUT: Consequence(Elsewhere.YES, HealthEffect.FAILURE, 504, "server_error", "provider_timeout"),
        Fault.UNREACHABLE: Consequence(
            Elsewhere.YES, HealthEffect.FAILURE, 503, "server_error", "provider_unavailable"
        ),
        Fault.BAD_REPLY: Consequence(Elsewhere.YES, HealthEffect.FAILURE, 502, "server_error", "provider_bad_reply"),
        Fault.ABANDONED: Consequence(Elsewhere.NO, HealthEffect.NOTHING, 0, "server_error", None),
        Fault.OWN_FAULT: Consequence(Elsewhere.NO, HealthEffect.NOTHING, 500, "server_error", "internal_error"),
    }
)


class ProviderError(Exception):
    """An attempt failed. The only exception an adapter may raise on account of a vendor's behaviour.

    ``message`` is our own sentence and safe to show to the caller. ``detail`` is for the operator: a bounded excerpt or
    a vendor code, stripped of prompts and secrets by whoever made it. ``retry_after`` is the wait in seconds that the
    vendor stated, None when it stated none. ``parameter`` names the caller's field at fault, if one is.
    """

    def __init__(
        self,
        fault: Fault,
        message: str,
        *,
        spend: Spend = Spend.NONE,
        retry_after: float | None = None,
        detail: str = "",
        parameter: str | None = None,
    ) -> None:
        super().__init__(f"{fault.value}: {message}")
        self.fault = fault
        self.message = message
        self.spend = spend
        self.retry_after = retry_after
        self.detail = detail[:DETAIL_LIMIT]
        self.parameter = parameter


DETAIL_LIMIT = 300
"""Characters of a vendor's reply that may reach an operator's log."""
