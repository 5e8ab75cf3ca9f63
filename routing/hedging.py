"""Hedging: whether a second provider is worth asking while the first is still at work. By value, never by a quantile.

Asking a second one buys time and safety with the price of a second image. Both are put into USD; the gain must beat the
second payment by a margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, erfc, exp, log, sqrt

from routing.knobs import HedgeKnobs, Objective
from routing.objective import Option, share_within

_SQRT2 = sqrt(2.0)
HANGING = 0.15
"""Share of failures that are taken to be silent until they are given up; assumed. What is silent long after nearly
every success has come is probably one of these."""
_NORMAL_POINTS = (-1.5341, -0.8871, -0.4888, -0.1573, 0.1573, 0.4888, 0.8871, 1.5341)
"""Midpoints of eight equally likely parts of the standard normal distribution."""


def first_look_s(running: Option, knobs: HedgeKnobs) -> float:
    """Age in seconds at which a running try is first looked at."""
    return running.median_s * exp(knobs.first_look_sigmas * running.sigma)


def delivers_yet(running: Option, age_s: float) -> float:
    """Probability that a try still silent at this age will deliver.

    Most failures are taken to end exponentially, at their mean; some are taken to hang.
    """
    late = 0.5 * erfc((log(max(age_s, 1e-3)) - log(running.median_s)) / (running.sigma * _SQRT2))
    silent = (1.0 - HANGING) * exp(-age_s / max(running.failure_s, 1e-3)) + HANGING
    failing = (1.0 - running.success) * silent
    alive = running.success * late
    return alive / (alive + failing) if alive + failing > 0 else 0.0


def worth_hedging(
    running: Option,
    second: Option,
    objective: Objective,
    knobs: HedgeKnobs,
    *,
    age_s: float,
    limit_s: float,
    remaining_s: float,
) -> bool:
    """Whether asking ``second`` now is worth its money.

    ``age_s`` is how long the running try has been silent, ``limit_s`` when it is given up, ``remaining_s`` the time to
    the deadline. Without a hedge the second is asked when the first has failed.
    """
    first_delivers = delivers_yet(running, age_s)
    left_s = max(limit_s - age_s, 0.0)
    rest = _rest_quantiles(running, age_s, left_s)
    other = [second.median_s * exp(point * second.sigma) for point in _NORMAL_POINTS]
    mean_rest, mean_other = sum(rest) / len(rest), sum(other) / len(other)
    ending = (1.0 - HANGING) * exp(-age_s / max(running.failure_s, 1e-3))
    hangs = HANGING / (HANGING + ending)
    failing_s = hangs * left_s + (1.0 - hangs) * min(running.failure_s, left_s)
    alone = first_delivers * mean_rest + (1.0 - first_delivers) * (failing_s + mean_other)
    first_of_both = sum(min(one, two) for one in rest for two in other) / (len(rest) * len(other))
    together = (
        first_delivers * (second.success * first_of_both + (1.0 - second.success) * mean_rest)
        + (1.0 - first_delivers) * (second.success * mean_other + (1.0 - second.success) * max(failing_s, mean_other))
    )  # fmt: skip
    in_time_later = share_within(second, remaining_s - failing_s) * second.success
    in_time_now = share_within(second, remaining_s) * second.success
    safer = (1.0 - first_delivers) * max(in_time_now - in_time_later, 0.0)
    gain = objective.value_of_time_usd_per_s * (alone - together) + objective.failed_request_total_usd * safer
    return gain > knobs.margin * second.price * first_delivers * second.success


def _rest_quantiles(running: Option, age_s: float, left_s: float) -> Sequence[float]:
    """Eight equally likely lengths of the time a delivering try still takes, none beyond its limit."""
    scale = running.sigma * _SQRT2
    passed = 0.5 * (1.0 + erf((log(max(age_s, 1e-3)) - log(running.median_s)) / scale))
    rests = []
    for place in range(8):
        share = min(passed + (1.0 - passed) * (place + 0.5) / 8, 0.9999)
        rests.append(min(max(running.median_s * exp(running.sigma * _normal_quantile(share)) - age_s, 0.0), left_s))
    return rests


def _normal_quantile(share: float) -> float:
    """The standard normal quantile, by bisection: sixteen halvings of [-4, 4] are exact to a ten-thousandth."""
    low, high = -4.0, 4.0
    for _ in range(16):
        middle = (low + high) / 2
        if 0.5 * (1.0 + erf(middle / _SQRT2)) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2
