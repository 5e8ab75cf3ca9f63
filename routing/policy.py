"""Policy: the routing knobs, each with its unit and the reason for its default. Values come from config/policy.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from providers.spec.request import Resolution
from routing.knobs import (
    OBJECTIVES,
    BreakerKnobs,
    ExplorationKnobs,
    HedgeKnobs,
    LimitKnobs,
    Objective,
    Priors,
    StatisticsKnobs,
)

RefusalPolicy = Literal["stop", "second_opinion", "ladder"]

_ATTEMPT_LIMIT_S: Mapping[Resolution, float] = MappingProxyType(
    {Resolution.R512: 75.0, Resolution.R1K: 90.0, Resolution.R2K: 120.0, Resolution.R4K: 150.0}
)
_NO_NUMBERS: Mapping[str, float] = MappingProxyType({})
_NO_CAPS: Mapping[str, int] = MappingProxyType({})
_FAMILIES: Mapping[str, str] = MappingProxyType({"gemini": "google", "vertex": "google"})


def _attempt_limits() -> Mapping[Resolution, float]:
    return _ATTEMPT_LIMIT_S


@dataclass(frozen=True, slots=True)
class Policy:
    """What routing is told to value. Seconds, counts, and one choice; all seconds are above zero."""

    request_deadline_s: float = 300.0
    """From the request's arrival to the last moment an answer may leave, when the caller names no ``timeout``.
    Long enough for two tries that both hang; shorter than the ten minutes the OpenAI clients wait."""
    max_timeout_s: float = 600.0
    """The largest ``timeout`` a caller may ask for; the OpenAI clients give up after 600 s on their own."""
    attempt_limit_s: Mapping[Resolution, float] = field(default_factory=_attempt_limits)
    """Longest one try may take, by resolution, inside the deadline. One entry for every resolution. Around three
    standard deviations of the logarithm of the slowest vendor's reported latency (p50 30 s, p95 59 s at 1K): what is
    silent for longer hangs. The largest fits into the default deadline twice."""
    max_attempts: int = 6
    """Tries per request, all offers together. At least 1. Above the number of providers, so that today every offer is
    tried once; it bounds the work of one request when a model has many offers."""
    max_possible_payments: int = 2
    """Tries per request that a vendor may bill (spend possible or charged). At least 1. After this many no further
    try is made, so that one answer never costs more than this many images."""
    refusal_policy: RefusalPolicy = "stop"
    """What follows a content refusal. ``stop``: the caller is told; no other provider is asked to overrule it."""
    first_block_s: float = 0.25
    """How long an offer is left alone after a first rate limit without a stated wait; each further one without a
    success in between doubles it. A slot may be free again at once, so the first block is short."""
    default_block_s: float = 5.0
    """The longest an offer is left alone for rate limits without a stated wait."""
    max_block_s: float = 120.0
    """Longest an offer is left alone on a vendor's word; a daily quota is asked about again after this."""
    out_probe_s: float = 600.0
    """How long an offer with refused credentials or an empty account is out before one request probes it."""
    out_long_s: float = 3600.0
    """The same for a model the vendor no longer has: names come back only by a change of configuration."""
    default_retry_after_s: float = 5.0
    """Retry-After answered to the caller when no provider stated a wait."""
    max_retry_after_s: float = 60.0
    """Retry-After is never above this, nor above 60: several releases of the OpenAI clients disregard longer waits and
    retry after a fraction of a second instead."""
    submit_grace_s: float = 5.0
    """How long a submit in flight may still finish after its conversation was abandoned, so that its job can be
    cancelled."""
    cancel_limit_s: float = 5.0
    """How long a cancel call may take, beside the request and not within its deadline."""
    max_tries_per_offer: int = 2
    """Tries one offer gets in a request: first every offer once, then those again whose failure may have passed."""
    again_after_s: float = 1.0
    """How long an offer rests before the same request tries it again."""
    sigmas: float = 3.0
    """Where a silent try is given up: this many standard deviations of the logarithm above the median."""
    min_attempt_limit_s: float = 15.0
    """A try is never given up earlier than this, whatever was measured."""
    sharing_interval_s: float = 0.5
    """How often replicas tell each other what they have seen. Half a second keeps a trip seen by all within two."""
    default_policy: str = "balanced"
    """The objective of requests that name none; a key of ``objectives``."""
    objectives: Mapping[str, Objective] = field(default_factory=lambda: OBJECTIVES)
    priors: Priors = field(default_factory=Priors)
    statistics: StatisticsKnobs = field(default_factory=StatisticsKnobs)
    breaker: BreakerKnobs = field(default_factory=BreakerKnobs)
    limits: LimitKnobs = field(default_factory=LimitKnobs)
    exploration: ExplorationKnobs = field(default_factory=ExplorationKnobs)
    hedging: HedgeKnobs = field(default_factory=HedgeKnobs)
    forbidden_providers: frozenset[str] = frozenset()
    """Providers no request is sent to, whoever asks."""
    weights: Mapping[str, float] = field(default_factory=lambda: _NO_NUMBERS)
    """By provider: what its index is divided by. Above 1 it is preferred to its figures, below 1 it is not."""
    caps: Mapping[str, int] = field(default_factory=lambda: _NO_CAPS)
    """By provider: requests at once, all replicas together. A provider without an entry has none."""
    families: Mapping[str, str] = field(default_factory=lambda: _FAMILIES)
    """By provider: the name of the backend it shares with others, whose failures come together."""
