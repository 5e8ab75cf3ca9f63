"""Engine: runs one router through one world in virtual time and writes down what became of every request.

What a try would come to by itself is settled at its start, from the provider's truth at that moment. A try that its
router ends earlier runs on at the provider: it keeps its slot, and it is billed if it would have delivered.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import exp
from typing import Final

from benchmarks.routing.draws import key, normal, uniform
from benchmarks.routing.router import Ended, GiveUp, Router, Session, Wait
from benchmarks.routing.truth import HANG_S, OVERLOADED_S, RATE_LIMITED_S, REFUSAL_SHARE_OF_TIME
from benchmarks.routing.world import Request, World
from providers.spec.errors import Fault

SHORTEST_WAIT_S: Final = 0.01
"""A wait that ends at once is put off by this much, so that time always moves."""
MOST_STEPS: Final = 20_000
"""Steps one request may take; a router that needs more is in a loop."""
_EPSILON_S: Final = 1e-6
_SUCCESS, _MODE, _LATENCY = 1, 2, 3
"""What a try draws for."""


class Yard:
    """Which slots of the providers are taken, and when each will be free again. The oracle may look."""

    __slots__ = ("_releases", "_world")

    def __init__(self, world: World) -> None:
        self._world = world
        self._releases: dict[str, list[float]] = {provider: [] for provider in world.providers}

    def releases(self, provider: str, now: float) -> list[float]:
        """When the taken slots are free again, soonest first."""
        releases = self._releases[provider]
        gone = 0
        while gone < len(releases) and releases[gone] <= now:
            gone += 1
        if gone:
            del releases[:gone]
        return releases

    def take(self, provider: str, now: float, until: float) -> bool:
        """Take a slot; False when the provider is full."""
        capacity = self._world.truth(provider, now).capacity
        releases = self.releases(provider, now)
        if capacity is not None and len(releases) >= capacity:
            return False
        insort(releases, until)
        return True


@dataclass(slots=True)
class Record:
    """What became of one request."""

    request: Request
    answered: float = 0.0
    fault: Fault | None = None
    """None: delivered. CONTENT_REFUSED: refused. Anything else: failed."""
    money: float = 0.0
    """USD the vendors bill for it, abandoned tries included."""
    tries: list[tuple[float, str]] = field(default_factory=list)
    """(start, provider), in order."""
    hedges: int = 0
    because: str = ""
    """Why its router gave it up, in the router's word; empty: it did not, or named no reason."""

    @property
    def seconds(self) -> float:
        """From arrival to answer."""
        return self.answered - self.request.arrived

    @property
    def failed(self) -> bool:
        """Whether the user got neither an image nor a refusal."""
        return self.fault not in (None, Fault.CONTENT_REFUSED)


class _Live:
    """A request under way."""

    __slots__ = ("deadline", "look", "open", "record", "request", "running", "session", "steps", "times")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.record = Record(request)
        self.deadline = request.arrived + request.deadline_s
        self.session: Session
        self.open = True
        self.look = 0
        self.steps = 0
        self.running: dict[int, tuple[str, float]] = {}
        self.times: dict[str, int] = {}


MakeRouter = Callable[[World, Yard], Router]


class Engine:
    """One run. Make it, call ``run`` once."""

    def __init__(self, world: World, make: MakeRouter) -> None:
        self._world = world
        self._yard = Yard(world)
        self._router = make(world, self._yard)
        self._numbers: Mapping[str, int] = {provider: number for number, provider in enumerate(world.providers)}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._now = 0.0

    def run(self) -> list[Record]:
        """What became of every request, in the order of arrival. Raises RuntimeError when a router does not end."""
        requests = self._world.requests()
        records = []
        for request in requests:
            live = _Live(request)
            records.append(live.record)
            self._at(request.arrived, self._arrival(live))
        events = self._events
        while events:
            self._now, _, act = heappop(events)
            act(self._now)
        return records

    def _at(self, when: float, act: Callable[[float], None]) -> None:
        heappush(self._events, (when, next(self._order), act))

    def _arrival(self, live: _Live) -> Callable[[float], None]:
        def act(now: float) -> None:
            live.session = self._router.arrive(live.request, now, lambda: self._look_at(live, self._now))
            self._advance(live, now)

        return act

    def _look_at(self, live: _Live, when: float) -> None:
        live.look += 1
        look = live.look

        def act(now: float) -> None:
            if live.open and live.look == look:
                self._advance(live, now)

        self._at(when, act)

    def _advance(self, live: _Live, now: float) -> None:
        live.look += 1
        while live.open:
            if now >= live.deadline - _EPSILON_S and not live.running:
                self._close(live, now, Fault.TIMED_OUT)
                return
            live.steps += 1
            if live.steps > MOST_STEPS:
                raise RuntimeError(f"request {live.request.number} took more than {MOST_STEPS} steps")
            step = live.session.next(now)
            if isinstance(step, Wait):
                until = max(step.until, now + SHORTEST_WAIT_S)
                if not live.running or until < live.deadline:
                    self._look_at(live, min(until, live.deadline))
                return
            if isinstance(step, GiveUp):
                if not live.running:
                    live.record.because = step.because
                    self._close(live, now, Fault.OVERLOADED)
                return
            if live.running:
                live.record.hedges += 1
            self._start(live, step.provider, step.limit_s, now)
            if not live.session.watches:
                return

    def _start(self, live: _Live, provider: str, limit_s: float, now: float) -> None:
        number = len(live.record.tries)
        live.record.tries.append((now, provider))
        live.running[number] = (provider, now)
        seconds, fault, retry_after = self._nature(live, provider, now)
        limit = min(limit_s, live.deadline - now)
        if fault is None:
            price = self._world.price(provider, live.request.resolution, now)
            if price is None:
                raise RuntimeError(f"{provider} was asked for a tier it does not sell")
            live.record.money += price
        deadline_hit = False
        if seconds > limit:
            deadline_hit = limit_s >= live.deadline - now - _EPSILON_S
            seconds, fault, retry_after = limit, Fault.TIMED_OUT, None
        ended = Ended(provider, now, now + seconds, fault, retry_after, deadline_hit, number=number)
        self._at(now + seconds, lambda _: self._end(live, ended))

    def _nature(self, live: _Live, provider: str, now: float) -> tuple[float, Fault | None, float | None]:
        """What the try comes to if nobody ends it: seconds, fault, stated wait. Takes the slot."""
        truth = self._world.truth(provider, now)
        time = live.times.get(provider, 0)
        live.times[provider] = time + 1
        state = key(self._world.seed, live.request.number, self._numbers[provider], time)
        full_s = truth.median_at(live.request.resolution) * exp(truth.sigma * normal(state, _LATENCY))
        fault: Fault | None = None
        seconds = full_s
        if uniform(state, _SUCCESS) < truth.success:
            if self._world.refused(live.request):
                fault, seconds = Fault.CONTENT_REFUSED, full_s * REFUSAL_SHARE_OF_TIME
        else:
            draw, mix = uniform(state, _MODE), truth.failures
            if draw < mix.rate_limited:
                return RATE_LIMITED_S, Fault.RATE_LIMITED, truth.retry_after_s
            if draw < mix.rate_limited + mix.overloaded:
                fault, seconds = Fault.OVERLOADED, OVERLOADED_S
            elif draw < mix.rate_limited + mix.overloaded + mix.empty:
                fault = Fault.BAD_REPLY
            else:
                fault, seconds = Fault.TIMED_OUT, HANG_S
        if not self._yard.take(provider, now, now + seconds):
            return RATE_LIMITED_S, Fault.RATE_LIMITED, truth.retry_after_s
        return seconds, fault, None

    def _end(self, live: _Live, ended: Ended) -> None:
        if live.running.pop(ended.number, None) is None:
            return
        now = ended.ended
        live.session.ended(ended)
        if ended.fault in (None, Fault.CONTENT_REFUSED):
            self._close(live, now, ended.fault)
        elif live.open:
            self._advance(live, now)

    def _close(self, live: _Live, now: float, fault: Fault | None) -> None:
        live.open = False
        live.record.answered = now
        live.record.fault = fault
        for number, (provider, started) in list(live.running.items()):
            del live.running[number]
            live.session.ended(Ended(provider, started, now, Fault.ABANDONED, abandoned=True, number=number))
        live.session.closed(now)
