"""Talk: one conversation under way, step by step, and its decent end when it is ended early."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from providers.calls import Calls, Trace
from providers.credentials import CredentialUnavailableError
from providers.limit import Limit
from providers.spec.blob import Blob
from providers.spec.conversation import (
    Abandoned,
    AbandonReason,
    Conversation,
    HttpCall,
    Interim,
    NextEvent,
    Pause,
    Reply,
    Step,
    Unanswered,
)
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import place_of
from providers.spec.result import ImageResult
from providers.spool import SpoolFailedError

_WIND_UP_STEPS = 3
"""Calls a conversation may make to take its leave; a cancel is one."""

_log = logging.getLogger(__name__)


class TimeUpError(Exception):
    """The time limit has passed; the conversation still waits at a yield."""


@dataclass(frozen=True, slots=True)
class _InFlight:
    task: asyncio.Task[Reply | None]
    committed_before: bool


class Talk:
    """The generator, and the call that starts a job while it is waited for: that one is not ended with whoever waits.
    ``limit_s`` runs from now."""

    def __init__(
        self,
        conversation: Conversation,
        name: str,
        trace: Trace,
        calls: Calls,
        limit_s: float,
        on_interim: Callable[[Blob], None] | None,
    ) -> None:
        self._conversation = conversation
        self._name = name
        self._trace = trace
        self._calls = calls
        self._now = asyncio.get_running_loop().time
        self._ends_at = self._now() + limit_s
        self._on_interim = on_interim
        self._in_flight: _InFlight | None = None
        self._leaving = False
        self.over = False
        """The generator has ended: there is nobody left to tell anything."""

    @property
    def assumed_spend(self) -> Spend:
        """What to assume when nobody learnt better."""
        return Spend.POSSIBLE if self._trace.committed else Spend.NONE

    async def run(self) -> ImageResult:
        """To the result. Raises ProviderError or TimeUpError; unless ``over``, leave must then be taken."""
        try:
            step = self._advance(None)
            while not isinstance(step, ImageResult):
                left = self._ends_at - self._now()
                if isinstance(step, HttpCall):
                    step = self._advance(await self._answered(step, left))
                else:
                    step = self._advance(await self._carried_out(step, left))
            return step
        finally:
            if self.over:
                self._calls.close()  # else whoever takes leave does

    def _advance(self, event: Reply | Exception | None) -> Step | ImageResult:
        """Hand the generator what happened; its next step, or its result. Raises ProviderError."""
        try:
            if isinstance(event, Exception):
                return self._conversation.throw(event)
            return self._conversation.send(event)
        except StopIteration as end:
            self.over = True
            if isinstance(end.value, ImageResult):
                return end.value
            raise self._misspoken("returned no result") from None
        except ProviderError:
            self.over = True
            raise
        except Unanswered as unanswered:
            self.over = True
            raise ProviderError(
                Fault.UNREACHABLE,
                f"{self._name} could not be reached",
                spend=self.assumed_spend,
                detail=unanswered.reason,
            ) from unanswered
        except Exception as bug:
            self.over = True
            if self._leaving and isinstance(bug, Abandoned):
                raise
            raise self._misspoken(_kind_and_place(bug), type(bug).__name__) from bug

    def _misspoken(self, what: str, detail: str = "") -> ProviderError:
        """For a reply that no adapter foresaw: it must not escape as any other exception."""
        _log.error("adapter bug: %s", what)
        return ProviderError(
            Fault.BAD_REPLY,
            f"{self._name} answered in a way the gateway does not understand",
            spend=self.assumed_spend,
            detail=detail or what,
        )

    def _own_fault(self, message: str, failed: Exception) -> ProviderError:
        _log.error("own fault: %s", _kind_and_place(failed))
        return ProviderError(Fault.OWN_FAULT, message, spend=self.assumed_spend, detail=type(failed).__name__)

    async def _carried_out(self, step: Step, left: float) -> Reply | Unanswered | None:
        if isinstance(step, NextEvent):
            return await self._answered(step, left)
        if isinstance(step, Pause):
            seconds = max(step.seconds, 0.0)
            # Written so that a pause which is no number ends at the limit too.
            await asyncio.sleep(seconds if seconds < left else max(left, 0.0))
            if not seconds < left:
                raise TimeUpError
        elif isinstance(step, Interim):
            await self._hand_out(step, left)
        else:
            raise self._misspoken(f"yielded a {type(step).__name__}")
        return None

    async def _hand_out(self, step: Interim, left: float) -> None:
        if left <= 0:
            raise TimeUpError
        if self._on_interim is not None:
            try:
                self._on_interim(step.blob)
            except Exception as failed:
                raise self._own_fault("the gateway could not hand out an interim image", failed) from failed
        await asyncio.sleep(0)  # a conversation of interim images only must not hold the event loop

    async def _answered(self, step: HttpCall | NextEvent, left: float) -> Reply | Unanswered | None:
        if left <= 0:
            raise TimeUpError
        committed_before = self._trace.committed
        if isinstance(step, HttpCall):
            if step.commits or step.starts_job:
                self._trace.committed = True
            if step.starts_job:
                flight = self._in_flight = _InFlight(self._calls.start(step), committed_before)
                done, _ = await asyncio.wait({flight.task}, timeout=left)
                if not done:
                    raise TimeUpError
                self._in_flight = None
                return self._outcome(flight)
        limit = Limit(left)
        try:
            with limit:
                return await self._calls.carried_out(step, left)
        except Exception as failed:  # noqa: BLE001 - told apart there
            if limit.expired:
                raise TimeUpError from None
            broken = failed
        finally:
            del limit  # it leads to the task, which may end in an exception that leads to this frame
        try:
            return self._broken(broken, committed_before)
        finally:
            del broken  # it leads to this frame

    def _outcome(self, flight: _InFlight) -> Reply | Unanswered | None:
        """What became of a call that starts a job. Raises as ``_broken``."""
        failed = flight.task.exception()
        if failed is None:
            return flight.task.result()
        if not isinstance(failed, Exception):
            raise failed
        return self._broken(failed, flight.committed_before)

    def _broken(self, failed: Exception, committed_before: bool) -> Unanswered:
        """For a call without a reply, or an event that did not come. Raises ProviderError when the conversation cannot
        go on: then the fault is ours."""
        if isinstance(failed, Unanswered):
            if not failed.sent:
                self._trace.committed = committed_before
            return failed.with_traceback(None)  # it leads to whoever has it: they would keep each other
        if isinstance(failed, CredentialUnavailableError):
            self._trace.committed = committed_before
            raise ProviderError(
                Fault.UNREACHABLE if failed.temporary else Fault.CREDENTIALS,
                f"{self._name} could not be called: no credential",
                spend=self.assumed_spend,
                detail=str(failed),
            ) from None
        if isinstance(failed, SpoolFailedError):
            raise self._own_fault("the gateway could not store the reply", failed) from failed
        # Whatever it is, it is ours, and the job must still be cancelled. Without its cause: an error of the HTTP
        # library may hold the request's headers.
        raise self._own_fault(f"the gateway failed while it called {self._name}", failed) from None

    async def take_leave(self, reason: AbandonReason, submit_grace_s: float, cancel_limit_s: float) -> Spend:
        """End the conversation early and decently; what the vendor may bill. Never raises but when cancelled.

        Takes at most the two limits together: for a call in flight that starts a job, and for all calls after it.
        """
        try:
            result = await self._settle_call_in_flight(submit_grace_s)
            if result is not None:
                return Spend.CHARGED
            return await self._say_goodbye(Abandoned(reason), cancel_limit_s)
        except ProviderError as failed:
            return failed.spend
        finally:
            self._drop()

    async def _settle_call_in_flight(self, submit_grace_s: float) -> ImageResult | None:
        """Let a call that starts a job finish; any other has ended with whoever waited for it. Afterwards the
        conversation waits at a yield, unless its result is returned. Raises ProviderError when it ended otherwise."""
        flight = self._in_flight
        if flight is None:
            return None
        await asyncio.wait({flight.task}, timeout=submit_grace_s)
        await self._stop_call()
        if flight.task.cancelled():
            return None
        step = self._advance(self._outcome(flight))
        return step if isinstance(step, ImageResult) else None

    async def _stop_call(self) -> None:
        flight = self._in_flight
        if flight is None:
            return
        if not flight.task.done():
            flight.task.cancel()
            await asyncio.wait({flight.task})
        self._in_flight = None

    async def _say_goodbye(self, abandoned: Abandoned, cancel_limit_s: float) -> Spend:
        self._leaving = True
        ends_at = self._now() + cancel_limit_s
        event: Reply | Exception | None = abandoned
        try:
            for _ in range(_WIND_UP_STEPS):
                step = self._advance(event)
                if isinstance(step, ImageResult):
                    return Spend.CHARGED
                if not isinstance(step, HttpCall):
                    break
                try:
                    event = await self._answered(step, ends_at - self._now())
                except (TimeUpError, ProviderError):
                    await self._stop_call()
                    event = Unanswered("the cancel call was not answered", sent=True)
        except Abandoned:
            pass
        spend = abandoned.spend or self.assumed_spend
        abandoned.__traceback__ = None  # it leads to this frame: a ring that would keep what was read so far
        return spend

    def _drop(self) -> None:
        """Let go of whatever is left."""
        self.over = True
        if self._in_flight is not None:
            self._in_flight.task.cancel()
        self._calls.close()
        try:
            self._conversation.close()
        except Exception as bug:  # noqa: BLE001 - a generator that yields or raises while it is closed
            _log.error("adapter bug: %s", _kind_and_place(bug))


def _kind_and_place(bug: Exception) -> str:
    """All that may be logged of an exception: its text may hold the caller's prompt."""
    return f"{type(bug).__name__} at {place_of(bug)}"
