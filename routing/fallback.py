"""Fallback: what to do next, given the plan and the attempts made so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from providers.spec.errors import FAULT_TABLE, Elsewhere, Fault, Spend
from providers.spec.request import Resolution
from routing.attempt import Attempt
from routing.plan import Candidate, RoutePlan
from routing.policy import Policy

SHORTEST_TRY_S = 0.05
"""With less time than this left no try is begun: it could not even open a connection, but might be billed."""


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
    """Every candidate was tried; also when there was none."""


@dataclass(frozen=True, slots=True)
class Try:
    """Try this candidate now, for at most ``limit_s`` seconds."""

    candidate: Candidate
    limit_s: float
    ends_at_deadline: bool
    """The limit is the request's deadline and not the try's own: running into it says nothing about the provider."""


@dataclass(frozen=True, slots=True)
class Hedge:
    """Try this candidate beside those still running. Not decided yet; named so that the gateway's loop knows it."""

    candidate: Candidate
    limit_s: float
    ends_at_deadline: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until a moment (unix seconds), then ask again. Not decided yet; named like Hedge."""

    until: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Make no further try."""

    because: Ending

    @property
    def deadline(self) -> bool:
        """The request's time was over."""
        return self.because is Ending.DEADLINE


NextStep = Try | Hedge | Wait | GiveUp


def next_step(
    plan: RoutePlan,
    attempts: Sequence[Attempt],
    *,
    now: float,
    draw: float,  # noqa: ARG001 - no choice is random yet; hedging will need it and callers already hand it in
) -> NextStep:
    """What follows these attempts, which are all over. ``now`` is unix seconds, ``draw`` a random number in [0, 1).

    Each candidate is tried once, in the plan's order, as long as the last fault, the payments, the number of tries
    and the deadline allow. A wait that a vendor stated is kept, because nobody is asked twice. Raises nothing.
    """
    policy = plan.policy
    remaining = plan.deadline_at - now
    ending = _ending(plan, attempts, now)
    if ending is not None:
        return GiveUp(ending)
    tried = {attempt.offer.key for attempt in attempts}
    candidate = next((each for each in plan.candidates if each.offer.key not in tried), None)
    if candidate is None:
        return GiveUp(Ending.EXHAUSTED)
    own_limit = _attempt_limit(plan.resolution, policy)
    return Try(candidate, limit_s=min(own_limit, remaining), ends_at_deadline=remaining <= own_limit)


def final(fault: Fault, policy: Policy) -> bool:
    """Whether this fault allows no try at another offer."""
    elsewhere = FAULT_TABLE[fault].elsewhere
    return elsewhere is Elsewhere.NO or (elsewhere is Elsewhere.BY_POLICY and policy.refusal_policy == "stop")


def deadline_reached(plan: RoutePlan, attempts: Sequence[Attempt], *, now: float) -> bool:
    """Whether the request's time is over: too little is left to begin a try, or the last one was cut short by it."""
    return plan.deadline_at - now < SHORTEST_TRY_S or (bool(attempts) and attempts[-1].deadline_hit)


def payments(attempts: Sequence[Attempt]) -> int:
    """How many of these attempts a vendor bills or may bill."""
    return sum(attempt.spend is not Spend.NONE for attempt in attempts)


def _ending(plan: RoutePlan, attempts: Sequence[Attempt], now: float) -> Ending | None:
    policy = plan.policy
    if attempts:
        fault = attempts[-1].fault
        if fault is None:
            return Ending.DELIVERED
        if final(fault, policy):
            return Ending.FINAL_FAULT
    if deadline_reached(plan, attempts, now=now):
        return Ending.DEADLINE
    if payments(attempts) >= policy.max_possible_payments:
        return Ending.PAYMENTS
    if len(attempts) >= policy.max_attempts:
        return Ending.ATTEMPTS
    return None


def _attempt_limit(resolution: Resolution | None, policy: Policy) -> float:
    """Seconds one try may last. A model without tiers is given the longest: nothing says it is quick."""
    longest = max(policy.attempt_limit_s.values())
    return longest if resolution is None else policy.attempt_limit_s.get(resolution, longest)
