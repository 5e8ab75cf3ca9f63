"""Statistics: the figures of all offers, as a fold over outcomes. Mutable; the time comes with the outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import exp, log

from providers.spec.request import Resolution
from routing.knobs import Priors, StatisticsKnobs
from routing.stats.decay import DecayedSums
from routing.stats.estimate import Estimate
from routing.stats.latency import Latency, with_running
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.slices import Entry, Slice
from routing.stats.success import SuccessSums, success_figures
from routing.stats.windows import Windows


class _Group:
    """What the tiers of one offer and operation know together."""

    __slots__ = ("failures", "latencies", "prior", "prior_log", "successes")

    def __init__(self, prior: Priors, failures: DecayedSums) -> None:
        self.prior = prior
        self.prior_log = log(prior.seconds)
        self.failures = failures
        """Seconds of failed tries, of the offer as a whole."""
        self.successes: list[SuccessSums] = []
        """Of the tiers that were tried; the others have nothing to tell their siblings."""
        self.latencies: list[Latency] = []
        """Of the same."""


class _Tier:
    """What is known of one key."""

    __slots__ = ("group", "latency", "samples", "shift", "success", "windows")

    def __init__(self, knobs: StatisticsKnobs, group: _Group, shift: float) -> None:
        self.group = group
        self.shift = shift
        """Logarithm of how much longer this tier takes than 1K."""
        self.success = SuccessSums(knobs)
        self.latency = Latency(knobs)
        self.samples = 0
        self.windows: Windows | None = None

    def begin(self) -> None:
        """The first try that delivered or failed is about to be counted: siblings have something to hear."""
        self.group.successes.append(self.success)
        self.group.latencies.append(self.latency)


class Statistics:
    """All figures of all offers. Not for several threads at once.

    Outcomes may arrive late and in any order: each counts as of its own time. Only the detection of changed levels
    follows the order of arrival, and leaves out what is very late.
    """

    def __init__(self, knobs: StatisticsKnobs, priors: Callable[[str], Priors]) -> None:
        """``priors`` says what is believed of an offer, by its key, before anything is measured."""
        self._knobs = knobs
        self._priors = priors
        self._tiers: dict[StatKey, _Tier] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._failures: dict[str, DecayedSums] = {}

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        tier = self._tiers.get(outcome.key) or self._new_tier(outcome.key)
        group = tier.group
        at = outcome.at
        entry = Entry(outcome)
        (tier.windows or self._windows_of(tier)).add_entry(at, entry)
        delivered = outcome.kind is OutcomeKind.DELIVERED
        if not delivered and outcome.kind is OutcomeKind.REFUSED:
            tier.success.refused(at)
            return
        if not tier.samples:
            tier.begin()
        tier.samples += 1
        tier.success.tried(at, delivered=delivered)
        if not delivered:
            group.failures.add(at, entry.seconds)
            return
        value = entry.log_seconds - tier.shift
        latency = tier.latency
        if latency.add(at, value, latency.level(group.latencies, group.prior_log, at)):
            for other in group.latencies:
                if other is not latency:
                    other.out_of_date()

    def estimate(self, key: StatKey, *, now: float, running: Sequence[float] = ()) -> Estimate:
        """What is known of the key at ``now``; ``running``: unix seconds at which its tries under way began."""
        knobs = self._knobs
        tier = self._tiers.get(key) or self._new_tier(key)
        group = tier.group
        prior = group.prior
        success = success_figures(tier.success, group.successes, prior.success, knobs, now)
        level = tier.latency.level(group.latencies, group.prior_log, now)
        middle = with_running(level, tier.shift, running, now, knobs) if running else level.middle
        failures, failure_total, _ = group.failures.sums(now)
        pseudo = knobs.failure_pseudo
        return Estimate(
            success=success.success,
            success_low=success.low,
            success_high=success.high,
            long_run_success=success.long_run,
            median_s=exp(middle + tier.shift),
            sigma=level.sigma,
            long_run_median_s=exp(level.long_run + tier.shift),
            failure_s=(failure_total + pseudo * prior.failure_s) / (failures + pseudo),
            samples=tier.samples,
            refusal_share=success.refusal_share,
        )

    def reset_fast(self, offer: str) -> None:
        """Forget the fast success window of all keys of that offer: it is back, and its outage no longer counts."""
        for (of_offer, _), group in self._groups.items():
            if of_offer == offer:
                for success in group.successes:
                    success.fast.clear()

    def windows(self, key: StatKey) -> Windows | None:
        """The key's windows as counted here; None while nothing was."""
        tier = self._tiers.get(key)
        return None if tier is None else tier.windows

    def keys(self) -> Iterator[StatKey]:
        """The keys of which anything was counted."""
        return (key for key, tier in self._tiers.items() if tier.windows is not None or tier.samples)

    def seed(self, key: StatKey, slices: Iterable[tuple[float, Slice]]) -> None:
        """Start the slow figures from slices stored earlier, each with the unix second in the middle of its span.

        Success in the long run, refusals, the long-run latency and the time of failures; not the fast figures, and not
        the windows, which ``load`` fills.
        """
        for at, slice in slices:
            self.absorb(key, at, slice, recent=False)

    def absorb(self, key: StatKey, at: float, slice: Slice, *, recent: bool = True) -> None:
        """Count what another replica counted around ``at``, windows excepted; ``recent``: in the fast figures too.

        Sums agree with those of outcomes added one by one, but that all count as of ``at``. Changed levels are missed.
        """
        tier = self._tiers.get(key) or self._new_tier(key)
        group = tier.group
        samples = slice.delivered + slice.failed
        if samples and not tier.samples:
            tier.begin()
        tier.samples += samples
        tier.success.absorb(at, slice.delivered, slice.failed, slice.refused, fast=recent)
        if slice.failed:
            # Of failures only the sum of seconds is kept, and only their mean is asked for.
            group.failures.add_sums(at, slice.failed, slice.failure_ms / 1000.0, 0.0)
        if not slice.delivered:
            return
        count, total, shift = slice.delivered, slice.log_total, tier.shift
        squares = slice.log_squares - shift * (2.0 * total - shift * count)
        total -= shift * count
        tier.latency.absorb(at, count, total, squares, window=recent)

    def load(self, key: StatKey, granularity: str, start: int, slice: Slice) -> None:
        """Add a stored slice to the key's windows; raises as ``Windows.load`` does."""
        self._windows_of(self._tiers.get(key) or self._new_tier(key)).load(granularity, start, slice)

    def _windows_of(self, tier: _Tier) -> Windows:
        if tier.windows is None:
            tier.windows = Windows()
        return tier.windows

    def _new_tier(self, key: StatKey) -> _Tier:
        place = (key.offer, key.operation.value)
        group = self._groups.get(place)
        if group is None:
            failures = self._failures.get(key.offer)
            if failures is None:
                failures = self._failures[key.offer] = DecayedSums(self._knobs.failure_half_life_s)
            group = self._groups[place] = _Group(self._priors(key.offer), failures)
        # All tiers at once, so that ``keys`` has them in their own order, whichever was asked about first.
        factors = group.prior.size_factors
        for resolution in (None,) if key.resolution is None else Resolution:
            tier = _Tier(self._knobs, group, 0.0 if resolution is None else log(factors[resolution]))
            self._tiers[StatKey(key.offer, key.operation, resolution)] = tier
        return self._tiers[key]
