"""Health: what recent attempts say about an offer, and how one more attempt changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from providers.spec.errors import FAULT_TABLE, Fault, HealthEffect
from routing.attempt import Attempt
from routing.breaker import Breaker, BreakerState
from routing.policy import Policy
from routing.stats.estimate import Estimate


class HealthState(StrEnum):
    """Whether an offer may be tried at a given moment."""

    SERVING = "serving"
    BLOCKED = "blocked"
    """The vendor asked to be left alone for a while."""
    OUT = "out"
    """It cannot serve anybody until an operator acts: credentials, funds, or a model that is gone."""
    PROBE_DUE = "probe_due"
    """Out for so long that one request may look whether it is back."""
    OPEN = "open"
    """Its breaker is open: it kept failing."""
    HALF_OPEN = "half_open"
    """Its breaker was open for long enough: one request at a time looks whether it is back."""
    FULL = "full"
    """It bears no more requests at once, or others wait for it already."""


CLOSED = Breaker()


@dataclass(frozen=True, slots=True)
class Health:
    """What is known about one offer. Times are unix seconds; the defaults are an offer nobody has tried.

    The fields up to ``last_fault`` are kept between requests, as the breaker is; the others are filled in for one
    request's operation, resolution and place in line.
    """

    blocked_until: float = 0.0
    """Rate limited until then."""
    out_fault: Fault | None = None
    """Why the offer is out; None: it is not."""
    out_since: float = 0.0
    """When it was found to be out; meaningless while ``out_fault`` is None."""
    next_probe_at: float = 0.0
    """From then on one request may probe an offer that is out."""
    last_fault: Fault | None = None
    """The last fault that said something about the offer; None after a success."""
    refused_in_row: int = 0
    """Rate limits without a stated wait since the last success."""
    breaker: Breaker = CLOSED
    estimate: Estimate | None = None
    """Figures for the operation and resolution asked about; None where nobody keeps any."""
    room: bool = True
    """Whether it bears one more request just now, from this caller's place in line."""
    capped: bool = False
    """Whether the operator's cap on its provider is reached, so that it is not to be tried whatever else holds."""
    trial: bool = True
    """With a half-open breaker: whether this request may be the one that looks."""
    load: float = 0.0
    """Share of its limit that is in use; 0 while no limit is known."""
    likely_due: bool = False
    """Whether it may be explored in case its long-run figures still hold."""
    hopeful_due: bool = False
    """Whether it may be explored in case it has become much faster."""
    unsupported_until: float = 0.0
    """Until then it is taken at its word that it cannot do this operation at this resolution."""

    def state(self, *, now: float) -> HealthState:
        """The offer's state at that moment. A block comes before everything: a stated wait holds for probes too."""
        if now < self.blocked_until:
            return HealthState.BLOCKED
        if self.capped:
            return HealthState.FULL
        if self.out_fault is not None:
            return HealthState.OUT if now < self.next_probe_at else HealthState.PROBE_DUE
        breaker = self.breaker.state(now=now)
        if breaker is BreakerState.OPEN:
            return HealthState.OPEN
        if breaker is BreakerState.HALF_OPEN:
            if not self.trial:
                return HealthState.OPEN
            return HealthState.HALF_OPEN if self.room else HealthState.FULL
        return HealthState.SERVING if self.room else HealthState.FULL


UNTRIED = Health()


def after(health: Health | None, attempt: Attempt, policy: Policy, *, now: float) -> Health:
    """The offer's health once this attempt is known.

    A fault that says nothing about the offer changes nothing, and neither does a try that the request's own deadline
    cut short. A success ends an outage, unless the try began before the offer was found out: what was accepted before
    the key was revoked does not prove the key. A block ends by its time alone, because the vendor set that time; of
    two stated waits the later end counts, since replies may overtake each other.
    """
    known = health or UNTRIED
    if attempt.fault is None:
        if known.out_fault is not None and attempt.started_at < known.out_since:
            return known
        return Health(blocked_until=known.blocked_until) if known.blocked_until else UNTRIED
    effect = FAULT_TABLE[attempt.fault].health
    if effect is HealthEffect.NOTHING or attempt.deadline_hit:
        return known
    seen = replace(known, last_fault=attempt.fault)
    if effect is HealthEffect.BLOCK:
        if stated(attempt.retry_after) is not None:
            block_s = block_seconds(attempt.retry_after, policy)
            return replace(seen, blocked_until=max(seen.blocked_until, now + block_s))
        # Without a word from the vendor a slot may be free again at once, or not for a minute: ask ever less often.
        block_s = min(policy.first_block_s * 2.0 ** min(seen.refused_in_row, _DOUBLINGS), policy.default_block_s)
        until = max(seen.blocked_until, now + block_s)
        # Those that began before the last block was imposed were refused together: they are one reason for it.
        again = attempt.started_at >= seen.blocked_until
        return replace(seen, blocked_until=until, refused_in_row=seen.refused_in_row + again)
    if effect in (HealthEffect.OUT, HealthEffect.OUT_LONG):
        since = now if seen.out_fault is None else seen.out_since
        return replace(
            seen,
            out_fault=attempt.fault,
            out_since=since,
            next_probe_at=now + _probe_interval(attempt.fault, policy),
        )
    return seen


def probing(health: Health, *, now: float, policy: Policy) -> Health:
    """The health to store when a request starts to probe: the next probe is put off, so that this one stays alone."""
    if health.out_fault is None:
        return health
    return replace(health, next_probe_at=now + _probe_interval(health.out_fault, policy))


def stated(retry_after: float | None) -> float | None:
    """The wait a vendor stated; zero or less, and what is no number, count as none: at once is what has just failed."""
    return retry_after if retry_after is not None and retry_after > 0 else None


def block_seconds(retry_after: float | None, policy: Policy) -> float:
    """How long a rate-limited offer is best left alone: the stated wait within the policy's bound, else its default."""
    wait = stated(retry_after)
    return min(policy.default_block_s if wait is None else wait, policy.max_block_s)


_DOUBLINGS = 30
"""Doublings of the first block that are counted; by then every bound is reached."""


def _probe_interval(fault: Fault, policy: Policy) -> float:
    return policy.out_long_s if FAULT_TABLE[fault].health is HealthEffect.OUT_LONG else policy.out_probe_s
