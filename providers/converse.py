"""Converse: drives one adapter's conversation, under a time limit, to an image or a ProviderError.

A conversation is ended early by its time limit, by cancellation of the calling task (the caller hung up), or by a
failure of our own. It is then told with ``Abandoned`` and may cancel its job with the vendor; that winding up runs in a
tracked task of its own, because a cancelled scope would cancel it again, and shutdown waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from providers.calls import SIMULATOR_HEADER, Calls, Trace
from providers.credentials import Credential
from providers.spec.adapter import Adapter
from providers.spec.blob import Blob
from providers.spec.conversation import AbandonReason, Conversation, Reply
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.result import ImageResult
from providers.talk import Talk, TimeUpError
from providers.transport import Transport

__all__ = ["SIMULATOR_HEADER", "Driver", "Provider", "Trace"]


@dataclass(frozen=True, slots=True)
class Provider:
    """An adapter and the credential its endpoint takes."""

    adapter: Adapter
    credential: Credential


class Driver:
    """Drives conversations. One per process; ``close`` waits for those still taking their leave."""

    def __init__(self, transport: Transport, *, submit_grace_s: float = 5.0, cancel_limit_s: float = 5.0) -> None:
        self._transport = transport
        self._submit_grace_s = submit_grace_s
        self._cancel_limit_s = cancel_limit_s
        self._under_way: set[asyncio.Future[None]] = set()
        self._winding_up: set[asyncio.Task[Spend]] = set()
        self._calls: set[asyncio.Task[Reply | None]] = set()

    async def converse(
        self,
        conversation: Conversation,
        provider: Provider,
        trace: Trace,
        *,
        limit_s: float,
        ends_at_deadline: bool = False,
        leave_limit_s: float | None = None,
        on_interim: Callable[[Blob], None] | None = None,
    ) -> ImageResult:
        """Drive to the end. Raises ProviderError and nothing else (but cancellation).

        Cancelling the calling task with the message ``AbandonReason.HEDGE_LOST`` says that another try delivered; any
        other cancellation means that the caller hung up.

        ``ends_at_deadline`` says that the limit is the request's own deadline: then the answer does not wait for the
        cancel call; else it does, because the next provider must not be paid before this one was asked to stop, but
        no longer than ``leave_limit_s``, so that a vendor who does not even answer that leaves time for the next.
        """
        name = provider.adapter.name
        calls = Calls(self._transport, provider.adapter.endpoint, provider.credential, trace, self._calls)
        talk = Talk(conversation, name, trace, calls, limit_s, on_interim)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.add(ended)
        reason = AbandonReason.HUNG_UP
        try:
            return await talk.run()
        except TimeUpError:
            reason = AbandonReason.REQUEST_DEADLINE if ends_at_deadline else AbandonReason.ATTEMPT_LIMIT
            failed = ProviderError(
                Fault.TIMED_OUT,
                f"{name} did not deliver within {limit_s:.0f} s",
                spend=talk.assumed_spend,
                detail=reason.value,
            )
        except ProviderError as error:
            if talk.over:
                raise
            # Ours, not the vendor's: the conversation does not know yet. Like a caller's leaving, it blames nobody.
            failed = error
        except asyncio.CancelledError as cancelled:
            lost = cancelled.args[:1] == (AbandonReason.HEDGE_LOST,)
            self._wind_up(talk, AbandonReason.HEDGE_LOST if lost else reason)
            raise
        finally:
            self._under_way.discard(ended)
            ended.set_result(None)
        leave = self._wind_up(talk, reason)
        if not ends_at_deadline:
            await asyncio.wait({leave}, timeout=leave_limit_s)
            settled = leave.done() and not leave.cancelled()
            failed.spend = leave.result() if settled else talk.assumed_spend
        try:
            raise failed
        finally:
            del failed  # else it and this frame keep each other, and what was read so far, until the collector comes by

    @property
    def leaving(self) -> int:
        """Conversations still taking their leave."""
        return len(self._winding_up)

    async def close(self, limit_s: float) -> None:
        """Wait for those under way and those taking their leave, at most ``limit_s`` seconds; then drop them.

        Those under way are waited for because their tasks may have been cancelled only now: they begin to take their
        leave when that has come through.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + limit_s
        while (busy := self._under_way | self._winding_up) and (left := ends_at - loop.time()) > 0:
            await asyncio.wait(busy, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        while late := self._winding_up | self._calls:
            for task in late:
                task.cancel()
            await asyncio.wait(late)

    def _wind_up(self, talk: Talk, reason: AbandonReason) -> asyncio.Task[Spend]:
        task = asyncio.create_task(talk.take_leave(reason, self._submit_grace_s, self._cancel_limit_s))
        self._winding_up.add(task)
        task.add_done_callback(self._winding_up.discard)
        return task
