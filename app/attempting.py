"""Attempting: one try at one offer, from its start on the board to its record, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from app.catalog.models import PublicModel
from app.fitting import Fitted, Fitting
from app.media.finish import finish, is_finished
from app.media.verify import GLANCE_BYTES, Delivered, MustDecodeError, NotDeliveredError, verify
from app.telemetry import Telemetry
from providers.converse import Driver, Provider, Trace
from providers.spec.blob import Blob
from providers.spec.capability import Capability
from providers.spec.conversation import AbandonReason
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult, Warning
from providers.spec.unguarded import unguarded
from providers.workers import Workers
from routing.attempt import Attempt
from routing.fallback import SHORTEST_TRY_S
from routing.passage import Passage
from routing.steps import Hedge, Try
from routing.ticket import Ticket

_NOTHING = Decimal(0)
LEAVE_SHARE = 0.5
"""Share of the request's remaining time that cancelling a try may take before the next one begins."""


@unguarded
@dataclass(frozen=True, slots=True)
class Begun:
    """A try that the board knows of."""

    step: Try | Hedge
    started: float
    """Unix seconds."""
    ticket: Ticket


@unguarded
@dataclass(frozen=True, slots=True)
class Ended:
    """A try that is over, and what it brought."""

    attempt: Attempt
    delivered: tuple[Delivered, ...] = ()
    result: ImageResult | None = None
    simulated: bool = False
    charge: Decimal = _NOTHING
    """USD the caller is charged if these images are the answer."""
    warnings: tuple[Warning, ...] = ()


@unguarded
@dataclass(frozen=True, slots=True)
class Job:
    """What a try is for: the request, the model it names, its images as offers need them, and who watches."""

    request: ImageRequest
    model: PublicModel
    fitting: Fitting
    on_interim: Callable[[Blob], None] | None = None


class Attempting:
    """Carries out single tries with the hands it was given."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        driver: Driver,
        workers: Workers,
        telemetry: Telemetry,
        clock: Callable[[], float],
    ) -> None:
        self._providers = providers
        self._driver = driver
        self._workers = workers
        self._telemetry = telemetry
        self._clock = clock

    def begin(self, step: Try | Hedge, passage: Passage) -> Begun:
        """Tell the board that the step is being carried out. Whoever begins a try must carry it out or drop it."""
        started = self._clock()
        return Begun(step, started, passage.began(step, now=started))

    def drop(self, begun: Begun, passage: Passage) -> None:
        """End a try that was begun and never carried out; one that has ended is left as it is."""
        if passage.runs(begun.ticket):
            left = ProviderError(Fault.ABANDONED, "the caller left", spend=Spend.NONE)
            attempt = self._attempt(begun, Spend.NONE, left, Trace())
            passage.ended(begun.ticket, attempt, now=self._clock())

    async def attempt(self, begun: Begun, passage: Passage, job: Job) -> Ended:
        """One try, recorded in the passage and told to telemetry whatever happens; cancellation is passed on."""
        step, started, route = begun.step, begun.started, passage.plan
        candidate, request = step.candidate, job.request
        provider = self._providers[candidate.offer.provider]
        trace = Trace()
        paid = False
        billed = min(request.n, candidate.offer.capability.max_images)

        def record(spend: Spend, failed: ProviderError | None = None) -> Attempt:
            cost = passage.cost(candidate, billed) if spend is Spend.CHARGED else _NOTHING
            attempt = self._attempt(begun, spend, failed, trace, cost)
            passage.ended(begun.ticket, attempt, now=self._clock())
            possible = passage.cost(candidate, billed) if spend is Spend.POSSIBLE else _NOTHING
            self._telemetry.attempt_ended(attempt, request, possible)
            return attempt

        try:
            capability = candidate.offer.capability
            if request.images:
                fitted = await self._fitted(job, capability, route.deadline_at)
            else:
                fitted = await job.fitting.fitted(request, capability)
            limit_s, left_s = step.limit_s, route.deadline_at - self._clock()
            if left_s < limit_s:  # work on large input images takes seconds
                limit_s = left_s
                step = replace(step, limit_s=route.deadline_at - started, ends_at_deadline=True)
                begun = replace(begun, step=step)
            if fitted is None or left_s < SHORTEST_TRY_S:
                raise ProviderError(Fault.TIMED_OUT, "the request's time was over before its input images were ready")
            result = await self._driver.converse(
                provider.adapter.converse(fitted.request, candidate.offer.provider_model),
                provider,
                trace,
                limit_s=limit_s,
                ends_at_deadline=step.ends_at_deadline,
                leave_limit_s=max(route.deadline_at - started - step.limit_s, 0.0) * LEAVE_SHARE,
                on_interim=job.on_interim,
            )
            paid, billed = True, result.billed
            delivered = _at_a_glance(result, job, fitted)
            if delivered is None:
                delivered = await self._workers.run(_delivered, result, job, fitted)
        except ProviderError as failed:
            return Ended(record(failed.spend, failed), simulated=trace.simulated)
        except NotDeliveredError as unusable:
            fault = ProviderError(
                Fault.BAD_REPLY,
                f"{candidate.offer.provider} delivered something other than the image asked for ({unusable.message})",
                spend=Spend.CHARGED,
                detail=unusable.check,
            )
            return Ended(record(Spend.CHARGED, fault), simulated=trace.simulated)
        except Exception as bug:  # noqa: BLE001 - see below
            # Whatever it is, it is ours, and the vendor has delivered or may have: the try must be in the books.
            spend = Spend.CHARGED if paid else _assumed(trace)
            own = ProviderError(
                Fault.OWN_FAULT, "the gateway failed while handling the image", spend=spend, detail=type(bug).__name__
            )
            return Ended(record(spend, own), simulated=trace.simulated)
        except asyncio.CancelledError as cancelled:
            spend = Spend.CHARGED if paid else _assumed(trace)
            lost = cancelled.args[:1] == (AbandonReason.HEDGE_LOST,)
            why = "another try delivered first" if lost else "the caller left"
            detail = AbandonReason.HEDGE_LOST.value if lost else ""
            record(spend, ProviderError(Fault.ABANDONED, why, spend=spend, detail=detail))
            raise
        warnings = [*fitted.warnings, *result.warnings]
        for one in delivered:
            warnings += one.warnings
        return Ended(
            record(Spend.CHARGED),
            delivered,
            result,
            trace.simulated,
            charge=passage.cost(candidate, len(delivered)),
            warnings=tuple(warnings),
        )

    async def _fitted(self, job: Job, capability: Capability, deadline_at: float) -> Fitted | None:
        """The request as an offer is to be asked for it; None when that takes longer than there is time."""
        try:
            async with asyncio.timeout(max(deadline_at - self._clock(), 0.0)):
                return await job.fitting.fitted(job.request, capability)
        except TimeoutError:
            return None

    def _attempt(
        self, begun: Begun, spend: Spend, failed: ProviderError | None, trace: Trace, cost: Decimal = _NOTHING
    ) -> Attempt:
        step, started, candidate = begun.step, begun.started, begun.step.candidate
        ended = Attempt(
            offer=candidate.offer,
            started_at=started,
            seconds=max(self._clock() - started, 0.0),
            spend=spend,
            cost=cost,
            first_byte_seconds=trace.first_byte_seconds,
            reason=candidate.reason,
            probe=candidate.probe,
            hedge=isinstance(step, Hedge),
        )
        if failed is None:
            return ended
        timed_out = failed.fault is Fault.TIMED_OUT
        return replace(
            ended,
            fault=failed.fault,
            message=failed.message,
            parameter=failed.parameter,
            retry_after=failed.retry_after,
            detail=failed.detail,
            deadline_hit=timed_out and step.ends_at_deadline,
            seconds=min(ended.seconds, step.limit_s) if timed_out else ended.seconds,
        )


def _at_a_glance(result: ImageResult, job: Job, fitted: Fitted) -> tuple[Delivered, ...] | None:
    """What ``_delivered`` says, where that takes a millisecond, because there is little to read or it was looked at
    while it came; else None, and it is work for a worker thread, whose turn alone would cost more than the look."""
    to_read = 0
    for blob in result.images:
        if blob.ends is None:
            to_read += blob.length
    if to_read > GLANCE_BYTES:
        return None
    try:
        return _delivered(result, job, fitted, at_a_glance=True)
    except MustDecodeError:
        return None


def _delivered(result: ImageResult, job: Job, fitted: Fitted, *, at_a_glance: bool = False) -> tuple[Delivered, ...]:
    """The images that are what was asked for, as the caller wants them; at least one. Work for a worker thread, but
    ``at_a_glance``, which raises MustDecodeError when a picture has to be decoded.

    Of more images than were asked for the last ones count. Raises NotDeliveredError with what is wrong with the first
    when none is usable, and what went wrong here, a full disk for example, when it kept us from all that are.
    """
    usable: list[Delivered] = []
    wrong: Exception | None = None
    may_read = GLANCE_BYTES // max(1, len(result.images))
    for blob in result.images[-job.request.n :]:
        try:
            verified = verify(blob, fitted.request, job.model, may_decode=not at_a_glance, may_read=may_read)
            if not is_finished(verified, job.request, fitted.emulation, asked=fitted.request):
                if at_a_glance:
                    raise MustDecodeError
                verified = finish(
                    verified, job.request, fitted.emulation, asked=fitted.request, spool=job.fitting.spool_dir
                )
            usable.append(verified)
        except MustDecodeError:
            raise
        except NotDeliveredError as unusable:
            wrong = wrong or unusable
        except Exception as bug:  # noqa: BLE001 - the other images are paid for as well
            wrong = bug if wrong is None or isinstance(wrong, NotDeliveredError) else wrong
    if not usable and wrong is not None:
        try:
            raise wrong
        finally:
            del wrong  # else it and this frame, which holds the images, keep each other until the collector comes by
    return tuple(usable)


def _assumed(trace: Trace) -> Spend:
    return Spend.POSSIBLE if trace.committed else Spend.NONE
