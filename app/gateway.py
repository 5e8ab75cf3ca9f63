"""Gateway: carries out a plan. Attempt, classify, record, next: the one loop. It acts; it does not judge."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from app.catalog.models import PublicModel
from app.media.verify import Delivered, NotDeliveredError, verify
from app.snapshot import HealthBook
from app.telemetry import Telemetry
from providers.converse import Driver, Provider, Trace
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult, Usage, Warning
from providers.workers import Workers
from routing.attempt import Attempt
from routing.fallback import Try, next_step
from routing.offers import Offer
from routing.plan import Candidate, RoutePlan, plan
from routing.policy import Policy
from routing.prices import PriceTable
from routing.verdict import Verdict, verdict


@dataclass(frozen=True, slots=True)
class Made:
    """A request that ended in a verified image."""

    delivered: Delivered
    plan: RoutePlan
    attempts: tuple[Attempt, ...]
    usage: Usage | None
    warnings: tuple[Warning, ...]
    simulated: bool

    @property
    def cost(self) -> Decimal:
        """USD the caller is charged: the winning attempt's, once."""
        return self.attempts[-1].cost


class NotMadeError(Exception):
    """A request that ended without an image. Carries what the caller is told and what was tried."""

    def __init__(self, verdict: Verdict, plan: RoutePlan, attempts: tuple[Attempt, ...], *, simulated: bool) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.plan = plan
        self.attempts = attempts
        self.simulated = simulated


LEAVE_SHARE = 0.5
"""Share of the request's remaining time that cancelling a try may take before the next one begins."""

Watcher = Callable[[Candidate], None]
"""Told of each candidate as it is about to be tried."""


@dataclass(frozen=True, slots=True)
class _Ended:
    attempt: Attempt
    delivered: Delivered | None = None
    result: ImageResult | None = None
    simulated: bool = False


class Gateway:
    """Holds the hands (driver, providers) and the current health; one per process."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        prices: PriceTable,
        policy: Policy,
        driver: Driver,
        telemetry: Telemetry,
        workers: Workers,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._providers = providers
        self._prices = prices
        self._policy = policy
        self._driver = driver
        self._telemetry = telemetry
        self._clock = clock or steady_clock()
        self._workers = workers
        self.health = HealthBook()

    async def make(
        self,
        request: ImageRequest,
        model: PublicModel,
        offers: Sequence[Offer],
        *,
        timeout_s: float | None = None,
        watcher: Watcher | None = None,
    ) -> Made:
        """Plan and carry out. Raises NotMadeError when no image came of it, and passes cancellation on.

        ``timeout_s`` is the caller's own deadline for the whole request; None: the policy's.
        """
        policy = self._policy if timeout_s is None else replace(self._policy, request_deadline_s=timeout_s)
        draw = random.random()  # noqa: S311 - spreads load, keeps no secret
        route = plan(request, offers, self._prices, self.health.current, policy, now=self._clock(), draw=draw)
        attempts: tuple[Attempt, ...] = ()
        simulated = False
        while isinstance(step := next_step(route, attempts, now=self._clock(), draw=draw), Try):
            if watcher is not None:
                watcher(step.candidate)
            ended = await self._try(step, request, model, route, attempts)
            attempts = (*attempts, ended.attempt)
            simulated = simulated or ended.simulated
            if ended.delivered is not None and ended.result is not None:
                self._telemetry.plan_ended(route, attempts)
                return Made(
                    ended.delivered, route, attempts, ended.result.usage, ended.result.warnings, ended.simulated
                )
        self._telemetry.plan_ended(route, attempts)
        raise NotMadeError(verdict(route, attempts, now=self._clock()), route, attempts, simulated=simulated)

    async def _try(
        self, step: Try, request: ImageRequest, model: PublicModel, route: RoutePlan, earlier: tuple[Attempt, ...]
    ) -> _Ended:
        """One attempt, recorded whatever happens; also when the caller leaves, which ends the request here."""
        offer = step.candidate.offer
        provider = self._providers[offer.provider]
        if step.candidate.probe:
            self.health.start_probe(offer.key, self._policy, now=self._clock())
        trace = Trace()
        started = self._clock()
        paid = False

        def attempt(spend: Spend, fault: ProviderError | None = None) -> Attempt:
            ended = Attempt(
                offer=offer,
                started_at=started,
                seconds=max(self._clock() - started, 0.0),
                spend=spend,
                cost=step.candidate.quote.total if spend is Spend.CHARGED else Decimal(0),
                first_byte_seconds=trace.first_byte_seconds,
            )
            if fault is not None:
                ended = replace(
                    ended,
                    fault=fault.fault,
                    message=fault.message,
                    parameter=fault.parameter,
                    retry_after=fault.retry_after,
                    detail=fault.detail,
                    deadline_hit=fault.fault is Fault.TIMED_OUT and step.ends_at_deadline,
                    seconds=min(ended.seconds, step.limit_s) if fault.fault is Fault.TIMED_OUT else ended.seconds,
                )
            self.health.record(ended, self._policy, now=self._clock())
            self._telemetry.attempt_ended(ended, request)
            return ended

        try:
            result = await self._driver.converse(
                provider.adapter.converse(request, offer.provider_model),
                provider,
                trace,
                limit_s=step.limit_s,
                ends_at_deadline=step.ends_at_deadline,
                leave_limit_s=max(route.deadline_at - started - step.limit_s, 0.0) * LEAVE_SHARE,
            )
            paid = True
            delivered = await self._verified(result, request, model)
        except ProviderError as failed:
            return _Ended(attempt(failed.spend, failed), simulated=trace.simulated)
        except NotDeliveredError as unusable:
            fault = ProviderError(
                Fault.BAD_REPLY,
                f"{offer.provider} delivered something other than the image asked for ({unusable.message})",
                spend=Spend.CHARGED,
                detail=unusable.check,
            )
            return _Ended(attempt(Spend.CHARGED, fault), simulated=trace.simulated)
        except Exception as bug:  # noqa: BLE001 - see below
            # Whatever it is, it is ours, and the vendor has delivered or may have: the try must be in the books.
            spend = Spend.CHARGED if paid else _assumed(trace)
            own = ProviderError(
                Fault.OWN_FAULT, "the gateway failed while handling the image", spend=spend, detail=type(bug).__name__
            )
            return _Ended(attempt(spend, own), simulated=trace.simulated)
        except asyncio.CancelledError:
            spend = Spend.CHARGED if paid else _assumed(trace)
            left = attempt(spend, ProviderError(Fault.ABANDONED, "the caller left", spend=spend))
            self._telemetry.plan_ended(route, (*earlier, left))
            raise
        return _Ended(attempt(Spend.CHARGED), delivered, result, trace.simulated)

    async def _verified(self, result: ImageResult, request: ImageRequest, model: PublicModel) -> Delivered:
        return await self._workers.run(verify, result.images[-1], request, model)


def steady_clock() -> Callable[[], float]:
    """Unix seconds as of now, counted on by a clock that never jumps: setting the machine's time moves no deadline."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


def _assumed(trace: Trace) -> Spend:
    return Spend.POSSIBLE if trace.committed else Spend.NONE
