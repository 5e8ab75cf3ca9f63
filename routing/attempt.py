"""Attempt: one try at one offer, and how it ended. A request's attempts are a tuple that only grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from providers.spec.errors import Fault, Spend
from providers.spec.unguarded import unguarded
from routing.offers import Offer

REFUSALS_PER_TRY = 4
"""Refusals for want of room that count as one try. They come at once and cost nothing, so a request must not fail for
having met some; they are bounded all the same, because a vendor that never has room is asked in vain."""


@unguarded
@dataclass(frozen=True, slots=True)
class Attempt:
    """A finished try. ``fault`` None means a verified image was delivered."""

    offer: Offer
    started_at: float
    """Unix seconds, of the same clock that routing is handed as ``now``."""
    seconds: float
    """How long the try took."""
    spend: Spend
    cost: Decimal = Decimal(0)
    """USD the vendor surely bills for this try: the quote when spend is CHARGED, else zero."""
    fault: Fault | None = None
    message: str = ""
    """Our sentence about the failure; safe for the caller."""
    parameter: str | None = None
    retry_after: float | None = None
    """Seconds the vendor said to wait; None when it said nothing."""
    detail: str = ""
    """For the operator's log only."""
    deadline_hit: bool = False
    """The request's own deadline, not the provider, ended this try."""
    first_byte_seconds: float | None = None
    reason: str = ""
    """Why this offer was chosen for the try; safe for the caller."""
    probe: bool = False
    """The try looked whether the offer is back or has become better."""
    hedge: bool = False
    """The try ran beside another of the same request."""

    @property
    def ended_at(self) -> float:
        """Unix seconds at which the try was over; a wait the vendor stated runs from here."""
        return self.started_at + self.seconds

    @property
    def outcome(self) -> str:
        """``ok`` or the fault in lower case."""
        return "ok" if self.fault is None else self.fault.value


def work_of(attempts: Sequence[Attempt]) -> int:
    """How many tries these attempts count as where tries are bounded."""
    if not attempts:
        return 0
    refusals = sum(attempt.fault is Fault.RATE_LIMITED for attempt in attempts)
    return len(attempts) - refusals + refusals // REFUSALS_PER_TRY
