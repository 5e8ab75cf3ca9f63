"""Calls: what one conversation does over HTTP, and the events of the last call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from providers.credentials import Credential
from providers.event_stream import EventStream
from providers.spec.adapter import Endpoint
from providers.spec.conversation import HttpCall, NextEvent, Reply
from providers.transport import Transport

SIMULATOR_HEADER = "x-image-gateway-simulator"


@dataclass(slots=True)
class Trace:
    """What was seen of one conversation, whether it ended well or not."""

    first_byte_seconds: float | None = None
    simulated: bool = False
    committed: bool = False
    """A call from which the vendor may bill was started, and nothing proves that it never left."""


class Calls:
    """One conversation's calls. ``under_way`` is where whoever drives it finds the tasks that still run."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        credential: Credential,
        trace: Trace,
        under_way: set[asyncio.Task[Reply | None]],
    ) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._credential = credential
        self._trace = trace
        self._under_way = under_way
        self._stream: EventStream | None = None
        self._closed = False

    def carried_out(
        self, step: HttpCall | NextEvent, limit_s: float | None = None
    ) -> Coroutine[Any, Any, Reply | None]:
        """Make a call, or wait for the next event of the last one. A call closes the events of the one before.
        ``limit_s``: as ``Transport.open`` has it.

        Awaited, it raises what ``Transport.open`` and ``EventStream.next`` raise.
        """
        return self._send(step, limit_s) if isinstance(step, HttpCall) else self._next()

    def start(self, call: HttpCall) -> asyncio.Task[Reply | None]:
        """The same for a call that goes on when whoever waits for it is ended."""
        task: asyncio.Task[Reply | None] = asyncio.create_task(self.carried_out(call))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def close(self) -> None:
        """Close the stream of events, if one is open, and any that a call still under way may open."""
        self._closed = True
        self._hang_up()

    async def _send(self, call: HttpCall, limit_s: float | None) -> Reply:
        self._hang_up()
        answered = await self._transport.open(call, self._endpoint, self._credential, limit_s=limit_s)
        reply, self._stream = answered.reply, answered.events
        if self._closed:
            self._hang_up()
        if SIMULATOR_HEADER in reply.headers:
            self._trace.simulated = True
        if self._trace.first_byte_seconds is None:
            self._trace.first_byte_seconds = reply.first_byte_seconds
        return reply

    async def _next(self) -> Reply | None:
        return None if self._stream is None else await self._stream.next()

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _ended(self, task: asyncio.Task[Reply | None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that nobody logs it as forgotten
