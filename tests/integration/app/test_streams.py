"""Streams over a real server, read by the official client: what it makes of every event, and of every way to end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from fastapi import FastAPI
from fastapi.responses import Response
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
)
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from app.accounts.keys import Keys
from app.doors.edge import Edge
from app.doors.failures import answer_in_the_envelope
from app.doors.openai_images.errors import ApiError, ParameterError
from app.doors.openai_images.sse import HEARTBEAT, Event, Kind, completed_parts, partial_parts
from app.doors.openai_images.stream import EventStreamResponse
from app.doors.reply import ClientTooSlowError, error_response
from app.telemetry import Telemetry
from tests.servers import running

SECRET = "a secret prompt"
WAIT_S = 20.0
"""Seconds after which a test gives up on the server."""
IMAGE = random.Random(4).randbytes(20_000_000)
IMAGE_TEXT = base64.b64encode(IMAGE)


class Connection:
    """What the server side of one connection saw. ``closed`` is set when the events are over, in whatever way."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.done = threading.Event()
        self.failure: BaseException | None = None
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """A heartbeat was sent."""
        self._beat.set()

    async def heard(self, beats: int) -> None:
        """Waits until so many more heartbeats were sent."""
        for _ in range(beats):
            self._beat.clear()
            await self._beat.wait()


Script = Callable[[Kind, Connection], AsyncIterator[Event]]


def looks(size: str = "1024x1024") -> dict[str, Any]:
    return {
        "created": 1_795_000_000,
        "size": size,
        "quality": "high",
        "background": "opaque",
        "output_format": "png",
    }


async def two_partials(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    await connection.heard(2)
    yield partial_parts(kind, base64=b"Zmlyc3Q=", index=0, **looks())
    await connection.heard(3)
    yield partial_parts(kind, base64=b"c2Vjb25k", index=1, **looks())
    await connection.heard(1)
    usage = {
        "total_tokens": 3, "input_tokens": 1, "output_tokens": 2,
        "input_tokens_details": {"text_tokens": 1, "image_tokens": 0},
    }  # fmt: skip
    yield completed_parts(kind, base64=memoryview(b"dGhpcmQ="), usage=usage, metadata={"provider": "fal"}, **looks())


async def two_images(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    yield completed_parts(kind, base64=b"b25l", **looks())
    await connection.heard(1)
    yield completed_parts(kind, base64=b"dHdv", metadata={"warnings": []}, **looks("1264x848"))


async def by_url(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    yield completed_parts(kind, url="https://gateway.test/images/1.png", **looks())


async def huge(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    yield partial_parts(kind, base64=memoryview(IMAGE_TEXT), index=0, **looks())
    yield completed_parts(kind, base64=memoryview(IMAGE_TEXT), **looks())


async def refused(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    yield partial_parts(kind, base64=b"Zmlyc3Q=", index=0, **looks())
    raise ApiError(
        400, "The prompt was refused.", type="image_generation_user_error", code="moderation_blocked", param="prompt"
    )


async def buggy(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    yield partial_parts(kind, base64=b"Zmlyc3Q=", index=0, **looks())
    raise ValueError(SECRET)


async def forever(kind: Kind, connection: Connection) -> AsyncIterator[Event]:
    yield partial_parts(kind, base64=b"Zmlyc3Q=", index=0, **looks())
    await asyncio.Event().wait()


SCRIPTS: dict[str, Script] = {
    script.__name__: script for script in (two_partials, two_images, by_url, huge, refused, buggy, forever)
}


class Watched(Response):
    """The response, with its heartbeats counted and its end noticed."""

    def __init__(self, response: Response, connection: Connection) -> None:
        super().__init__()
        self._response, self._connection = response, connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            await send(message)
            if message.get("body") == HEARTBEAT:
                self._connection.beat()

        try:
            await self._response(scope, receive, counted)
        except BaseException as failure:
            self._connection.failure = failure
            raise
        finally:
            self._connection.done.set()


class Server:
    """A server that plays a script; the script's name stands first in the path."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[Connection] = []
        self.app = FastAPI(openapi_url=None)
        self.app.add_api_route("/{script}/v1/images/{operation}", self.answer, methods=["POST"], response_model=None)
        answer_in_the_envelope(self.app)

    async def answer(self, request: Request) -> Response:
        name, operation = request.path_params["script"], request.path_params["operation"]
        if name == "invalid":
            return error_response(ParameterError("partial_images", "It must be 0 to 3."))
        kind = {"generations": Kind.GENERATION, "edits": Kind.EDIT}[operation]
        connection = Connection()
        self.connections.append(connection)

        async def events() -> AsyncIterator[Event]:
            try:
                async for event in SCRIPTS[name](kind, connection):
                    yield event
            finally:
                connection.closed.set()

        # So often that a test which does not think of heartbeats meets some.
        response = EventStreamResponse(events(), headers={}, heartbeat_s=0.005, first_heartbeat_s=0.001)
        return Watched(response, connection)

    @contextmanager
    def client(self, script: str) -> Iterator[openai.OpenAI]:
        with openai.OpenAI(base_url=f"{self.url}/{script}/v1", api_key="unused", max_retries=0) as made:
            yield made


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with running(made.app) as made.url:
        yield made


def generated(server: Server, script: str, **more: Any) -> list[Any]:
    with server.client(script) as client:
        return list(client.images.generate(model="m", prompt="a fox", stream=True, **more))


def edited(server: Server, script: str, **more: Any) -> list[Any]:
    with server.client(script) as client:
        picture = ("a.png", b"\x89PNG" * 100_000)
        return list(client.images.edit(model="m", prompt="a fox", image=picture, stream=True, **more))


def test_generations_are_partial_images_and_then_the_completed_one(server: Server) -> None:
    first, second, third = generated(server, "two_partials", partial_images=2)
    assert isinstance(first, ImageGenPartialImageEvent)
    assert isinstance(second, ImageGenPartialImageEvent)
    assert isinstance(third, ImageGenCompletedEvent)
    assert [base64.b64decode(event.b64_json) for event in (first, second, third)] == [b"first", b"second", b"third"]
    assert (first.partial_image_index, second.partial_image_index) == (0, 1)
    assert third.type == "image_generation.completed"
    assert (third.size, third.quality, third.background, third.output_format) == ("1024x1024", "high", "opaque", "png")
    assert third.created_at == 1_795_000_000
    assert (third.usage.total_tokens, third.usage.input_tokens_details.text_tokens) == (3, 1)
    assert third.model_extra == {"metadata": {"provider": "fal"}}


def test_edits_are_events_of_their_own_family(server: Server) -> None:
    first, second, third = edited(server, "two_partials", partial_images=2)
    assert isinstance(first, ImageEditPartialImageEvent)
    assert isinstance(second, ImageEditPartialImageEvent)
    assert isinstance(third, ImageEditCompletedEvent)
    assert [event.type for event in (first, second, third)] == [
        "image_edit.partial_image", "image_edit.partial_image", "image_edit.completed",
    ]  # fmt: skip
    assert base64.b64decode(third.b64_json) == b"third"


async def test_the_asynchronous_client_reads_the_same(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/two_partials/v1", api_key="unused", max_retries=0) as client:
        stream = await client.images.generate(model="m", prompt="a fox", stream=True, partial_images=2)
        told = [event async for event in stream]
        edits = await client.images.edit(model="m", prompt="a fox", image=b"\x89PNG", stream=True)
        told_of_edits = [event async for event in edits]
    assert [type(event) for event in told] == [
        ImageGenPartialImageEvent, ImageGenPartialImageEvent, ImageGenCompletedEvent,
    ]  # fmt: skip
    assert [type(event) for event in told_of_edits] == [
        ImageEditPartialImageEvent, ImageEditPartialImageEvent, ImageEditCompletedEvent,
    ]  # fmt: skip
    assert base64.b64decode(told[2].b64_json) == b"third"


def test_n_images_are_as_many_completed_events(server: Server) -> None:
    one, two = generated(server, "two_images", n=2)
    assert isinstance(one, ImageGenCompletedEvent)
    assert isinstance(two, ImageGenCompletedEvent)
    assert (base64.b64decode(one.b64_json), base64.b64decode(two.b64_json)) == (b"one", b"two")
    assert (one.size, two.size) == ("1024x1024", "1264x848")
    assert one.usage.total_tokens == two.usage.total_tokens == 0
    assert one.model_extra == {}
    assert two.model_extra == {"metadata": {"warnings": []}}


def test_a_url_is_read_where_one_was_asked_for(server: Server) -> None:
    (event,) = generated(server, "by_url")
    assert isinstance(event, ImageGenCompletedEvent)
    assert event.model_extra == {"url": "https://gateway.test/images/1.png"}


def test_an_image_of_twenty_megabytes_arrives_whole(server: Server) -> None:
    partial, completed = generated(server, "huge")
    for event in (partial, completed):
        assert hashlib.sha256(base64.b64decode(event.b64_json)).digest() == hashlib.sha256(IMAGE).digest()


def test_heartbeats_stand_before_and_between_events_and_the_rest_is_as_it_was_made(server: Server) -> None:
    with httpx.stream("POST", f"{server.url}/two_partials/v1/images/generations") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-length" not in response.headers
        body = response.read()
    assert body.endswith(b"}\n\n")
    blocks = body.split(b"\n\n")[:-1]
    events = [block for block in blocks if block != HEARTBEAT.strip()]
    assert [block.split(b"\n")[0] for block in events] == [
        b"event: image_generation.partial_image",
        b"event: image_generation.partial_image",
        b"event: image_generation.completed",
    ]
    assert all(block.split(b"\n")[1].startswith(b'data: {"type": "image_generation.') for block in events)
    assert {len(block.split(b"\n")) for block in events} == {2}
    first, second, third = (blocks.index(event) for event in events)
    assert first >= 2
    assert second - first > 3
    assert third - second > 1


def test_an_error_is_raised_with_its_fields_after_what_came_before(server: Server) -> None:
    with server.client("refused") as client:
        stream = client.images.generate(model="m", prompt="a fox", stream=True)
        assert isinstance(next(stream), ImageGenPartialImageEvent)
        with pytest.raises(openai.APIError) as raised:
            next(stream)
    error = raised.value
    assert error.message == "The prompt was refused."
    assert (error.type, error.code, error.param) == ("image_generation_user_error", "moderation_blocked", "prompt")


def test_a_bug_is_an_internal_error_that_tells_nothing(server: Server) -> None:
    with pytest.raises(openai.APIError) as raised:
        edited(server, "buggy")
    assert (raised.value.type, raised.value.code) == ("server_error", "internal_error")
    assert SECRET not in str(raised.value.body)
    assert server.connections[0].done.wait(WAIT_S)
    assert isinstance(server.connections[0].failure, ValueError)  # so that the edge logs it


def test_an_error_before_the_stream_begins_is_an_http_error(server: Server) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        generated(server, "invalid", partial_images=3)
    assert (raised.value.param, raised.value.code) == ("partial_images", "invalid_value")


def test_a_client_that_leaves_closes_the_events(server: Server) -> None:
    with server.client("forever") as client:
        stream = client.images.generate(model="m", prompt="a fox", stream=True)
        assert isinstance(next(stream), ImageGenPartialImageEvent)
        assert not server.connections[0].closed.is_set()
        stream.close()
        assert server.connections[0].closed.wait(WAIT_S)
        assert server.connections[0].done.wait(WAIT_S)
        assert server.connections[0].failure is None


def test_a_client_that_does_not_read_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doors.reply.WRITE_SECONDS", 0.3)
    where = urlsplit(server.url)
    assert where.hostname is not None
    with socket.create_connection((where.hostname, where.port or 0)) as idle:
        idle.sendall(b"POST /huge/v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert idle.recv(8).startswith(b"HTTP/1.1")
        (connection,) = server.connections
        assert connection.closed.wait(WAIT_S)
        assert connection.done.wait(WAIT_S)
        assert isinstance(connection.failure, ClientTooSlowError)


def test_behind_the_edge_a_bug_is_logged_without_its_text_and_the_stream_still_ends_properly(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    edge = Edge(server.app, keys=Keys([]), metrics_keys=Keys([]), telemetry=Telemetry())
    with running(edge) as url:
        response = httpx.post(f"{url}/buggy/v1/images/generations")  # would raise if the connection were cut
    assert response.text.splitlines()[-3] == "event: error"
    logged = "".join(capfd.readouterr())
    assert "ValueError" in logged
    assert response.headers["x-request-id"] in logged
    assert SECRET not in logged + response.text


def test_a_server_that_stops_says_so_as_the_last_event(server: Server) -> None:
    edge = Edge(server.app, keys=Keys([]), metrics_keys=Keys([]), telemetry=Telemetry())
    with httpx.Client() as client:
        with running(edge) as url:
            request = client.build_request("POST", f"{url}/forever/v1/images/generations")
            response = client.send(request, stream=True)
        body = response.read()  # would raise if the connection were cut
    assert b"event: error\n" in body
    assert b'"code": "shutting_down"' in body
    assert body.endswith(b"}\n\n")
    assert server.connections[0].closed.is_set()
