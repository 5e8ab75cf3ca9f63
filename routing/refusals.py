"""Refusals: what follows when a provider refuses the content of a request. By the operator's policy."""

from __future__ import annotations

from collections.abc import Sequence

from providers.spec.errors import FAULT_TABLE, Elsewhere, Fault
from routing.attempt import Attempt
from routing.route_plan import RoutePlan

TOUCHY = 2.0
"""A provider that refuses this many times as often as the others do is not the last word under ``second_opinion``."""
LEAST_SHARE = 0.01
"""Refusals below this share of tries say nothing about a provider."""


def refused(attempts: Sequence[Attempt]) -> int:
    """How many providers refused the content."""
    return sum(attempt.fault is Fault.CONTENT_REFUSED for attempt in attempts)


def final(plan: RoutePlan, attempts: Sequence[Attempt]) -> bool:
    """Whether the fault of any attempt allows no further one; with hedges it need not be the last. Without attempts
    nothing is final.

    A refusal is final under ``stop``. Under ``second_opinion`` one other provider is asked when the one that refused
    does so far more often than the others do; under ``ladder`` all are asked.
    """
    faults = [attempt.fault for attempt in attempts if attempt.fault is not None]
    if any(FAULT_TABLE[fault].elsewhere is Elsewhere.NO and fault is not Fault.ABANDONED for fault in faults):
        return True
    if bool(attempts) and attempts[-1].fault is Fault.ABANDONED:
        return True
    who = [attempt.offer.key for attempt in attempts if attempt.fault is Fault.CONTENT_REFUSED]
    how = plan.policy.refusal_policy
    if not who or how == "ladder":
        return False
    return how == "stop" or len(who) > 1 or not _touchy(plan, who[0])


def _touchy(plan: RoutePlan, offer: str) -> bool:
    shares = {key: health.estimate.refusal_share for key, health in plan.healths.items() if health.estimate is not None}
    own = shares.pop(offer, 0.0)
    if not shares:
        return False
    return own >= LEAST_SHARE and own > TOUCHY * sum(shares.values()) / len(shares)
