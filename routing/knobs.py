"""Knobs of the routing mechanisms: one frozen record each, defaults with reasons. Values come from config/policy.toml.

Fields ending in ``_s`` are seconds; fields ending in ``_usd_per_s`` are USD per second. Nothing else carries time, so
that an accelerated run needs nothing but a copy with both kinds scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.spec.request import Resolution

_SIZE_FACTORS: Mapping[Resolution, float] = MappingProxyType(
    {Resolution.R512: 0.8, Resolution.R1K: 1.0, Resolution.R2K: 1.35, Resolution.R4K: 1.9}
)


def _size_factors() -> Mapping[Resolution, float]:
    return _SIZE_FACTORS


@dataclass(frozen=True, slots=True)
class Objective:
    """What a routing policy values: USD of a second, of a failed try, and of a request that ends without an image."""

    value_of_time_usd_per_s: float = 0.001
    """USD the caller's waiting is worth, per second."""
    failed_try_usd: float = 0.0
    """USD added for every expected failed try, beyond its time. Zero but where reliability is bought."""
    failed_request_usd: float = 0.20
    """USD that a request without an image costs its user, beyond ``failed_request_s`` of waiting."""
    failed_request_s: float = 120.0
    """Seconds of waiting that a request without an image counts for."""
    hedge_share: float = 0.05
    """Largest share of requests that may be hedged under this policy, where hedging is on."""

    @property
    def failed_request_total_usd(self) -> float:
        """USD a request without an image costs in all."""
        return self.failed_request_usd + self.failed_request_s * self.value_of_time_usd_per_s


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "cheapest": Objective(value_of_time_usd_per_s=0.0001, hedge_share=0.0),
        "balanced": Objective(value_of_time_usd_per_s=0.001),
        "fastest": Objective(value_of_time_usd_per_s=0.05, hedge_share=0.30),
        "most_reliable": Objective(value_of_time_usd_per_s=0.001, failed_try_usd=1.0),
    }
)
"""The policies every gateway has; config/policy.toml states their numbers and may add more."""


@dataclass(frozen=True, slots=True)
class Priors:
    """What is believed of an offer nobody has tried; a model or offer of the catalog may state its own."""

    seconds: float = field(default=15.0)
    """Median seconds of a success at 1K."""
    success: float = 0.93
    """Probability that a try delivers."""
    failure_s: float = 5.0
    """Mean seconds a failed try takes."""
    size_factors: Mapping[Resolution, float] = field(default_factory=_size_factors)
    """How much longer a tier takes than 1K; one entry for every resolution."""


@dataclass(frozen=True, slots=True)
class StatisticsKnobs:
    """How outcomes become figures. Weights count observations."""

    fast_half_life_s: float = 120.0
    """Of the success rate that notices trouble."""
    fast_pseudo: float = 6.0
    """Pseudo-observations at the slow rate that the fast one starts from."""
    slow_half_life_s: float = 21_600.0
    """Of the success rate that is believed in the long run."""
    slow_pseudo: float = 8.0
    """Pseudo-observations at the prior that the slow rate starts from."""
    latency_half_life_s: float = 240.0
    """Of the latency window: decayed count, sum and sum of squares of the logarithm of seconds."""
    long_run_half_life_s: float = 21_600.0
    """Of the long-run latency, the level a provider is expected to come back to."""
    latency_pseudo: float = 1.0
    """Weight of the prior level in the latency window."""
    sigma_prior: float = 0.40
    """Standard deviation of the logarithm of seconds before anything was measured."""
    sigma_pseudo: float = 4.0
    sigma_min: float = 0.15
    sigma_max: float = 1.0
    sibling_weight: float = 0.15
    """Weight of an observation at another resolution of the same offer, shifted by the size factors."""
    failure_half_life_s: float = 1800.0
    """Of the mean time of failures."""
    failure_pseudo: float = 2.0
    change_drift: float = 0.75
    """Two-sided CUSUM of standardised latencies: what is subtracted at each step."""
    change_threshold: float = 6.0
    """CUSUM level at which the window is cut to its last samples."""
    change_keep: int = 3
    """Samples kept when the level has changed."""
    return_threshold: float = 3.5
    """Log-likelihood ratio of the long-run level against the window's at which the window goes back to it."""
    censor_sigmas: float = 1.2
    """A running try this many sigmas above the median says that the offer has become slow."""
    censor_min_running: int = 3
    censor_share: float = 0.25
    """Share of the running tries that must be late before any of them counts."""
    censor_weight: float = 4.0
    """Largest weight all running tries together have."""
    family_success: float = 0.8
    """Prior probability that another provider of the family delivers when one has just failed."""
    family_pseudo: float = 10.0
    """Observations that prior stands for."""
    unsupported_s: float = 3600.0
    """How long a pair of offer and resolution is left out after the vendor said it cannot do it."""


@dataclass(frozen=True, slots=True)
class BreakerKnobs:
    """When an offer is taken out of service for failing, and how it comes back."""

    failing_success: float = 0.3
    """Success probability of a broken provider, the alternative the CUSUM tests against."""
    trip: float = 8.0
    """CUSUM level at which it opens: three or four failures in a row at a success rate of 92 to 96 %, eight at 77 %."""
    success_min: float = 0.6
    success_max: float = 0.985
    """Bounds of the slow success rate in the CUSUM's steps."""
    open_s: float = 15.0
    """First time it stays open."""
    max_open_s: float = 120.0
    """Each further opening doubles the time up to this."""
    again_s: float = 300.0
    """An opening within this long after the last closing counts as a further one."""
    panic_wait_s: float = 3.0
    """When every offer is out of service, how long a request waits before the least bad one is asked anyway."""


@dataclass(frozen=True, slots=True)
class LimitKnobs:
    """How many requests at once an offer bears, learned from its refusals, and the line before it."""

    refusals: int = 2
    """Refusals within ``refusals_within_s`` at the edge that make a limit."""
    refusals_within_s: float = 20.0
    edge_share: float = 0.9
    """A refusal is at the edge when the concurrency is above this share of the largest that was accepted."""
    accepted_within_s: float = 60.0
    """How far back the largest accepted concurrency is looked for."""
    raise_after_s: float = 2.0
    """Saturation without a refusal after which the limit grows by one."""
    max_raise_after_s: float = 30.0
    """Each refusal doubles that interval up to this."""
    forget_s: float = 60.0
    """A limit nobody has run into for so long is forgotten."""
    test_wait_s: float = 3.0
    """Waiting in line after which one request tests the limit."""
    max_test_wait_s: float = 60.0
    """Refused tests double the time between tests up to this."""
    accepted_after_s: float = 3.0
    """A try that runs for so long was accepted: refusals come at once."""
    max_wait_s: float = 120.0
    """The longest a request waits for any offer to be free before it is told that none is."""
    max_waiting: int = 1000
    """Requests in line at once; one more is told at once that no provider is free. It bounds memory."""


@dataclass(frozen=True, slots=True)
class ExplorationKnobs:
    """Real requests sent to offers that are not the best by what is known, to see whether they have become it."""

    share: float = 0.06
    """Largest share of requests."""
    burst: float = 3.0
    """Requests that may be saved up."""
    likely_s: float = 30.0
    """Interval for an offer that would be the best by its long-run figures."""
    hopeful_s: float = 300.0
    """Interval for an offer that would be the best if it were ``hope`` times as fast."""
    hope: float = 4.0
    lease_s: float = 60.0
    """How long one replica alone may probe an offer."""


@dataclass(frozen=True, slots=True)
class HedgeKnobs:
    """When a second provider is asked while the first is still at work. Off unless opted in: it pays twice."""

    enabled: bool = False
    """Whether requests are hedged that do not say so themselves."""
    first_look_sigmas: float = 0.8
    """Where the first look is taken: this many sigmas above the median."""
    look_s: float = 1.0
    """Interval between looks after the first."""
    margin: float = 1.2
    """The gain must be above this many times the expected second payment."""
    burst: float = 3.0
    """Hedges that may be saved up while none are needed."""
    load_share: float = 0.7
    """No hedge to an offer that is used above this share of its limit."""
