"""Signs: by what an operator could tell that something is wrong, and how soon it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.rig.processes import Metrics


@dataclass(frozen=True, slots=True)
class Sign:
    """Something on the metrics page that rises."""

    who: str
    look: Callable[[Metrics], float]


def tries_fail(provider: str) -> Sign:
    """A try fails that the vendor is to blame for."""

    def failed(page: Metrics) -> float:
        every = page.total("gateway_attempts_total", provider=provider)
        blameless = sum(page.total("gateway_attempts_total", provider=provider, outcome=each) for each in _BLAMELESS)
        return every - blameless

    return Sign(f"tries at {provider} fail", failed)


def breaker_opens(provider: str) -> Sign:
    """The offer is out of service."""
    return Sign(f"breaker of {provider}", lambda page: page.total("gateway_breaker_state", provider=provider))


def counter(who: str, name: str, **labels: str) -> Sign:
    """A metric of this name and labels."""
    return Sign(who, lambda page: page.total(name, **labels))


_BLAMELESS: Final = ("ok", "abandoned", "own_fault")
STORE_DOWN: Final = Sign("gateway_stats_store_up", lambda page: -page.total("gateway_stats_store_up"))
KEEPING_FAILS: Final = counter("gateway_image_keep_failures_total", "gateway_image_keep_failures_total")
OWN_FAULT: Final = counter("own_fault of tries", "gateway_attempts_total", outcome="own_fault")
CALLERS_LEAVE: Final = counter("abandoned requests", "gateway_requests_total", outcome="abandoned")


class Watching:
    """When each sign was first seen, in seconds since ``begin``."""

    def __init__(self, signs: Sequence[Sign]) -> None:
        self.seen: dict[str, float | None] = {sign.who: None for sign in signs}
        self._signs = signs
        self._before: dict[str, float] = {}

    def begin(self, page: Metrics) -> None:
        """What is normal."""
        self._before = {sign.who: sign.look(page) for sign in self._signs}

    def look(self, page: Metrics, at_s: float) -> None:
        """Note what shows now and did not before."""
        for sign in self._signs:
            if self.seen[sign.who] is None and sign.look(page) > self._before[sign.who]:
                self.seen[sign.who] = at_s
