"""Breaker: takes an offer out of service when its failures are no longer chance, and lets it back on proof.

The judgement is a one-sided CUSUM: each outcome adds the logarithm of how much better it is explained by a broken offer
than by the offer as it is known to be. Rate limits are no failures and never come here: being busy is not being sick.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import log

from routing.knobs import BreakerKnobs


class BreakerState(StrEnum):
    """What the breaker lets through at a given moment."""

    CLOSED = "closed"
    OPEN = "open"
    """Nobody is sent there, except in a panic: when no offer is in service."""
    HALF_OPEN = "half_open"
    """One request at a time may prove that the offer is back."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What the breaker of one offer knows. Times are unix seconds; the defaults are an offer nobody has tried."""

    score: float = 0.0
    """CUSUM level, in nats; opens at ``BreakerKnobs.trip``."""
    opened_at: float = 0.0
    """When it last opened; 0.0: never."""
    open_until: float = 0.0
    """When it becomes half-open; 0.0 while it is closed."""
    open_s: float = 0.0
    """Length of the last opening, which the next one may double."""
    closed_at: float = 0.0
    """When a delivery last closed it; 0.0: never."""
    suspect_since: float = 0.0
    """When the first of the failures behind the score began; 0.0 while there is no score."""

    def state(self, *, now: float) -> BreakerState:
        """The state at that moment. Half-open lasts until a try that began after the opening has ended."""
        if self.open_until <= 0.0:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN


def after_try(
    breaker: Breaker,
    *,
    delivered: bool,
    started_at: float,
    success: float,
    knobs: BreakerKnobs,
    now: float,
    survivors: int = 0,
) -> Breaker:
    """The breaker once this outcome is known; ``success`` is the offer's long-run success rate, clamped here.

    ``survivors``: tries still under way that began since ``suspect_since`` and have lasted longer than this one.
    Failures are often quicker than successes, so where many tries begin together the failures among them are known
    first; those that have outlived such a failure speak for the offer like deliveries, as long as they last.

    A try that began before the last opening or closing says nothing about the time since: its delivery does not close
    and its failure does not open again. That also makes of many tries that fail together one reason to stay open, not
    one doubling each.
    """
    if started_at < breaker.opened_at or started_at < breaker.closed_at:
        return breaker
    if breaker.open_until > 0.0:
        if delivered:
            # Half of the threshold stays spent: one good try is little proof, and a relapse should be noticed sooner.
            return replace(breaker, score=knobs.trip / 2, open_until=0.0, closed_at=now, suspect_since=now)
        return _opened(breaker, min(2 * breaker.open_s, knobs.max_open_s), knobs, now)
    score = max(0.0, breaker.score + _step(delivered, success, knobs))
    if delivered or score + survivors * _step(True, success, knobs) < knobs.trip:
        if score == breaker.score:
            return breaker
        since = 0.0 if score == 0.0 else started_at if breaker.score == 0.0 else breaker.suspect_since
        return replace(breaker, score=score, suspect_since=since)
    again = breaker.closed_at > 0.0 and now - breaker.closed_at <= knobs.again_s
    return _opened(breaker, min(2 * breaker.open_s, knobs.max_open_s) if again else knobs.open_s, knobs, now)


def merged(mine: Breaker, theirs: Breaker) -> Breaker:
    """The breaker to believe when another replica tells of its own: the one that opened or closed last.

    At the same moment the longer opening wins, so that all replicas agree. Scores on the way to an opening stay with
    the replica that counted them.
    """
    return theirs if _last_change(theirs) > _last_change(mine) else mine


def _step(delivered: bool, success: float, knobs: BreakerKnobs) -> float:
    known = success
    if not knobs.success_min <= known <= knobs.success_max:
        known = min(max(success, knobs.success_min), knobs.success_max)
    if delivered:
        return log(knobs.failing_success / known)
    return log((1.0 - knobs.failing_success) / (1.0 - known))


def _opened(breaker: Breaker, open_s: float, knobs: BreakerKnobs, now: float) -> Breaker:
    return replace(breaker, score=knobs.trip, opened_at=now, open_until=now + open_s, open_s=open_s)


def _last_change(breaker: Breaker) -> tuple[float, float]:
    return max(breaker.opened_at, breaker.closed_at), breaker.open_until
