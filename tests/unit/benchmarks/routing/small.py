"""Small worlds and scripted routers for the tests of the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from benchmarks.routing.router import Ended, Session, Step
from benchmarks.routing.truth import FailureMix, Timeline, Truth
from benchmarks.routing.world import Request, Traffic, World
from providers.spec.request import Resolution

R1K = Resolution.R1K


def truth(
    success: float = 1.0,
    median_s: float = 10.0,
    price: float = 0.05,
    *,
    sigma: float = 0.3,
    capacity: int | None = None,
    failures: FailureMix | None = None,
    retry_after_s: float | None = None,
) -> Truth:
    prices = MappingProxyType({R1K: price})
    return Truth(success, median_s, sigma, prices, failures or FailureMix(), capacity, retry_after_s)


def world(
    providers: Mapping[str, Truth],
    *,
    duration_s: float = 600.0,
    rate: float = 0.5,
    refusals: float = 0.0,
    deadline_s: float = 300.0,
    seed: int = 1,
) -> World:
    return World(
        "small",
        seed,
        duration_s,
        {name: Timeline([(0.0, each)]) for name, each in providers.items()},
        Traffic(rates=((0.0, rate),), refusals=((0.0, refusals),), deadlines={deadline_s: 1.0}),
    )


class Scripted:
    """A router whose requests all follow one script; the last step is repeated."""

    def __init__(self, script: Sequence[Step], *, watches: bool = False) -> None:
        self.script = script
        self.watches = watches
        self.sessions: list[ScriptedSession] = []

    def arrive(self, request: Request, now: float, wake: Callable[[], None]) -> Session:
        self.sessions.append(ScriptedSession(self.script, self.watches, wake))
        return self.sessions[-1]


class ScriptedSession:
    def __init__(self, script: Sequence[Step], watches: bool, wake: Callable[[], None]) -> None:
        self.watches = watches
        self.wake = wake
        self.asked: list[float] = []
        self.heard: list[Ended] = []
        self.closings = 0
        self._script = list(script)

    def next(self, now: float) -> Step:
        self.asked.append(now)
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def ended(self, ended: Ended) -> None:
        self.heard.append(ended)

    def closed(self, now: float) -> None:
        self.closings += 1
