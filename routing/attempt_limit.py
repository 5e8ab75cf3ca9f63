"""Attempt limit: how long one try is waited for before silence counts as a failure."""

from __future__ import annotations

from math import exp

from providers.spec.request import Resolution
from routing.policy import Policy
from routing.stats.estimate import Estimate

SLOWER_AT_MOST = 2.0
"""The limit follows a slower provider up to this factor over its long-run median: beyond it, silence is a fault."""


def ceiling_s(resolution: Resolution | None, policy: Policy) -> float:
    """The longest any try may last. A model without tiers is given the longest: nothing says it is quick."""
    limits = policy.attempt_limit_s
    if resolution is not None and resolution in limits:
        return limits[resolution]
    return max(limits.values())


def attempt_limit_s(
    estimate: Estimate | None, resolution: Resolution | None, policy: Policy, *, probe: bool = False
) -> float:
    """Seconds one try may last, the request's deadline aside.

    A log-normal latency ends almost surely within a few standard deviations above its median; what is silent for
    longer hangs. A probe is held to the long-run level: it looks whether the offer is back at that.
    """
    ceiling = ceiling_s(resolution, policy)
    if estimate is None:
        return ceiling
    long_run = estimate.long_run_median_s
    median = long_run if probe else min(estimate.median_s, long_run * SLOWER_AT_MOST)
    return min(max(median * exp(policy.sigmas * estimate.sigma), policy.min_attempt_limit_s), ceiling)
