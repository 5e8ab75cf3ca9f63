"""The streaming response on a clock that jumps: whole events, heartbeats in between, every way to end."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from starlette.types import Message

from app.doors.openai_images.errors import ApiError, ParameterError
from app.doors.openai_images.sse import HEARTBEAT, Event, Kind, completed_parts, error_parts, partial_parts
from app.doors.openai_images.stream import EventStreamResponse, UnfinishedStreamError
from app.doors.reply import WRITE_SECONDS, ClientTooSlowError
from tests.base64_text import joined

SCOPE = {"type": "http", "method": "POST"}
LOOKS: dict[str, Any] = {
    "created": 1_795_000_000,
    "size": "1024x1024",
    "quality": "high",
    "background": "opaque",
    "output_format": "png",
}
PARTIAL = partial_parts(Kind.GENERATION, base64=b"YWJj", index=0, **LOOKS)
COMPLETED = completed_parts(Kind.GENERATION, base64=memoryview(b"YWJj"), **LOOKS)
FAILED = error_parts(ParameterError("size", "No."))
SECRET = "a secret prompt"
HELD: ContextVar[str] = ContextVar("held")


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, lets the time pass at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen again"
            self.now += max(timeout, 0.0)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main)


class Client:
    """The server's side of a connection. ``reads`` may block or fail; ``leave`` is the hang-up."""

    def __init__(self, reads: Callable[[Message], Coroutine[Any, Any, None]] | None = None) -> None:
        self.got: list[tuple[float, Message]] = []
        self.leave = asyncio.Event()
        self._reads = reads

    async def send(self, message: Message) -> None:
        if self._reads is not None:
            await self._reads(message)
        self.got.append((asyncio.get_running_loop().time(), message))

    async def receive(self) -> Message:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for _, message in self.got)

    @property
    def ended(self) -> bool:
        return [message.get("more_body", True) for _, message in self.got].count(False) == 1

    def beats(self) -> list[float]:
        """Seconds at which heartbeats were sent."""
        return [round(at, 2) for at, message in self.got if message.get("body") == HEARTBEAT]


def bytes_of(*events: Event) -> bytes:
    return joined(part for event in events for part in event)


def response(events: AsyncIterator[Event], **more: Any) -> EventStreamResponse:
    return EventStreamResponse(events, headers={"x-one": "1"}, **more)


async def serve(client: Client, events: AsyncIterator[Event]) -> None:
    await response(events)(SCOPE, client.receive, client.send)


def last_error(body: bytes) -> dict[str, Any]:
    *_, name, data, empty, end = body.decode().split("\n")
    assert (name, empty, end) == ("event: error", "", "")
    inner: dict[str, Any] = json.loads(data.removeprefix("data: "))["error"]
    return inner


def test_the_head_goes_out_at_once_with_the_headers_streams_need() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            assert len(client.got) == 1
            yield COMPLETED

        await serve(client, events())
        at, head = client.got[0]
        assert (at, head["status"]) == (0.0, 200)
        assert dict(head["headers"]) == {
            b"content-type": b"text/event-stream; charset=utf-8",
            b"cache-control": b"no-store",
            b"x-accel-buffering": b"no",
            b"x-one": b"1",
        }
        assert client.body == bytes_of(COMPLETED)
        assert client.ended

    run(main())


def test_heartbeats_come_within_the_first_second_and_then_after_ten_seconds_of_silence() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            await asyncio.sleep(35)
            yield PARTIAL
            await asyncio.sleep(9)
            yield PARTIAL
            await asyncio.sleep(22)
            yield COMPLETED

        await serve(client, events())
        assert client.beats() == [0.5, 10.5, 20.5, 30.5, 54.0, 64.0]
        assert client.body.replace(HEARTBEAT, b"") == bytes_of(PARTIAL, PARTIAL, COMPLETED)

    run(main())


def test_an_event_before_the_first_heartbeat_takes_its_place() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            yield PARTIAL
            await asyncio.sleep(9)
            yield COMPLETED

        await serve(client, events())
        assert client.beats() == []

    run(main())


def test_heartbeat_intervals_can_be_set() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            await asyncio.sleep(7)
            yield COMPLETED

        await response(events(), heartbeat_s=3, first_heartbeat_s=1)(SCOPE, client.receive, client.send)
        assert client.beats() == [1.0, 4.0]

    run(main())


def test_a_heartbeat_never_lands_within_an_event_however_slowly_it_is_read() -> None:
    async def main() -> None:
        async def slowly(message: Message) -> None:
            if message["type"] == "http.response.body" and message["body"] != HEARTBEAT:
                await asyncio.sleep(25)

        client = Client(slowly)
        big = completed_parts(Kind.GENERATION, base64=b"A" * 1_000_000, **LOOKS)

        async def events() -> AsyncIterator[Event]:
            await asyncio.sleep(15)
            yield big
            await asyncio.sleep(15)
            yield COMPLETED

        await serve(client, events())
        assert client.body == HEARTBEAT * 2 + bytes_of(big) + HEARTBEAT + bytes_of(COMPLETED)
        assert max(len(message.get("body", b"")) for _, message in client.got) == 512 * 1024

    run(main())


def test_the_next_event_is_asked_for_only_when_the_last_one_is_written() -> None:
    async def main() -> None:
        written = asyncio.Event()

        async def slowly(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.sleep(20)
                if message["body"] == PARTIAL[-1]:
                    written.set()

        async def events() -> AsyncIterator[Event]:
            yield PARTIAL
            assert written.is_set()
            yield COMPLETED

        client = Client(slowly)
        await serve(client, events())
        assert client.body == bytes_of(PARTIAL, COMPLETED)

    run(main())


@pytest.mark.parametrize("waiting", [True, False], ids=["while_making", "while_writing"])
def test_a_hang_up_closes_the_events_at_once(waiting: bool) -> None:
    async def main() -> None:
        closed: list[float] = []

        async def never_read(message: Message) -> None:
            if message.get("body") not in {None, HEARTBEAT}:
                client.leave.set()
                await asyncio.Event().wait()

        client = Client(None if waiting else never_read)

        async def events() -> AsyncIterator[Event]:
            token = HELD.set("held")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(1000))
                    await asyncio.sleep(3)
                    if waiting:
                        client.leave.set()
                        await asyncio.sleep(1000)
                    yield COMPLETED
            finally:
                HELD.reset(token)  # raises in any other task than the one that set it
                await asyncio.sleep(0)  # closing may take more than a step
                closed.append(asyncio.get_running_loop().time())

        await serve(client, events())
        assert [round(at, 2) for at in closed] == [3.0]
        assert not client.ended

    run(main())


def test_events_that_were_never_begun_are_closed_too() -> None:
    class Events:
        closed = 0

        def __aiter__(self) -> Events:
            return self

        async def __anext__(self) -> Event:
            raise AssertionError("nobody waits for events any more")

        async def aclose(self) -> None:
            self.closed += 1

    async def main() -> None:
        async def gone(message: Message) -> None:
            raise OSError("gone")

        client, events = Client(gone), Events()
        with pytest.raises(OSError, match="gone"):
            await serve(client, events)
        assert events.closed == 1

    run(main())


def test_a_client_that_reads_nothing_for_a_minute_is_given_up() -> None:
    async def main() -> None:
        closed: list[float] = []

        async def never(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        async def events() -> AsyncIterator[Event]:
            try:
                yield COMPLETED
            finally:
                closed.append(asyncio.get_running_loop().time())

        client = Client(never)
        with pytest.raises(ClientTooSlowError):
            await serve(client, events())
        assert [round(at) for at in closed] == [WRITE_SECONDS]
        assert round(asyncio.get_running_loop().time()) == WRITE_SECONDS  # not once more for an error event
        assert client.body == b""

    run(main())


def test_a_client_that_does_not_even_take_heartbeats_is_given_up_and_the_work_stopped() -> None:
    async def main() -> None:
        closed: list[float] = []

        async def never(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        async def events() -> AsyncIterator[Event]:
            try:
                await asyncio.sleep(1000)
                yield COMPLETED
            finally:
                closed.append(asyncio.get_running_loop().time())

        with pytest.raises(ClientTooSlowError):
            await serve(Client(never), events())
        assert [round(at, 1) for at in closed] == [0.5 + WRITE_SECONDS]

    run(main())


def test_an_api_error_raised_by_the_events_is_the_last_event() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            yield PARTIAL
            raise ApiError(502, "Nobody delivered.", type="server_error", code="all_failed")

        await serve(client, events())
        assert client.body.startswith(bytes_of(PARTIAL) + b"event: error\n")
        assert last_error(client.body)["code"] == "all_failed"
        assert client.ended

    run(main())


@pytest.mark.parametrize("before", [(), (PARTIAL,), (COMPLETED,)], ids=["first", "after_partial", "after_completed"])
def test_a_bug_ends_the_stream_with_an_error_without_details_and_is_raised_to_be_logged(before: list[Event]) -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            for event in before:
                yield event
            raise ValueError(SECRET)

        with pytest.raises(ValueError, match=SECRET):
            await serve(client, events())
        assert last_error(client.body)["code"] == "internal_error"
        assert SECRET.encode() not in client.body
        assert client.ended

    run(main())


def test_work_that_was_cancelled_by_somebody_else_is_an_error_and_not_silence() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            work = asyncio.create_task(asyncio.sleep(1000))
            work.cancel()
            await work
            yield COMPLETED

        with pytest.raises(RuntimeError, match="cancelled"):
            await serve(client, events())
        assert last_error(client.body)["code"] == "internal_error"
        assert client.ended

    run(main())


@pytest.mark.parametrize("told", [(), (PARTIAL,), (COMPLETED, PARTIAL)], ids=["nothing", "partial", "partial_last"])
def test_events_that_end_without_an_image_or_an_error_get_one(told: list[Event]) -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            for event in told:
                yield event

        with pytest.raises(UnfinishedStreamError):
            await serve(client, events())
        assert last_error(client.body)["code"] == "internal_error"

    run(main())


def test_an_error_told_by_the_events_themselves_ends_the_stream_as_it_is() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            yield FAILED

        await serve(client, events())
        assert client.body == bytes_of(FAILED)

    run(main())


async def shut_down_after(seconds: float, client: Client, events: AsyncIterator[Event]) -> None:
    serving = asyncio.create_task(serve(client, events))
    await asyncio.sleep(seconds)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


def test_events_that_have_something_left_at_a_shutdown_end_the_stream_with_it() -> None:
    async def main() -> None:
        client = Client()

        async def events() -> AsyncIterator[Event]:
            yield PARTIAL
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
                yield COMPLETED

        await shut_down_after(0.3, client, events())
        assert client.body == bytes_of(PARTIAL, COMPLETED)
        assert client.ended

    run(main())


def test_shutdown_is_told_as_the_last_event() -> None:
    async def main() -> None:
        client, closed = Client(), asyncio.Event()

        async def events() -> AsyncIterator[Event]:
            try:
                await asyncio.sleep(1000)
                yield COMPLETED
            finally:
                closed.set()

        await shut_down_after(5.0, client, events())
        assert last_error(client.body)["code"] == "shutting_down"
        assert client.ended
        assert closed.is_set()

    run(main())


def test_shutdown_in_the_middle_of_an_event_adds_nothing_to_it() -> None:
    async def main() -> None:
        async def slowly(message: Message) -> None:
            if message.get("body") == COMPLETED[1]:
                await asyncio.sleep(50)

        async def events() -> AsyncIterator[Event]:
            yield COMPLETED

        client = Client(slowly)
        await shut_down_after(5.0, client, events())
        assert client.body == COMPLETED[0]
        assert not client.ended

    run(main())


def test_a_server_that_reports_the_finished_answer_as_a_hang_up_does_not_hide_a_bug() -> None:
    async def main() -> None:
        async def tell(message: Message) -> None:
            if not message.get("more_body", True):
                client.leave.set()
                await asyncio.sleep(1)

        async def events() -> AsyncIterator[Event]:
            yield PARTIAL
            raise ValueError(SECRET)

        client = Client(tell)
        with pytest.raises(ValueError, match=SECRET):
            await serve(client, events())
        assert client.ended

    run(main())
