"""Ticket: one try under way, as the board sees it."""

from __future__ import annotations

from routing.limits import Token
from routing.route_plan import Candidate
from routing.stats.estimate import Estimate
from routing.stats.outcome import StatKey


class Ticket:
    """One try under way, as the board sees it. Made by ``Board.started``, handed back once at its end."""

    __slots__ = ("candidate", "estimate", "key", "provider", "started_at", "token", "trial")

    def __init__(
        self, candidate: Candidate, key: StatKey, token: Token, started_at: float, *, trial: bool, estimate: Estimate
    ) -> None:
        self.candidate = candidate
        self.key = key
        self.provider = candidate.offer.provider
        self.token = token
        self.started_at = started_at
        self.trial = trial
        """Whether it looks if a half-open breaker may close."""
        self.estimate = estimate
        """What was believed when it began."""
