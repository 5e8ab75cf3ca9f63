"""Changes: what happens to providers in a world, and how several of them make a timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from benchmarks.routing.truth import FailureMix, Timeline, Truth
from providers.spec.request import Resolution

RAMP_STEP_S: Final = 60.0
"""A gradual change is made of steps this long."""

SICK_SUCCESS: Final = 0.02
"""Success in an outage: next to nothing gets through."""

FAST_503 = FailureMix(rate_limited=0.0, overloaded=1.0, empty=0.0, hang=0.0)
ALL_HANG = FailureMix(rate_limited=0.0, overloaded=0.0, empty=0.0, hang=1.0)
ALL_EMPTY = FailureMix(rate_limited=0.0, overloaded=0.0, empty=1.0, hang=0.0)


def _priced(r512: float | None, r1k: float, r2k: float, r4k: float) -> Mapping[Resolution, float]:
    tiers = {Resolution.R1K: r1k, Resolution.R2K: r2k, Resolution.R4K: r4k}
    return MappingProxyType(tiers if r512 is None else {Resolution.R512: r512, **tiers})


BASE: Final[Mapping[str, Truth]] = MappingProxyType(
    {
        "gemini": Truth(0.916, 13.298, 0.375, _priced(0.045, 0.067, 0.101, 0.151)),
        "vertex": Truth(0.767, 29.915, 0.417, _priced(0.045, 0.067, 0.101, 0.151)),
        "fal": Truth(0.96, 12.0, 0.368, _priced(0.06, 0.08, 0.12, 0.16)),
        "replicate": Truth(0.94, 18.0, 0.454, _priced(None, 0.067, 0.101, 0.151)),
    }
)
"""The four providers on an ordinary day. Latency and success of the two Google routes are a hosted gateway's figures of
30 days (sigma from p50 and p95), the prices are list prices; the latency and success of the other two are assumed."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens to one provider from ``start`` to ``end``."""

    provider: str
    start: float
    end: float
    apply: Callable[[Truth, float], Truth]
    """The truth it makes of another one; the number is how far the change has come, from 0 at its start to 1."""
    gradual: bool = False
    """Whether that number matters."""


def timelines(base: Mapping[str, Truth], changes: Sequence[Change]) -> dict[str, Timeline]:
    """Each provider's truth over time: all changes in force at a moment, applied in the order given."""
    return {provider: Timeline(_steps(provider, truth, changes)) for provider, truth in base.items()}


def _steps(provider: str, base: Truth, changes: Sequence[Change]) -> list[tuple[float, Truth]]:
    mine = [change for change in changes if change.provider == provider and change.end > change.start]
    moments = {0.0}
    for change in mine:
        moments.update({max(0.0, change.start), max(0.0, change.end)})
        if change.gradual:
            steps = int((change.end - change.start) // RAMP_STEP_S)
            moments.update(change.start + step * RAMP_STEP_S for step in range(steps + 1))
    steps_made: list[tuple[float, Truth]] = []
    for moment in sorted(moments):
        truth = base
        for change in mine:
            if change.start <= moment < change.end:
                truth = change.apply(truth, (moment - change.start) / (change.end - change.start))
        if not steps_made or steps_made[-1][1] != truth:
            steps_made.append((moment, truth))
    return steps_made


def outage(provider: str, start: float, end: float, failures: FailureMix = FAST_503) -> Change:
    """Next to nothing gets through."""
    return Change(provider, start, end, lambda truth, _: replace(truth, success=SICK_SUCCESS, failures=failures))


def hang(provider: str, start: float, end: float) -> Change:
    """Requests are taken and never answered."""
    return outage(provider, start, end, ALL_HANG)


def brown_out(provider: str, start: float, end: float, slower: float = 4.0, success: float = 0.8) -> Change:
    """So many times slower, and the success rate times ``success``."""

    def apply(truth: Truth, _: float) -> Truth:
        return replace(truth, median_s=truth.median_s * slower, success=truth.success * success)

    return Change(provider, start, end, apply)


def faster(provider: str, start: float, end: float, median_s: float, success: float) -> Change:
    """Becomes good."""
    return Change(provider, start, end, lambda truth, _: replace(truth, median_s=median_s, success=success))


def decay(provider: str, start: float, end: float, slower: float = 3.0, success: float = 0.8) -> Change:
    """Becomes slower and less reliable little by little, up to these factors."""

    def apply(truth: Truth, share: float) -> Truth:
        return replace(
            truth,
            median_s=truth.median_s * (1.0 + (slower - 1.0) * share),
            success=truth.success * (1.0 - (1.0 - success) * share),
        )

    return Change(provider, start, end, apply, gradual=True)


def capacity(provider: str, start: float, end: float, slots: int, retry_after_s: float | None = None) -> Change:
    """Takes so many requests at once; one more is answered 429, with that wait or none stated."""
    return Change(provider, start, end, lambda truth, _: replace(truth, capacity=slots, retry_after_s=retry_after_s))


def storm(provider: str, start: float, end: float, share: float, retry_after_s: float | None) -> Change:
    """This share of the requests is answered 429, whatever the load."""

    def apply(truth: Truth, _: float) -> Truth:
        kept = (1.0 - share) * truth.success
        failing = 1.0 - kept
        others = (failing - share) / failing
        mix = truth.failures
        return replace(
            truth,
            success=kept,
            retry_after_s=retry_after_s,
            failures=FailureMix(
                rate_limited=share / failing + others * mix.rate_limited,
                overloaded=others * mix.overloaded,
                empty=others * mix.empty,
                hang=others * mix.hang,
            ),
        )

    return Change(provider, start, end, apply)


def repriced(provider: str, start: float, end: float, factor: float) -> Change:
    """Asks so many times its price."""

    def apply(truth: Truth, _: float) -> Truth:
        prices = {tier: round(price * factor, 4) for tier, price in truth.prices.items()}
        return replace(truth, prices=MappingProxyType(prices))

    return Change(provider, start, end, apply)
