"""The objective: USD, seconds and failures in one currency, and the order of tries that minimises what is expected.

Tries are made one after the other until one delivers. With price c, probability p of delivering, mean seconds T of a
success and F of a failure, and v USD per second, one try costs a = p (c + v T) + (1 - p) (v F + f) on average, f being
what a failed try costs beyond its time. Trying in the order of rising a / p is optimal: swapping two neighbours i, j
changes the total by a positive multiple of a_i / p_i - a_j / p_j, so every order that is not sorted can be improved.
A failure is normally not charged, so a / p holds the price once: c + v T + (1 - p) / p (v F + f).

The argument needs as many tries and as much time as there are offers. Where either is short, orders are compared
outright, over the first few offers of the sorted order. Indices are scores, not amounts: nobody is charged one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, exp, inf, log, sqrt

from providers.spec.unguarded import unguarded
from routing.knobs import Objective

ENUMERATED = 5
"""Offers whose orders are compared outright: 5 have 120 orders, which takes about a tenth of a millisecond."""
LOWEST_SUCCESS = 0.01
"""Success below this is taken for this: nothing is known so well, and an index must be finite."""
_SURE_SIGMAS = 2.6
"""A try that has time for this many sigmas above its median finishes in 99.5 % of cases."""
_SQRT2 = sqrt(2.0)


@unguarded
@dataclass(frozen=True, slots=True)
class Option:
    """An offer as the objective sees it."""

    price: float
    """USD of a delivered request."""
    success: float
    median_s: float
    sigma: float
    failure_s: float
    weight: float = 1.0
    """What its index is divided by; the operator's preference."""

    @property
    def mean_s(self) -> float:
        """Expected seconds of a success."""
        return self.median_s * exp(self.sigma * self.sigma / 2)


def index_of(option: Option, objective: Objective) -> float:
    """The ratio a / p of one offer, in USD; the lower the earlier it is tried."""
    success = option.success
    if success < LOWEST_SUCCESS:
        success = LOWEST_SUCCESS
    odds = (1.0 - success) / success
    value = objective.value_of_time_usd_per_s
    waiting = value * (option.mean_s + odds * option.failure_s)
    return (option.price + waiting + odds * objective.failed_try_usd) / option.weight


def share_within(option: Option, seconds: float) -> float:
    """Probability that a success of this offer takes no longer than ``seconds``."""
    if seconds <= 0:
        return 0.0
    if seconds == inf:
        return 1.0
    return 0.5 * (1.0 + erf((log(seconds) - log(option.median_s)) / (option.sigma * _SQRT2)))


def mean_within(option: Option, seconds: float, share: float) -> float:
    """Expected seconds of a success that takes no longer than ``seconds``, which ``share`` of them do."""
    if share >= 0.9999:
        return option.mean_s
    if share <= 1e-9:
        return seconds
    above = (log(seconds) - log(option.median_s) - option.sigma**2) / (option.sigma * _SQRT2)
    return option.mean_s * 0.5 * (1.0 + erf(above)) / share


def expected_cost(order: Sequence[Option], objective: Objective, *, tries: int, remaining_s: float = inf) -> float:
    """Expected USD of trying these offers in this order until one delivers, the tries or the time are used up.

    ``remaining_s`` is the time to the request's deadline; failed tries are taken to last their mean. A try that the
    deadline cuts short may be billed although nobody receives its image. What a try costs is divided by the offer's
    weight, as its index is.
    """
    total, still, used = 0.0, 1.0, 0.0
    for option in order[:tries]:
        left = remaining_s - used
        if left <= 0:
            break
        cost, fails = _try(option, objective, left)
        total += still * cost
        still *= fails
        used += option.failure_s
    return total + still * objective.failed_request_total_usd


def best_order(
    options: Sequence[Option],
    objective: Objective,
    *,
    tries: int,
    remaining_s: float = inf,
    indices: Sequence[float] | None = None,
) -> tuple[int, ...]:
    """The places of ``options`` in the order in which to try them.

    By rising index; equal indices keep their places. Where ``tries`` or ``remaining_s`` are short, the first
    ENUMERATED of that order are put into the order that is best outright. ``indices``: what ``index_of`` says of each,
    for whoever has asked already. Raises nothing.
    """
    if indices is None:
        indices = [index_of(option, objective) for option in options]
    by_index = sorted(range(len(options)), key=indices.__getitem__)
    if len(by_index) < 2:
        return tuple(by_index)
    inplace = [options[place] for place in by_index]
    if not _short(inplace, tries, remaining_s):
        return tuple(by_index)
    return (*(by_index[place] for place in _best_head(inplace, objective, tries, remaining_s)), *by_index[ENUMERATED:])


def _try(option: Option, objective: Objective, left: float) -> tuple[float, float]:
    """Expected USD of one try with ``left`` seconds to the deadline, and the probability that it fails.

    A success that would come after the deadline ends the request without an image, and is part of the cost.
    """
    value = objective.value_of_time_usd_per_s
    success = max(option.success, LOWEST_SUCCESS)
    cost = (1.0 - success) * (value * min(option.failure_s, left) + objective.failed_try_usd)
    if left == inf:
        return (cost + success * (option.price + value * option.mean_s)) / option.weight, 1.0 - success
    share = share_within(option, left)
    cost += success * share * (option.price + value * mean_within(option, left, share))
    cut = success * (1.0 - share)
    cost += cut * (option.price + value * left)
    return cost / option.weight + cut * objective.failed_request_total_usd, 1.0 - success


def _best_head(inplace: Sequence[Option], objective: Objective, tries: int, remaining_s: float) -> Sequence[int]:
    """The places of the first ENUMERATED in the order that costs least, those behind them following as they are.

    What is still to come depends on which offers have failed and not on their order: their failures' times and
    probabilities are the same sums and products. So the best continuation is worked out once per set of failed offers,
    32 for five, which stands for comparing all 120 orders.
    """
    count = min(len(inplace), ENUMERATED)
    everybody = (1 << count) - 1
    used = [0.0] * (everybody + 1)
    for failed in range(1, everybody + 1):
        last = failed & -failed
        used[failed] = used[failed ^ last] + inplace[last.bit_length() - 1].failure_s
    cost = [objective.failed_request_total_usd] * (everybody + 1)
    following = [0] * (everybody + 1)
    for failed in range(everybody, -1, -1):
        made = failed.bit_count()
        left = remaining_s - used[failed]
        waiting = [place for place in range(count) if not failed >> place & 1]
        if made >= tries or left <= 0:
            following[failed] = waiting[0] if waiting else 0
        elif not waiting:
            cost[failed] = expected_cost(inplace[count:], objective, tries=tries - made, remaining_s=left)
        else:
            least = inf
            for place in waiting:
                own, fails = _try(inplace[place], objective, left)
                total = own + fails * cost[failed | 1 << place]
                if total < least:
                    least, following[failed] = total, place
            cost[failed] = least
    order, failed = [], 0
    while failed != everybody:
        order.append(following[failed])
        failed |= 1 << following[failed]
    return order


def _short(order: Sequence[Option], tries: int, remaining_s: float) -> bool:
    """Whether the tries or the time may not do for going through all of them."""
    if tries < len(order):
        return True
    if remaining_s == inf:
        return False
    used = 0.0
    for option in order:
        if used + option.median_s * exp(_SURE_SIGMAS * option.sigma) > remaining_s:
            return True
        used += option.failure_s
    return False
