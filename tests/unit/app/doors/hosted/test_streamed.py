"""A body fetched while it is sent: no piece before the one before is taken, and none for a client that has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from app.doors.hosted.streamed import StreamedResponse
from app.doors.reply import ClientTooSlowError

SCOPE = {"type": "http", "method": "GET"}


class Source:
    """Ten pieces; knows how many were fetched and whether it was closed."""

    def __init__(self) -> None:
        self.fetched = 0
        self.closed = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(10):
                self.fetched += 1
                yield b"x"
        finally:
            self.closed = True


async def stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_pieces_are_fetched_as_they_are_taken() -> None:
    source = Source()
    fetched_when_sent: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            fetched_when_sent.append(source.fetched)

    await StreamedResponse(source.pieces(), status=200, headers={"content-length": "10"})(SCOPE, stays, send)
    assert fetched_when_sent == list(range(1, 11))
    assert source.closed


async def test_a_client_that_has_left_is_fetched_nothing_more() -> None:
    source = Source()
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if source.fetched == 3:
            left.set()
        await asyncio.sleep(0)

    await StreamedResponse(source.pieces(), status=200, headers={})(SCOPE, receive, send)
    assert source.fetched in {4, 5}
    assert source.closed


async def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doors.reply.WRITE_SECONDS", 0.05)
    source = Source()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    with pytest.raises(ClientTooSlowError):
        await StreamedResponse(source.pieces(), status=200, headers={})(SCOPE, stays, send)
    assert source.fetched == 1
    assert source.closed


async def test_a_source_that_fails_leaves_the_answer_unfinished() -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise ZeroDivisionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        await StreamedResponse(pieces(), status=200, headers={})(SCOPE, stays, send)
    assert all(message.get("more_body", True) for message in sent)
