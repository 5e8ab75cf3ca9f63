"""Passage: one request's way through the board. Keeps its plan, its attempts, its running tries and its place in line.

Whoever carries requests out, the gateway or a simulation, asks ``next`` what to do, and says what began and what ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from providers.spec.request import ImageRequest
from routing.attempt import Attempt
from routing.board import Board
from routing.fallback import next_step
from routing.line import Place
from routing.offers import Offer
from routing.plan import RoutePlan, plan
from routing.policy import Policy
from routing.prices import PriceTable, day_of
from routing.route_plan import Candidate
from routing.steps import Ending, GiveUp, Hedge, Running, Step, Try, Wait, Waiting
from routing.ticket import Ticket
from routing.wishes import NO_WISHES, RouteWishes

_IDLE = frozenset({Waiting.ROOM, Waiting.BLOCK, Waiting.BREAKER, Waiting.REST})


_DRAW = 0.5
"""Stands in for the dice where a plan is only looked at: asked for twice, it is the same twice."""


def preview(
    board: Board,
    request: ImageRequest,
    offers: Sequence[Offer],
    prices: PriceTable,
    policy: Policy,
    *,
    now: float,
    wishes: RouteWishes = NO_WISHES,
) -> RoutePlan:
    """The plan a request would have now. The board is left as it was: the next request finds the same budgets, leases
    and figures."""
    healths = board.healths(offers, request.operation, request.resolution, now=now, asking=False)
    return plan(request, offers, prices, healths, policy, now=now, draw=_DRAW, wishes=wishes, kin=board.kin)


class Passage:
    """One request under way. Not for several threads at once. ``now`` is unix seconds everywhere."""

    def __init__(
        self,
        board: Board,
        request: ImageRequest,
        offers: Sequence[Offer],
        prices: PriceTable,
        policy: Policy,
        *,
        now: float,
        draw: float,
        wishes: RouteWishes = NO_WISHES,
        wake: Callable[[], None] | None = None,
        attempts: tuple[Attempt, ...] = (),
        again: bool = False,
    ) -> None:
        """Make the plan. ``wake`` is called when the request stands in line and it may be its turn: ask ``next`` then.

        ``policy`` is the board's, but for the deadline. ``again``: the request has had a passage before, for another
        model, and ``attempts`` are those it made there.
        """
        self._board = board
        self._request = request
        self._offers = offers
        self._prices = prices
        self._draw = draw
        self._wake = wake
        self._place: Place | None = None
        self._idle_since: float | None = None
        self._fresh = True
        self._running: dict[Ticket, Running] = {}
        self.attempts = attempts
        self.waits_s = 0.0
        """Seconds spent waiting for an offer."""
        healths = board.healths(offers, request.operation, request.resolution, now=now)
        self.plan: RoutePlan = plan(
            request, offers, prices, healths, policy, now=now, draw=draw, wishes=wishes, kin=board.kin
        )
        if not again:
            board.arrived(self.plan.objective.hedge_share)

    def next(self, *, now: float) -> Step:
        """What to do now. Joins and leaves the line as needed; after GiveUp the passage is over."""
        route = self.plan
        healths = None
        if not self._fresh:
            healths = self._board.healths(self._offers, route.operation, route.resolution, now=now, place=self._place)
        self._fresh = False
        step = next_step(
            route,
            self.attempts,
            now=now,
            draw=self._draw,
            healths=healths,
            running=tuple(self._running.values()) if self._running else (),
            idle_since=self._idle_since,
            in_line=self._place is not None,
            may_hedge=bool(self._running) and self._board.may_hedge(),
        )
        if isinstance(step, Wait):
            return self._waits(step, now)
        if isinstance(step, GiveUp):
            self.close(now=now)
        return step

    def began(self, step: Try | Hedge, *, now: float) -> Ticket:
        """The step is being carried out."""
        route = self.plan
        ticket = self._board.started(
            step.candidate,
            route.operation,
            route.resolution,
            now=now,
            place=self._place,
            hedge=isinstance(step, Hedge),
        )
        self._leave(now)
        self._running[ticket] = Running(step.candidate, now, step.limit_s)
        return ticket

    def cost(self, candidate: Candidate, images: int) -> Decimal:
        """USD the vendor asks for a call to this candidate that makes so many images."""
        if images == self._request.n:
            return candidate.quote.total
        request = replace(self._request, n=images)
        quote = self._prices.quote(candidate.offer, request, on=day_of(self.plan.started_at))
        return candidate.quote.total if quote is None else quote.total

    def runs(self, ticket: Ticket) -> bool:
        """Whether this try has begun and not ended."""
        return ticket in self._running

    def ended(self, ticket: Ticket, attempt: Attempt, *, now: float) -> None:
        """A try that began is over."""
        before = self.attempts[-1] if self.attempts else None
        self._running.pop(ticket, None)
        self.attempts = (*self.attempts, attempt)
        self._board.ended(ticket, attempt, now=now, before=before)

    def close(self, *, now: float) -> None:
        """The request is over, however it ended; its place in line is free. Tries under way must be ended as such."""
        self._leave(now)

    def _waits(self, step: Wait, now: float) -> Step:
        if step.waiting in _IDLE and self._idle_since is None:
            self._idle_since = now
        if self._place is not None:
            self._board.waits_no_more(self._place, step.keys, now=now)
        if step.keys and self._place is None:
            self._place = self._board.line.join(self._board.line_keys(step.keys), now=now, wake=self._wake)
            if self._place is None:
                self.close(now=now)
                return GiveUp(Ending.WAITED)
        return step

    def _leave(self, now: float) -> None:
        if self._idle_since is not None:
            self.waits_s += max(now - self._idle_since, 0.0)
            self._idle_since = None
        place, self._place = self._place, None
        if place is not None:
            self._board.line.leave(place)
            self._board.passed_on(place.keys, now=now)
