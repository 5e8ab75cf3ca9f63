"""A response that streams events: each as a whole, heartbeats in the silence between them, and an end that says how
it went.

Knows nothing of what the events are about; whoever makes them hands in an iterator.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.doors.hang_up import has_left, hung_up
from app.doors.openai_images.errors import ApiError, internal_error, shutting_down
from app.doors.openai_images.sse import HEARTBEAT, Event, error_parts, may_end
from app.doors.reply import send_in_chunks, send_in_time

HEARTBEAT_SECONDS = 10.0
"""Silence after which a heartbeat is sent. Clients wait 600 s for the next byte (openai-python's default), proxies on
the way less: nginx cuts after 60 s (its ``proxy_read_timeout``), and some are set to half of that."""
FIRST_HEARTBEAT_SECONDS = 0.5
"""The first one comes early: it takes the headers through proxies that hold them back until a body begins."""

_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx and those who follow it would collect the whole answer first
}


class UnfinishedStreamError(Exception):
    """The events were over, and the last one was neither a completed image nor an error. A bug of who made them."""


class EventStreamResponse(Response):
    """Events as they are made, each written as a whole before the next is asked for.

    ``events`` yields them in order; the last one must be a completed image or an error, and is not known to be the last
    until the iterator ends. An ApiError it raises becomes the last event. Any other exception becomes an
    ``internal_error`` without details and is raised again once the stream has ended properly, for the edge to log; so
    is UnfinishedStreamError when the iterator just ends. The iterator is closed in whatever way the stream ends, in the
    task that iterates it; when the client leaves, whatever it is waiting for is cancelled first.

    Sizes are not bounded here: of an event's pieces at most one chunk at a time is copied. ``heartbeat_s`` and
    ``first_heartbeat_s`` are seconds. Used once.
    """

    def __init__(
        self,
        events: AsyncIterator[Event],
        *,
        headers: Mapping[str, str],
        heartbeat_s: float = HEARTBEAT_SECONDS,
        first_heartbeat_s: float = FIRST_HEARTBEAT_SECONDS,
    ) -> None:
        super().__init__(status_code=200, headers={**headers, **_HEADERS}, media_type="text/event-stream")
        del self.headers["content-length"]
        self._events = events
        self._heartbeat_s = heartbeat_s
        self._first_heartbeat_s = first_heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Raises ClientTooSlowError when the client takes too long over a chunk, and what the class
        says. Returns as well when the client has left."""
        writer = _Writer(send, self._heartbeat_s, self._first_heartbeat_s)
        if has_left(scope):  # nothing is bought for nobody
            await _close(self._events)
            return
        try:
            await writer.begin(self.status_code, self.raw_headers)
            await self._stream(writer, receive)
        except asyncio.CancelledError:
            # Only shutdown cancels a response. Within an event nothing can be said; there the cut has to say it.
            if writer.between_events:
                await writer.last_event(error_parts(shutting_down()))
            raise
        finally:
            await _close(self._events)  # does something only where the iteration was never begun

    async def _stream(self, writer: _Writer, receive: Receive) -> None:
        writing = asyncio.create_task(self._write_events(writer))
        beating = asyncio.create_task(writer.beat())
        watching = asyncio.create_task(hung_up(receive))
        tasks = (writing, beating, watching)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if writer.ended:  # the server reports a finished answer as a hang-up, too
                await asyncio.wait((writing,))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure

    async def _write_events(self, writer: _Writer) -> None:
        """All in one task, for a generator may hold across its yields what belongs to a task: a context variable."""
        bug: Exception | None = None
        try:
            ended = False
            async for event in self._events:
                await writer.event(event)
                ended = may_end(event)
            if not ended:
                raise UnfinishedStreamError
            await writer.end()
        except asyncio.CancelledError:
            if _told_to_end() or not writer.between_events:
                raise
            bug = RuntimeError("the work behind the events was cancelled, and not by this response")
        except ApiError as error:
            await writer.last_event(error_parts(error))
        except Exception as failure:
            if not writer.between_events:  # then it is sending that failed
                raise
            bug = failure
        finally:
            await _close(self._events)
        if bug is not None:
            await writer.last_event(error_parts(internal_error()))
            raise bug


class _Writer:
    """Writes events, and heartbeats where nothing was written for a while; one at a time, each as a whole."""

    def __init__(self, send: Send, heartbeat_s: float, first_heartbeat_s: float) -> None:
        self._send = send
        self._heartbeat_s = heartbeat_s
        self._due = _now() + first_heartbeat_s
        self._turn = asyncio.Lock()
        self.between_events = False
        """An event may be written now: the answer was begun, is not ended, and no event is half written."""
        self.ended = False

    async def begin(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Write the head of the answer. Raises ClientTooSlowError."""
        await send_in_time(self._send, {"type": "http.response.start", "status": status, "headers": headers})
        self.between_events = True

    async def event(self, event: Event) -> None:
        """Write one event. Raises ClientTooSlowError."""
        async with self._turn:
            self.between_events = False
            for part in event:
                await send_in_chunks(self._send, part)
            self.between_events = True
            self._due = _now() + self._heartbeat_s

    async def last_event(self, event: Event) -> None:
        """Write one event and end the answer with it. Raises ClientTooSlowError."""
        await self.event(event)
        await self.end()

    async def end(self) -> None:
        """End the answer; nothing can be written after this. Raises ClientTooSlowError."""
        async with self._turn:
            self.ended = True
            self.between_events = False
            await send_in_time(self._send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def beat(self) -> None:
        """Write heartbeats until cancelled. Raises ClientTooSlowError."""
        while not self.ended:
            await asyncio.sleep(self._due - _now())
            async with self._turn:
                if _now() >= self._due and not self.ended:
                    await send_in_chunks(self._send, HEARTBEAT)
                    self._due = _now() + self._heartbeat_s


def _told_to_end() -> bool:
    """Whether somebody cancelled this task. Asked here, for a task in a variable of its own coroutine would make a ring
    with the cancellation's traceback: an image that was being written would stay until the collector comes by."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _now() -> float:
    """Seconds on the event loop's clock, which is also the one that time limits go by."""
    return asyncio.get_running_loop().time()


async def _close(events: AsyncIterator[Event]) -> None:
    close = getattr(events, "aclose", None)  # generators have one, other iterators need not
    if close is None:
        return
    try:
        await close()
    except BaseExceptionGroup as group:
        # A task group around a yield has wound up its tasks by now, but calls the closing itself a failure.
        if group.split(GeneratorExit)[1] is not None:
            raise
