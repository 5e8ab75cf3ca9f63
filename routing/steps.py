"""Steps: what a request may be told to do next. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.spec.unguarded import unguarded
from routing.route_plan import Candidate


class Ending(StrEnum):
    """Why no further try is made."""

    DELIVERED = "delivered"
    FINAL_FAULT = "final_fault"
    """The last fault allows no other offer."""
    DEADLINE = "deadline"
    PAYMENTS = "payments"
    """As many tries may be billed as the policy allows."""
    ATTEMPTS = "attempts"
    """As many tries were made as the policy allows."""
    EXHAUSTED = "exhausted"
    """Every candidate was tried as often as it may be; also when there was none."""
    WAITED = "waited"
    """No offer was free within the time a request may wait for one."""


class Waiting(StrEnum):
    """What a request waits for."""

    ROOM = "room"
    """In line before offers that are full."""
    BLOCK = "block"
    """For the end of a wait that a vendor stated."""
    BREAKER = "breaker"
    """For an offer that kept failing to be tried again."""
    REST = "rest"
    """For a moment, before an offer that has just failed is tried again."""
    LOOK = "look"
    """For the running try, until it is looked at for hedging."""


@unguarded
@dataclass(frozen=True, slots=True)
class Try:
    """Try this candidate now, for at most ``limit_s`` seconds."""

    candidate: Candidate
    limit_s: float
    ends_at_deadline: bool
    """The limit is the request's deadline and not the try's own: running into it says nothing about the provider."""


@dataclass(frozen=True, slots=True)
class Hedge:
    """Try this candidate beside the one still running."""

    candidate: Candidate
    limit_s: float
    ends_at_deadline: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until a moment, or until woken, then ask again."""

    until: float
    """Unix seconds."""
    waiting: Waiting
    keys: frozenset[str] = frozenset()
    """Offers whose room is waited for, by ``Offer.key``; with any, the request stands in line."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Make no further try."""

    because: Ending

    @property
    def deadline(self) -> bool:
        """The request's time was over."""
        return self.because is Ending.DEADLINE


Step = Try | Hedge | Wait | GiveUp


@unguarded
@dataclass(frozen=True, slots=True)
class Running:
    """A try under way."""

    candidate: Candidate
    started_at: float
    """Unix seconds."""
    limit_s: float
