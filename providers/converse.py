"""Converse: drives one adapter's conversation, under a time limit, to an image or a ProviderError.

The two ways to end early are the time limit and cancellation of the calling task (the caller hung up). Either way
the conversation is told with ``Abandoned`` and may cancel its job with the vendor; that winding up runs in a tracked
task of its own, because a cancelled scope would cancel it again, and shutdown waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from providers.credentials import Credential, CredentialUnavailableError
from providers.spec.adapter import Adapter
from providers.spec.blob import Blob
from providers.spec.conversation import (
    Abandoned,
    AbandonReason,
    Conversation,
    HttpCall,
    Interim,
    Pause,
    Reply,
    Step,
    Unanswered,
)
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.result import ImageResult
from providers.spool import SpoolFailedError
from providers.transport import Transport

SIMULATOR_HEADER = "x-image-gateway-simulator"
_WIND_UP_STEPS = 3
"""Calls a conversation may make to take its leave; a cancel is one."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Trace:
    """What the driver saw of one conversation, whether it ended well or not."""

    first_byte_seconds: float | None = None
    simulated: bool = False
    committed: bool = False
    """A call from which the vendor may bill was started."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An adapter and the credential its endpoint takes."""

    adapter: Adapter
    credential: Credential


class _TimeUp(Exception):
    pass


class Driver:
    """Drives conversations. One per process; ``close`` waits for those still taking their leave."""

    def __init__(self, transport: Transport, *, submit_grace_s: float = 5.0, cancel_limit_s: float = 5.0) -> None:
        self._transport = transport
        self._submit_grace_s = submit_grace_s
        self._cancel_limit_s = cancel_limit_s
        self._winding_up: set[asyncio.Task[Spend]] = set()

    async def converse(
        self,
        conversation: Conversation,
        provider: Provider,
        trace: Trace,
        *,
        limit_s: float,
        ends_at_deadline: bool = False,
        on_interim: Callable[[Blob], None] | None = None,
    ) -> ImageResult:
        """Drive to the end. Raises ProviderError and nothing else (but cancellation).

        ``ends_at_deadline`` says that the limit is the request's own deadline: then the answer does not wait for the
        cancel call; else it does, because the next provider must not be paid before this one was asked to stop.
        """
        talk = _Talk(self, conversation, provider, trace, limit_s, on_interim)
        try:
            return await talk.run()
        except _TimeUp:
            reason = AbandonReason.REQUEST_DEADLINE if ends_at_deadline else AbandonReason.ATTEMPT_LIMIT
            leave = self._wind_up(talk, reason)
            spend = talk.assumed_spend
            if not ends_at_deadline:
                spend = await asyncio.shield(leave)
            name = provider.adapter.name
            raise ProviderError(
                Fault.TIMED_OUT, f"{name} did not deliver within {limit_s:.0f} s", spend=spend, detail=reason.value
            ) from None
        except asyncio.CancelledError:
            self._wind_up(talk, AbandonReason.HUNG_UP)
            raise

    @property
    def leaving(self) -> int:
        """Conversations still taking their leave."""
        return len(self._winding_up)

    async def close(self, limit_s: float) -> None:
        """Wait for those taking their leave, at most ``limit_s`` seconds; then drop them."""
        if not self._winding_up:
            return
        _, late = await asyncio.wait(self._winding_up, timeout=limit_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _wind_up(self, talk: _Talk, reason: AbandonReason) -> asyncio.Task[Spend]:
        task = asyncio.create_task(talk.take_leave(reason, self._submit_grace_s, self._cancel_limit_s))
        self._winding_up.add(task)
        task.add_done_callback(self._winding_up.discard)
        return task

    async def _send(self, call: HttpCall, provider: Provider, trace: Trace) -> Reply:
        reply = await self._transport.send(call, provider.adapter.endpoint, provider.credential)
        if SIMULATOR_HEADER in reply.headers:
            trace.simulated = True
        if trace.first_byte_seconds is None:
            trace.first_byte_seconds = reply.first_byte_seconds
        return reply


class _Talk:
    """One conversation under way: the generator, and the call in flight if there is one."""

    def __init__(
        self,
        driver: Driver,
        conversation: Conversation,
        provider: Provider,
        trace: Trace,
        limit_s: float,
        on_interim: Callable[[Blob], None] | None,
    ) -> None:
        self._driver = driver
        self._conversation = conversation
        self._provider = provider
        self._trace = trace
        self._ends_at = asyncio.get_running_loop().time() + limit_s
        self._on_interim = on_interim
        self._in_flight: tuple[HttpCall, asyncio.Task[Reply]] | None = None

    @property
    def assumed_spend(self) -> Spend:
        """What to assume when nobody learnt better."""
        return Spend.POSSIBLE if self._trace.committed else Spend.NONE

    async def run(self) -> ImageResult:
        step = self._advance(None)
        while not isinstance(step, ImageResult):
            if isinstance(step, HttpCall):
                step = self._advance(await self._answered(step))
            elif isinstance(step, Pause):
                await self._pause(step.seconds)
                step = self._advance(None)
            else:
                self._hand_out(step)
                step = self._advance(None)
        return step

    def _advance(self, event: Reply | Exception | None) -> Step | ImageResult:
        """Hand the generator what happened; its next step, or its result. Raises ProviderError."""
        try:
            if isinstance(event, Exception):
                return self._conversation.throw(event)
            return self._conversation.send(event)
        except StopIteration as end:
            result: ImageResult = end.value
            return result
        except (ProviderError, Abandoned):
            raise
        except Unanswered as unanswered:
            raise ProviderError(
                Fault.UNREACHABLE,
                f"{self._provider.adapter.name} could not be reached",
                spend=self.assumed_spend if unanswered.sent else Spend.NONE,
                detail=unanswered.reason,
            ) from unanswered
        except Exception as bug:
            # A reply no adapter foresaw must not escape as an exception. Only its type and place are logged: its
            # text may hold the caller's prompt.
            place = traceback.extract_tb(bug.__traceback__)[-1]
            _log.error("adapter bug: %s at %s:%s", type(bug).__name__, place.filename, place.lineno)
            raise ProviderError(
                Fault.BAD_REPLY,
                f"{self._provider.adapter.name} answered in a way the gateway does not understand",
                spend=self.assumed_spend,
                detail=type(bug).__name__,
            ) from bug

    async def _answered(self, call: HttpCall) -> Reply | Exception:
        task = asyncio.create_task(self._driver._send(call, self._provider, self._trace))  # noqa: SLF001 - its inner half
        self._trace.committed = self._trace.committed or call.commits
        self._in_flight = (call, task)
        done, _ = await asyncio.wait({task}, timeout=self._left())
        if not done:
            raise _TimeUp
        self._in_flight = None
        return self._outcome(task)

    def _outcome(self, task: asyncio.Task[Reply]) -> Reply | Exception:
        name = self._provider.adapter.name
        try:
            return task.result()
        except Unanswered as unanswered:
            return unanswered
        except CredentialUnavailableError as unavailable:
            self._conversation.close()
            fault = Fault.UNREACHABLE if unavailable.temporary else Fault.CREDENTIALS
            raise ProviderError(fault, f"{name} could not be called: no credential", detail=str(unavailable)) from None
        except SpoolFailedError as failed:
            self._conversation.close()
            raise ProviderError(
                Fault.OWN_FAULT, "the gateway could not store the reply", spend=self.assumed_spend, detail=str(failed)
            ) from failed

    async def _pause(self, seconds: float) -> None:
        left = self._left()
        await asyncio.sleep(min(max(seconds, 0.0), left))
        if seconds >= left:
            raise _TimeUp

    def _hand_out(self, step: Interim) -> None:
        if self._on_interim is not None:
            self._on_interim(step.blob)

    def _left(self) -> float:
        return max(self._ends_at - asyncio.get_running_loop().time(), 0.0)

    async def take_leave(self, reason: AbandonReason, submit_grace_s: float, cancel_limit_s: float) -> Spend:
        """End the conversation early and decently; what the vendor may bill. Never raises."""
        try:
            known = await self._settle_call_in_flight(submit_grace_s)
            if known is not None:
                return known
            return await self._say_goodbye(Abandoned(reason), cancel_limit_s)
        except ProviderError as failed:
            return failed.spend
        finally:
            self._conversation.close()

    async def _settle_call_in_flight(self, submit_grace_s: float) -> Spend | None:
        """What the vendor may bill, when that is settled; None: the conversation waits at a yield and can be told."""
        if self._in_flight is None:
            return None
        call, task = self._in_flight
        self._in_flight = None
        if call.starts_job:
            await asyncio.wait({task}, timeout=submit_grace_s)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # retrieved, so that nobody logs it as forgotten
            return self.assumed_spend if call.starts_job else None
        if task.cancelled():
            return self.assumed_spend if call.starts_job else None
        outcome = self._outcome(task)
        if not call.starts_job:
            return None
        return Spend.CHARGED if isinstance(self._advance(outcome), ImageResult) else None

    async def _say_goodbye(self, abandoned: Abandoned, cancel_limit_s: float) -> Spend:
        event: Reply | Exception = abandoned
        try:
            for _ in range(_WIND_UP_STEPS):
                step = self._advance(event)
                if not isinstance(step, HttpCall):
                    break
                try:
                    async with asyncio.timeout(cancel_limit_s):
                        event = await self._driver._send(step, self._provider, self._trace)  # noqa: SLF001 - as above
                except (TimeoutError, Unanswered, CredentialUnavailableError, SpoolFailedError):
                    event = Unanswered("the cancel call was not answered", sent=True)
        except Abandoned:
            pass
        return abandoned.spend or self.assumed_spend
