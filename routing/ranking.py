"""Ranking: capable offers with their figures in the order of the objective, and the one that is worth exploring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, inf

from providers.spec.request import Resolution
from providers.spec.unguarded import unguarded
from routing.attempt_limit import attempt_limit_s
from routing.health import Health, HealthState
from routing.knobs import Objective, Priors
from routing.objective import ENUMERATED, Option, best_order, index_of
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import Quote
from routing.reasons import Before
from routing.stats.estimate import Estimate
from routing.wishes import RouteWishes

_TRIAL_SIGMAS = 2.0
"""A trial is given time for this many sigmas above the long-run median: 98 % of successes end within."""
_NORMAL_QUANTILES = ((0.5, 0.0), (0.75, 0.6745), (0.9, 1.2816), (0.95, 1.6449), (0.99, 2.3263))
"""Quantiles of the standard normal distribution."""
_HALF_OPEN = HealthState.HALF_OPEN
"""By its own name, for every plan asks several times: on its enum Python 3.11 is some twenty times as long in finding
it."""


@unguarded
@dataclass(frozen=True, slots=True)
class Entry:
    """A capable offer with its price and its state."""

    offer: Offer
    quote: Quote
    health: Health
    state: HealthState
    estimate: Estimate
    option: Option

    def long_run(self, *, faster: float = 1.0) -> Option:
        """The offer at its long-run level, or so many times as fast."""
        known, estimate = self.option, self.estimate
        return Option(
            price=known.price,
            success=estimate.long_run_success,
            median_s=estimate.long_run_median_s / faster,
            sigma=known.sigma,
            failure_s=known.failure_s,
            weight=known.weight,
        )


@unguarded
@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry with what it was ranked by."""

    entry: Entry
    index: float


def priors_of(offer: Offer, policy: Policy) -> Priors:
    """What is believed of the offer before it was tried: its own figures where the catalog states some."""
    seconds, success = offer.expected_seconds, offer.expected_success
    if seconds is None and success is None:
        return policy.priors
    return replace(
        policy.priors,
        seconds=policy.priors.seconds if seconds is None else seconds,
        success=policy.priors.success if success is None else success,
    )


def prior_estimate(offer: Offer, resolution: Resolution | None, policy: Policy) -> Estimate:
    """The figures of an offer nobody keeps statistics of."""
    priors = priors_of(offer, policy)
    median = priors.seconds * (priors.size_factors.get(resolution, 1.0) if resolution is not None else 1.0)
    return Estimate(
        success=priors.success,
        success_low=0.0,
        success_high=1.0,
        long_run_success=priors.success,
        median_s=median,
        sigma=policy.statistics.sigma_prior,
        long_run_median_s=median,
        failure_s=priors.failure_s,
    )


def entry_of(
    offer: Offer, quote: Quote, health: Health, resolution: Resolution | None, policy: Policy, *, now: float
) -> Entry:
    """A capable offer made ready for ranking."""
    estimate = health.estimate or prior_estimate(offer, resolution, policy)
    state = health.state(now=now)
    on_trial = state is _HALF_OPEN
    option = Option(
        price=quote.price,
        success=estimate.long_run_success if on_trial else estimate.success,
        median_s=estimate.long_run_median_s if on_trial else estimate.median_s,
        sigma=estimate.sigma,
        failure_s=estimate.failure_s,
        weight=policy.weights.get(offer.provider, 1.0),
    )
    return Entry(offer, quote, health, state, estimate, option)


def after_failure(entry: Entry, failed: str, kin: Mapping[tuple[str, str], float]) -> Entry:
    """The entry once another provider has just failed: those who share a backend fail together."""
    factor = kin.get((failed, entry.offer.provider), 1.0)
    if factor == 1.0:
        return entry
    return replace(entry, option=replace(entry.option, success=entry.option.success * factor))


def ranked(
    entries: Sequence[Entry], objective: Objective, wishes: RouteWishes, *, tries: int, remaining_s: float
) -> list[Ranked]:
    """The entries in the order in which to try them.

    By the objective; what the caller says about order and latency goes before it. Equal indices keep the order of the
    configuration.
    """
    if len(entries) == 1:
        only = entries[0]
        return [Ranked(only, index_of(only.option, objective))]
    inplace = sorted(entries, key=lambda entry: entry.offer.position)
    options = [entry.option for entry in inplace]
    indices = [index_of(option, objective) for option in options]
    order = best_order(options, objective, tries=tries, remaining_s=remaining_s, indices=indices)
    placed = [Ranked(inplace[place], indices[place]) for place in order]
    if _HALF_OPEN in [entry.state for entry in entries]:
        # A trial that the deadline cuts short proves nothing, and costs the caller the time that was left.
        placed.sort(key=lambda each: _too_slow_a_trial(each.entry, remaining_s))
    if wishes.preferred_max_latency:
        placed.sort(key=lambda each: not _quick_enough(each.entry.estimate, wishes))
    if wishes.order:
        placed.sort(key=lambda each: _place_in(wishes.order, each.entry))
    return placed


def why_before(earlier: Ranked, later: Ranked, wishes: RouteWishes, *, remaining_s: float) -> Before:
    """What put one of two entries, in the order ``ranked`` gave them, before the other.

    Its index where that is the lower one: then whatever else speaks for it changes nothing.
    """
    if earlier.index < later.index:
        return Before.INDEX
    first, second = earlier.entry, later.entry
    if wishes.order and _place_in(wishes.order, first) < _place_in(wishes.order, second):
        return Before.ORDER
    if _quick_enough(first.estimate, wishes) and not _quick_enough(second.estimate, wishes):
        return Before.LATENCY
    if _too_slow_a_trial(second, remaining_s) and not _too_slow_a_trial(first, remaining_s):
        return Before.TRIAL
    if earlier.index == later.index and first.offer.position <= second.offer.position:
        return Before.CONFIGURATION
    return Before.SHORT


def worth_exploring(
    placed: Sequence[Ranked],
    objective: Objective,
    wishes: RouteWishes,
    policy: Policy,
    resolution: Resolution | None,
    *,
    remaining_s: float,
) -> Ranked | None:
    """The entry that this request should look at, because it may be the best by now; None when there is none.

    An offer whose long-run figures beat the best, or would if it had become much faster, is worth a real request once
    in a while; only one whose deadline leaves time for the best offer after the probe has run into its limit, and never
    one of a caller who has said whom to ask first or how long it may take. What is returned keeps its own index: the
    one it is chosen by is that of better figures than it has.
    """
    if len(placed) < 2 or wishes.order or wishes.preferred_max_latency or not wishes.allow_fallbacks:
        return None
    due = [
        each
        for each in placed[1:]
        if (each.entry.health.likely_due or each.entry.health.hopeful_due) and each.entry.state is HealthState.SERVING
    ]
    if not due:
        return None
    reserve = placed[0].entry.estimate.quantile_s(2.0)
    # The first by cost need not be the first by index where tries or time are short; being passed over is no news.
    lowest = min(each.index for each in placed)
    found: Ranked | None = None
    hoped = inf
    for each in due:
        entry = each.entry
        health = entry.health
        if entry.option.price >= lowest * entry.option.weight:
            continue  # too dear to be the best even if it took no time and never failed
        index = index_of(entry.long_run(), objective) if health.likely_due else inf
        if index >= lowest and health.hopeful_due:
            index = index_of(entry.long_run(faster=policy.exploration.hope), objective)
        if index >= lowest or index >= hoped:
            continue
        if attempt_limit_s(entry.estimate, resolution, policy, probe=True) + reserve <= remaining_s:
            found, hoped = each, index
    return found


def _place_in(order: Sequence[str], entry: Entry) -> int:
    """Where the caller's order names the entry's provider; behind all that it names when it does not."""
    provider = entry.offer.provider
    return order.index(provider) if provider in order else len(order)


def _too_slow_a_trial(entry: Entry, remaining_s: float) -> bool:
    estimate = entry.estimate
    longest_s = estimate.long_run_median_s * exp(_TRIAL_SIGMAS * estimate.sigma)
    return entry.state is _HALF_OPEN and longest_s > remaining_s


def _quick_enough(estimate: Estimate, wishes: RouteWishes) -> bool:
    return all(
        estimate.quantile_s(_sigmas_at(quantile)) <= seconds for quantile, seconds in wishes.preferred_max_latency
    )


def _sigmas_at(quantile: float) -> float:
    return min(_NORMAL_QUANTILES, key=lambda known: abs(known[0] - quantile))[1]


__all__ = [
    "ENUMERATED", "Entry", "Ranked", "after_failure", "entry_of", "prior_estimate", "priors_of", "ranked",
    "why_before", "worth_exploring",
]  # fmt: skip
