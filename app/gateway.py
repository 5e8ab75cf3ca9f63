"""Gateway: carries out plans. Ask what is next, do it, record it: the one loop. It acts; it does not judge."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from app.attempting import Attempting, Begun, Ended, Job
from app.catalog.models import PublicModel
from app.fitting import Fitting
from app.media.verify import Delivered
from app.telemetry import Telemetry
from providers.converse import Driver, Provider
from providers.spec.blob import Blob
from providers.spec.conversation import AbandonReason
from providers.spec.request import ImageRequest
from providers.spec.result import Usage, Warning
from providers.spec.unguarded import unguarded
from providers.workers import Workers
from routing.attempt import Attempt
from routing.board import Board
from routing.fallback import may_try_another_model
from routing.offers import Offer
from routing.passage import Passage, preview
from routing.policy import Policy
from routing.prices import PriceTable
from routing.route_plan import Candidate, RoutePlan
from routing.steps import GiveUp, Hedge, Try
from routing.verdict import Verdict, verdict
from routing.wishes import NO_WISHES, RouteWishes


@unguarded
@dataclass(frozen=True, slots=True)
class Choice:
    """A model that may serve a request: the request in its terms, and who sells it."""

    request: ImageRequest
    model: PublicModel
    offers: Sequence[Offer]
    wishes: RouteWishes = NO_WISHES
    warnings: tuple[Warning, ...] = ()
    """What the caller is told about how the request was understood."""


@unguarded
@dataclass(frozen=True, slots=True)
class Made:
    """A request that ended in a verified image."""

    images: tuple[Delivered, ...]
    """At least one, and at most as many as were asked for."""
    plan: RoutePlan
    attempts: tuple[Attempt, ...]
    usage: Usage | None
    warnings: tuple[Warning, ...]
    simulated: bool
    choice: Choice
    winner: Attempt
    """The attempt whose image this is; with hedges another may have delivered in the same moment."""

    cost: Decimal
    """USD the caller is charged: for these images, once, whatever else was tried."""


class NotMadeError(Exception):
    """A request that ended without an image. Carries what the caller is told and what was tried."""

    def __init__(self, verdict: Verdict, plan: RoutePlan, attempts: tuple[Attempt, ...], *, simulated: bool) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.plan = plan
        self.attempts = attempts
        self.simulated = simulated


Watcher = Callable[[Candidate], None]
"""Told of each candidate as it is about to be tried."""


class Gateway:
    """Holds the hands (driver, providers) and the board; one per process."""

    def __init__(
        self,
        *,
        offers: Sequence[Offer],
        providers: Mapping[str, Provider],
        prices: PriceTable,
        policy: Policy,
        driver: Driver,
        telemetry: Telemetry,
        workers: Workers,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.clock = clock or steady_clock()
        self.board = Board(offers, policy)
        self._attempting = Attempting(providers, driver, workers, telemetry, self.clock)
        self._prices = prices
        self._policy = policy
        self._telemetry = telemetry
        self._workers = workers

    @property
    def deadline_s(self) -> float:
        """Seconds a request may take whose caller names no deadline."""
        return self._policy.request_deadline_s

    @property
    def max_payments(self) -> int:
        """Payments, certain or possible, that one image may take."""
        return self._policy.max_possible_payments

    def planned(self, choice: Choice, *, timeout_s: float | None = None) -> RoutePlan:
        """The plan this choice would have now; nothing is changed by asking. ``timeout_s`` as for ``make``."""
        policy = self._policy if timeout_s is None else replace(self._policy, request_deadline_s=timeout_s)
        return preview(
            self.board,
            choice.request,
            choice.offers,
            self._prices,
            policy,
            now=self.clock(),
            wishes=choice.wishes,
        )

    async def make(
        self,
        choices: Sequence[Choice],
        *,
        timeout_s: float | None = None,
        deadline_at: float | None = None,
        watcher: Watcher | None = None,
        fitting: Fitting | None = None,
        on_interim: Callable[[Blob], None] | None = None,
        before: tuple[Attempt, ...] = (),
        paid: int = 0,
    ) -> Made:
        """Plan and carry out. Raises NotMadeError when no image came of it, and passes cancellation on.

        ``choices`` are tried in order: the next model only when no provider of the one before could deliver.
        ``timeout_s`` is the caller's own deadline for the whole request; None: the policy's. ``deadline_at`` (Unix
        seconds) is when that ends for a request that has begun before; None: it begins now. A call that makes fewer
        images than asked delivers those it makes. ``on_interim`` is handed interim images as they come. ``before``:
        what has been tried for these images and failed; ``paid``: how many more of the payments an image may take have
        been made for them, less than ``max_payments``.
        """
        fitting = fitting or Fitting(self._workers)
        payments = self._policy.max_possible_payments - paid
        limit_s = self._policy.request_deadline_s if timeout_s is None else timeout_s
        deadline_at = self.clock() + limit_s if deadline_at is None else deadline_at
        attempts = before
        plans: list[RoutePlan] = []
        simulated = False
        for choice in choices:
            now = self.clock()
            if plans and not may_try_another_model(plans[-1], attempts, now=now):
                break
            woken = asyncio.Event()
            passage = Passage(
                self.board,
                choice.request,
                choice.offers,
                self._prices,
                self._held_to(payments, max(deadline_at - now, 0.0)),
                now=now,
                draw=random.random(),  # noqa: S311 - spreads load, keeps no secret
                wishes=choice.wishes,
                wake=woken.set,
                attempts=attempts,
                again=bool(plans),
            )
            plans.append(passage.plan)
            try:
                job = Job(choice.request, choice.model, fitting, on_interim)
                ended = await self._carried_out(passage, job, woken, watcher)
            finally:
                passage.close(now=self.clock())
                attempts = passage.attempts
                self._telemetry.plan_ended(passage.plan, attempts, passage.waits_s)
            won = None
            for one in ended:
                simulated = simulated or one.simulated
                if won is None and one.delivered:
                    won = one
            if won is not None and won.result is not None:
                return Made(
                    images=won.delivered,
                    plan=passage.plan,
                    attempts=attempts,
                    usage=won.result.usage,
                    warnings=(*choice.warnings, *won.warnings),
                    simulated=simulated,
                    choice=choice,
                    winner=won.attempt,
                    cost=won.charge,
                )
        told = next((route for route in reversed(plans) if route.candidates), plans[0])
        # What was left of the caller's time when a plan was made is not what the caller is told of it.
        told = replace(told, policy=replace(told.policy, request_deadline_s=limit_s))
        raise NotMadeError(verdict(told, attempts, now=self.clock()), told, attempts, simulated=simulated)

    def _held_to(self, payments: int, left_s: float) -> Policy:
        """The policy for a request with so many payments and so much time left."""
        policy = self._policy
        if payments == policy.max_possible_payments and abs(left_s - policy.request_deadline_s) < _SAME_S:
            return policy  # as for nearly every request that has just begun
        return replace(policy, max_possible_payments=payments, request_deadline_s=left_s)

    async def _carried_out(
        self, passage: Passage, job: Job, woken: asyncio.Event, watcher: Watcher | None
    ) -> list[Ended]:
        """Every try of one plan, the one that delivered last if any did."""
        ended: list[Ended] = []
        while True:
            woken.clear()
            step = passage.next(now=self.clock())
            if isinstance(step, GiveUp):
                return ended
            if isinstance(step, (Try, Hedge)):
                if watcher is not None:
                    watcher(step.candidate)
                if passage.plan.hedging:
                    ended += await self._raced(step, passage, job)
                    if any(one.delivered for one in ended):
                        return ended
                else:
                    begun = self._attempting.begin(step, passage)
                    ended.append(await self._attempting.attempt(begun, passage, job))
                    if ended[-1].delivered:
                        return ended
            else:
                await _woken_or_past(woken, step.until - self.clock())

    async def _raced(self, first: Try | Hedge, passage: Passage, job: Job) -> list[Ended]:
        """One try and, when it is worth it, others beside it. Ends when one delivers or all have failed."""
        ended: list[Ended] = []
        under_way: dict[asyncio.Task[Ended], Begun] = {}

        def start(step: Try | Hedge) -> None:
            begun = self._attempting.begin(step, passage)
            task = asyncio.create_task(self._attempting.attempt(begun, passage, job))
            under_way[task] = begun

        try:
            start(first)
            while under_way:
                step = passage.next(now=self.clock())
                if isinstance(step, Hedge):
                    start(step)
                    continue
                until = passage.plan.deadline_at if isinstance(step, Try | GiveUp) else step.until
                done, _ = await asyncio.wait(
                    under_way, timeout=max(until - self.clock(), _TICK_S), return_when=asyncio.FIRST_COMPLETED
                )
                ended += [task.result() for task in done]
                for task in done:
                    del under_way[task]
                if any(one.delivered for one in ended):
                    break
        finally:
            lost = any(one.delivered for one in ended)
            for task in under_way:
                task.cancel(AbandonReason.HEDGE_LOST if lost else None)
            await asyncio.gather(*under_way, return_exceptions=True)
            for begun in under_way.values():
                self._attempting.drop(begun, passage)  # one cancelled before its first step
        return ended


_SAME_S = 0.001
"""Seconds by which a deadline may be off from the policy's and still be taken for it."""
_TICK_S = 0.01
"""Shortest pause between two looks at a running try, in seconds: a look that is due must not spin the event loop."""


def steady_clock() -> Callable[[], float]:
    """Unix seconds as of now, counted on by a clock that never jumps: setting the machine's time moves no deadline."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


async def _woken_or_past(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await woken.wait()
    except TimeoutError:
        pass
