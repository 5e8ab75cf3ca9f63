"""Outcome: what one finished try says about an offer, reduced to what statistics need; and the key it counts under."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from providers.spec.errors import FAULT_TABLE, Fault, HealthEffect
from providers.spec.request import Operation, Resolution
from providers.spec.unguarded import unguarded
from routing.attempt import Attempt


class StatKey(NamedTuple):
    """What figures are kept for: an offer, an operation and a resolution tier."""

    offer: str
    """``Offer.key``: ``provider/model``."""
    operation: Operation
    resolution: Resolution | None
    """None for models without tiers."""


class OutcomeKind(StrEnum):
    """What a try says about the offer."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"
    """The content was refused: about the prompt, counted apart and never as a failure."""


@unguarded
@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished try as statistics see it."""

    key: StatKey
    kind: OutcomeKind
    at: float
    """Unix seconds at which it ended."""
    seconds: float
    first_byte_s: float | None = None


def outcome_of(attempt: Attempt, key: StatKey) -> Outcome | None:
    """What the attempt says about its offer, counted under the key; None when it says nothing.

    Bad requests, what an offer cannot do, hang-ups, rate limits, our own faults, and whatever the caller's deadline cut
    short say nothing about how well the offer works.
    """
    if attempt.fault is None:
        kind = OutcomeKind.DELIVERED
    elif attempt.fault is Fault.CONTENT_REFUSED:
        kind = OutcomeKind.REFUSED
    elif attempt.deadline_hit or FAULT_TABLE[attempt.fault].health in (HealthEffect.NOTHING, HealthEffect.BLOCK):
        return None
    else:
        kind = OutcomeKind.FAILED
    return Outcome(key, kind, attempt.ended_at, attempt.seconds, attempt.first_byte_seconds)
