"""Conversations event by event over a real server: early events come early, and every end closes the connection."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.blobs import Base64Blob
from providers.calls import Calls
from providers.spec.adapter import Endpoint
from providers.spec.blob import Blob
from providers.spec.conversation import Conversation, HttpCall, Interim, NextEvent, Pause, Unanswered
from providers.spec.errors import Fault, Spend
from providers.transport import Transport
from providers.transport_limits import TransportLimits
from tests.integration.providers.conversations import DONE, Scene, ask, stage
from tests.integration.providers.loopback import PATIENCE_S, Handler, Peer, Seen, hang

STREAM = HttpCall("POST", "/stream", body=(b"{}",), commits=True, events=True)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with stage() as ready:
        yield ready


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(data: bytes) -> bytes:
    return chunk(b"data: " + data + b"\r\n\r\n")


END = chunk(b"")


def telling(*pieces: bytes, then: Handler | None = None) -> Handler:
    async def handle(seen: Seen, peer: Peer) -> None:
        for piece in (HEAD, *pieces):
            await peer.send(piece)
        if then is not None:
            await then(seen, peer)

    return handle


def following(heard: list[object], *, call: HttpCall = STREAM, most: int = 100) -> Conversation:
    """Takes down every event, and how the stream ended."""
    reply = yield from ask(call)
    heard.append(reply.events)
    for _ in range(most):
        try:
            told = yield NextEvent()
        except Unanswered as broken:
            heard.append(broken.reason)
            raise
        if told is None:
            heard.append(None)
            break
        heard.append(told.json())
        if told.blobs:
            yield Interim(told.blobs[0])
    return DONE


async def test_events_are_handed_over_until_the_stream_ends(scene: Scene) -> None:
    scene.server.handler = telling(event(b'{"a":1}') + event(b'{"b":2}'), chunk(b": silence\n\n"), event(b"[3]"), END)
    heard: list[object] = []
    assert await scene.converse(following(heard)) is DONE
    assert heard == [True, {"a": 1}, {"b": 2}, [3], None]


async def test_an_interim_image_is_handed_out_while_the_vendor_still_works(scene: Scene) -> None:
    seen, shown = asyncio.Event(), asyncio.Event()
    text = base64.b64encode(bytes(3_000_000))

    async def wait_and_finish(_seen: Seen, peer: Peer) -> None:
        await seen.wait()
        await peer.send(event(b'{"last":true}') + END)

    def on_interim(blob: Blob) -> None:
        assert isinstance(blob, Base64Blob)
        assert isinstance(blob.text, memoryview)
        shown.set()
        seen.set()

    scene.server.handler = telling(event(b'{"data":"' + text + b'"}'), then=wait_and_finish)
    heard: list[object] = []
    assert await scene.converse(following(heard), on_interim=on_interim) is DONE
    assert shown.is_set()
    assert heard[-2:] == [{"last": True}, None]


async def test_the_connection_of_a_stream_read_to_its_end_is_used_again(scene: Scene) -> None:
    scene.server.handler = telling(event(b"1"), END)
    for _ in range(3):
        await scene.converse(following([]))
    assert scene.server.accepted == 1


async def test_a_stream_nobody_reads_to_its_end_is_closed_with_its_conversation(scene: Scene) -> None:
    scene.server.handler = telling(event(b"1"), then=hang)
    assert await scene.converse(following([], most=1)) is DONE
    await scene.server.all_closed()


async def test_the_next_call_closes_the_stream_before_it(scene: Scene) -> None:
    scene.server.handler = telling(event(b"1"), then=hang)

    def conversation() -> Conversation:
        yield from ask(STREAM)
        yield NextEvent()
        yield from ask(STREAM)
        assert (yield NextEvent()) is not None
        return DONE

    assert await scene.converse(conversation()) is DONE
    await scene.server.all_closed()
    assert scene.server.accepted == 2


@pytest.mark.parametrize("status", [200, 429])
async def test_a_reply_that_is_no_stream_comes_whole(scene: Scene, status: int) -> None:
    async def plain(_seen: Seen, peer: Peer) -> None:
        await peer.json({"error": "busy"}, status)

    def conversation() -> Conversation:
        reply = yield from ask(STREAM)
        assert (reply.events, reply.status, reply.json()) == (False, status, {"error": "busy"})
        assert (yield NextEvent()) is None
        return DONE

    scene.server.handler = plain
    assert await scene.converse(conversation()) is DONE


async def test_an_error_is_whole_even_when_it_calls_itself_a_stream(scene: Scene) -> None:
    async def failing(_seen: Seen, peer: Peer) -> None:
        await peer.answer(b'{"error":1}', 503, {"content-type": "text/event-stream"})

    def conversation() -> Conversation:
        reply = yield from ask(STREAM)
        assert (reply.events, reply.json()) == (False, {"error": 1})
        return DONE

    scene.server.handler = failing
    assert await scene.converse(conversation()) is DONE


async def test_an_event_nobody_offered_is_none(scene: Scene) -> None:
    def conversation() -> Conversation:
        assert (yield NextEvent()) is None
        return DONE

    assert await scene.converse(conversation()) is DONE


async def _close(_seen: Seen, peer: Peer) -> None:
    peer.close()


async def _reset(_seen: Seen, peer: Peer) -> None:
    peer.reset()


@pytest.mark.parametrize("ending", [_close, _reset])
async def test_a_stream_that_breaks_is_thrown_into_the_conversation(scene: Scene, ending: Handler) -> None:
    scene.server.handler = telling(event(b"1"), chunk(b"data: half"), then=ending)
    heard: list[object] = []
    failed = await scene.failure(following(heard))
    assert heard[-1] == "the connection broke"
    assert (failed.fault, failed.spend) == (Fault.UNREACHABLE, Spend.POSSIBLE)


async def test_silence_and_size_have_limits(scene: Scene, tmp_path: Path) -> None:
    for handler, read_s, reason in (
        (telling(event(b"1"), then=hang), 0.5, "silence for too long"),
        (telling(*[event(b'"' + b"x" * 100_000 + b'"')] * 30, then=hang), PATIENCE_S, "the reply was too large"),
    ):
        limits = TransportLimits(read_s=read_s, reply_bytes=2_000_000)
        scene.driver._transport = transport = Transport(spool_dir=tmp_path, limits=limits)
        scene.server.handler = handler
        heard: list[object] = []
        assert (await scene.failure(following(heard), limit_s=2 * PATIENCE_S)).detail == reason
        await scene.server.all_closed()
        await transport.close()


async def test_at_the_limit_the_stream_is_closed_and_may_have_been_paid_for(scene: Scene) -> None:
    scene.server.handler = telling(event(b"1"), then=hang)
    heard: list[object] = []
    failed = await scene.failure(following(heard), limit_s=1.0)
    assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.POSSIBLE)
    assert heard == [True, 1]
    await scene.server.all_closed()


async def test_at_whatever_moment_the_caller_hangs_up_the_connection_is_closed(scene: Scene) -> None:
    """The event loop's turns are counted off one by one, so that every gap between two awaits is hit."""
    for turns in range(25):
        scene.server.handler = telling(event(b"1"), event(b"2"), then=hang)
        scene.server.requests.clear()
        task = scene.start(following([]))
        await scene.server.arrived("POST /stream")
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await scene.driver.close(PATIENCE_S)
        await scene.server.all_closed()


async def test_a_caller_that_hangs_up_during_a_pause_leaves_no_stream_open(scene: Scene) -> None:
    reached = asyncio.Event()

    def conversation() -> Conversation:
        yield from ask(STREAM)
        yield NextEvent()
        reached.set()
        yield Pause(60.0)
        return DONE

    scene.server.handler = telling(event(b"1"), then=hang)
    task = scene.start(conversation())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await scene.driver.close(PATIENCE_S)
    await scene.server.all_closed()


async def test_closing_the_driver_without_patience_closes_streams(scene: Scene) -> None:
    scene.server.handler = telling(event(b"1"), then=hang)
    task = scene.start(following([]))
    await scene.server.arrived("POST /stream")
    task.cancel()
    await scene.driver.close(0.0)
    await scene.server.all_closed()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stream_that_opens_after_its_conversation_was_closed_is_closed_at_once(scene: Scene) -> None:
    release = asyncio.Event()

    async def late(_seen: Seen, peer: Peer) -> None:
        await release.wait()
        await peer.send(HEAD + event(b"1"))
        await asyncio.Event().wait()

    scene.server.handler = late
    calls = Calls(
        scene.transport, Endpoint("vendor", scene.server.base_url), scene.credential, scene.trace, scene.driver._calls
    )
    task = calls.start(STREAM)
    await scene.server.arrived("POST /stream")
    calls.close()
    release.set()
    assert await task is not None
    await scene.server.all_closed()
