"""Waiting: what a request does that nobody may be asked for just now: stand in line, wait for a moment, or give up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from routing.health import HealthState
from routing.objective import share_within
from routing.policy import Policy
from routing.ranking import Entry
from routing.steps import Ending, GiveUp, Wait, Waiting

LOOKS_PER_TEST = 3
"""How often a request in line looks for itself, beside being woken, in the time after which it may test a limit."""
KEPT_SHARE = 0.95
"""Whoever has stood in line begins a try only while so much of the chance to end in time is left that it came with.
Those who have waited longest are nearly out of time, and a try that is cut off serves nobody and may be billed."""


@dataclass(frozen=True, slots=True)
class Chance:
    """An offer that may still be tried for this request."""

    entry: Entry
    tries: int
    ready_at: float
    """Unix seconds; infinite while nobody can tell, as before an offer that is full."""


def in_time(pool: Sequence[Chance], *, remaining_s: float, whole_s: float) -> list[Chance]:
    """Those of the pool that will deliver within ``remaining_s`` nearly as surely as within the whole time given."""
    return [
        each
        for each in pool
        if share_within(each.entry.option, remaining_s) >= KEPT_SHARE * share_within(each.entry.option, whole_s)
    ]


def broken(pool: Sequence[Chance]) -> list[Entry]:
    """The offers of the pool that kept failing, where all that could be waited for are of that kind: nobody is full."""
    if any(each.entry.state is HealthState.FULL for each in pool):
        return []
    return [each.entry for each in pool if each.entry.state is HealthState.OPEN]


def wait_for(pool: Sequence[Chance], policy: Policy, *, now: float, since: float, deadline_at: float) -> Wait | GiveUp:
    """Wait for whoever of the pool may be next, at most until the policy's patience or the request's time ends.

    ``since`` is when the request began to wait. A wait that cannot end in time is not begun.
    """
    patience_ends = min(since + policy.limits.max_wait_s, deadline_at)
    if now >= patience_ends:
        return GiveUp(Ending.WAITED)
    earliest = min(each.ready_at for each in pool)
    full = [each.entry.offer.key for each in pool if each.entry.state is HealthState.FULL]
    open_ones = [each.entry.offer.key for each in pool if each.entry.state is HealthState.OPEN]
    if open_ones and not full:
        earliest = min(earliest, since + policy.breaker.panic_wait_s)
    if full:
        # A place may fall free at any moment.
        earliest = min(earliest, now + policy.limits.test_wait_s / LOOKS_PER_TEST, patience_ends)
    elif earliest >= patience_ends:
        return GiveUp(Ending.WAITED)
    return Wait(earliest, _what_for(pool, full, open_ones), frozenset((*full, *open_ones)))


def _what_for(pool: Sequence[Chance], full: Sequence[str], open_ones: Sequence[str]) -> Waiting:
    if full:
        return Waiting.ROOM
    if open_ones:
        return Waiting.BREAKER
    if any(each.entry.state is HealthState.BLOCKED for each in pool):
        return Waiting.BLOCK
    return Waiting.REST
