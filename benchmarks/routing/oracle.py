"""Oracle: knows every true current parameter, and does with them what is best for each request.

It knows: success probability, latency, failure mix, price and capacity of every provider at this moment, which slots
are taken and when each will be free. It does not know: how a single try will end, what will change later, or which
prompts are refused. It orders by the ratio rule with the true numbers and the best time limits; near a deadline it
solves for order and limits exactly; it never runs into a full provider, and queues for the one for which waiting and
price together cost least. It takes requests as they come, one by one: in a crowd a plan for all of them together could
do better still. It does not hedge, and like everybody it tries each provider once before any again.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from benchmarks.routing.engine import Yard
from benchmarks.routing.hurry import HORIZON_S, Asked, Hurry
from benchmarks.routing.router import Ended, GiveUp, Objective, Step, Try, Wait
from benchmarks.routing.truth import share_within
from benchmarks.routing.values import Prospect, best_prospect
from benchmarks.routing.world import Request, World
from providers.spec.request import Resolution

HOPELESS_SUCCESS: Final = 0.05
"""Below this a provider counts as down: nobody is sent there while another is up."""
CROWDING: Final = 10.0
"""What a second in a line counts for while somebody else is free: who stands in it makes all who come later wait as
well. Chosen on tuning seeds among 1, 4, 10 and 25; with 1 the oracle queues so much that usual routers beat it."""
LOOK_AGAIN_S: Final = 1.0
"""When nobody is up, how soon the truth is looked at again."""


class Oracle:
    """The router that knows."""

    def __init__(self, world: World, yard: Yard, objective: Objective) -> None:
        self._world = world
        self._yard = yard
        self._objective = objective
        self._prospects: dict[tuple[str, int, Resolution], Prospect | None] = {}
        self._hurries: dict[tuple[tuple[int, ...], Resolution], Hurry] = {}
        self._queues: dict[str, list[OracleSession]] = {provider: [] for provider in world.providers}

    def arrive(self, request: Request, now: float, wake: Callable[[], None]) -> OracleSession:  # noqa: ARG002
        """Nothing is decided before it is asked."""
        return OracleSession(self, request)

    def prospect(self, provider: str, resolution: Resolution, now: float) -> Prospect | None:
        """The best try at the provider as things are; None when it does not sell the tier or is down."""
        timeline = self._world.providers[provider]
        place = (provider, timeline.step(now), resolution)
        if place not in self._prospects:
            truth = timeline.at(now)
            price = truth.prices.get(resolution)
            self._prospects[place] = (
                None
                if price is None or truth.success < HOPELESS_SUCCESS
                else best_prospect(truth, price, resolution, self._objective.value_of_time)
            )
        return self._prospects[place]

    def hurry(self, resolution: Resolution, now: float) -> Hurry:
        """The table for requests with little time left, as things are."""
        place = (tuple(timeline.step(now) for timeline in self._world.providers.values()), resolution)
        if place not in self._hurries:
            asked = {}
            for provider, timeline in self._world.providers.items():
                truth = timeline.at(now)
                price = truth.prices.get(resolution)
                if price is not None and truth.success >= HOPELESS_SUCCESS:
                    asked[provider] = Asked(truth, price)
            self._hurries[place] = Hurry(asked, resolution, self._objective.value_of_time, self._objective.failure_usd)
        return self._hurries[place]

    def decide(self, session: OracleSession, now: float) -> Step:
        """What to do for this request now."""
        request = session.request
        left = request.arrived + request.deadline_s - now
        options: dict[str, Prospect] = {}
        for provider in session.untried or self._world.providers:
            prospect = self.prospect(provider, request.resolution, now)
            if prospect is not None:
                options[provider] = prospect
        if not options:
            session.start_over()
            return Wait(now + LOOK_AGAIN_S)
        waits = {provider: self._wait(provider, now) for provider in options}
        free = [provider for provider, wait in waits.items() if wait <= 0.0]
        if left <= HORIZON_S and free:
            first = self.hurry(request.resolution, now).first(free, left)
            return GiveUp() if first is None else Try(first[0], first[1] if first[1] < int(left) else left)
        costs = {each: self._cost(each, options[each], request, waits[each], left, now) for each in options}
        best = min(costs, key=lambda provider: costs[provider])
        if waits[best] <= 0.0:
            return Try(best, min(options[best].limit_s, left / 2 if left > HORIZON_S else left))
        if waits[best] >= left:
            return Wait(now + LOOK_AGAIN_S)
        session.queued_at = best
        self._queues[best].append(session)
        return Wait(now + waits[best])

    def _cost(
        self, provider: str, prospect: Prospect, request: Request, wait_s: float, left_s: float, now: float
    ) -> float:
        """The index, the wait, and the risk that what is left after it is too little."""
        truth = self._world.truth(provider, now)
        late = 1.0 - share_within(left_s - wait_s, truth.median_at(request.resolution), truth.sigma)
        return prospect.index + CROWDING * self._objective.value_of_time * wait_s + late * self._objective.failure_usd

    def leave_queue(self, session: OracleSession) -> str | None:
        """Take the request out of the queue it stands in, if any; which it was."""
        provider, session.queued_at = session.queued_at, None
        if provider is not None:
            self._queues[provider].remove(session)
        return provider

    def has_slot(self, provider: str, now: float) -> bool:
        """Whether the provider would take one more request."""
        bound = self._world.truth(provider, now).capacity
        return bound is None or len(self._yard.releases(provider, now)) < bound

    def _wait(self, provider: str, now: float) -> float:
        """Seconds until the provider has a slot for one more behind those who queue for it."""
        bound = self._world.truth(provider, now).capacity
        if bound is None:
            return 0.0
        releases = self._yard.releases(provider, now)
        behind = len(releases) + len(self._queues[provider]) - bound
        if behind < 0:
            return 0.0
        return releases[behind] - now if behind < len(releases) else inf


class OracleSession:
    """One request in the oracle's hands."""

    watches = False

    def __init__(self, oracle: Oracle, request: Request) -> None:
        self._oracle = oracle
        self.request = request
        self.untried: set[str] = set()
        """Not yet tried in this round; empty when a round begins."""
        self.queued_at: str | None = None
        self._all = list(oracle._world.providers)  # noqa: SLF001 - its own session
        self.start_over()

    def start_over(self) -> None:
        """Every provider may be tried again."""
        self.untried = set(self._all)

    def next(self, now: float) -> Step:
        """A queued request whose turn has come starts where it stands; otherwise decide afresh."""
        provider = self._oracle.leave_queue(self)
        step: Step
        if provider is not None and self._oracle.has_slot(provider, now):
            prospect = self._oracle.prospect(provider, self.request.resolution, now)
            step = self._oracle.decide(self, now) if prospect is None else Try(provider, prospect.limit_s)
        else:
            step = self._oracle.decide(self, now)
        if isinstance(step, Try):
            self.untried.discard(step.provider)
            if not self.untried:
                self.start_over()
        return step

    def ended(self, ended: Ended) -> None:
        """A 429 by chance says nothing new; everything else is known anyway."""

    def closed(self, now: float) -> None:  # noqa: ARG002
        """Leave the queue if the deadline came first."""
        self._oracle.leave_queue(self)
