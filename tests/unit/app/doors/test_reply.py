"""Answers in parts: an exact length, and an end to waiting for a client that does not read."""

from __future__ import annotations

import asyncio
import base64
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.types import Message

from app.doors.reply import PIECES, ClientTooSlowError, PartsResponse
from providers.blobs import Encoded, MemoryBlob
from providers.pieced import TextAsItCame
from providers.pieces import Span
from providers.spool import Spool

SCOPE = {"type": "http", "method": "POST"}
GROUPING = {**SCOPE, PIECES: True}


async def nothing() -> Message:
    return {"type": "http.disconnect"}


async def test_the_pieces_arrive_in_order_with_their_exact_length() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    parts: list[bytes | memoryview] = [b"{", memoryview(b"x" * 600_000), b"}"]
    await PartsResponse(parts, {"x-one": "1"})(SCOPE, nothing, send)
    headers = dict(sent[0]["headers"])
    body = b"".join(message["body"] for message in sent[1:])
    assert body == b"{" + b"x" * 600_000 + b"}"
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"x-one"] == b"1"
    assert max(len(message["body"]) for message in sent[1:]) <= 512 * 1024
    assert [message["more_body"] for message in sent[1:]][-1] is False


async def test_what_may_lie_unsent_when_the_answer_is_over_does_not_keep_the_whole() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await PartsResponse([b"{", memoryview(b"x" * 1_300_000), b"}"], {})(SCOPE, nothing, send)
    views = [message["body"] for message in sent[1:] if isinstance(message["body"], memoryview)]
    assert [len(view) for view in views] == [512 * 1024] * 2  # the third piece and the ends are copies


@pytest.mark.parametrize("length", [384 * 1024 + 1, 1024 * 1024, 1024 * 1024 + 1, 1024 * 1024 + 2])
async def test_a_file_is_encoded_piece_by_piece(length: int) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    file = (bytes(range(256)) * (length // 256 + 1))[:length]
    await PartsResponse([b"{", Encoded(MemoryBlob(memoryview(file))), b"}"], {})(SCOPE, nothing, send)
    body = b"".join(message["body"] for message in sent[1:])
    assert body == b"{" + base64.b64encode(file) + b"}"
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(body)).encode()
    assert max(len(message["body"]) for message in sent[1:]) <= 512 * 1024


async def test_others_have_their_turn_between_the_pieces_for_a_client_that_reads_at_once() -> None:
    turns: list[int] = []
    sent = 0

    async def send(message: Message) -> None:
        nonlocal sent
        sent += 1

    async def other() -> None:
        while True:
            turns.append(sent)
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    await PartsResponse([memoryview(b"x" * 2 * 1024 * 1024)], {})(SCOPE, nothing, send)
    waiting.cancel()
    assert max(after - before for before, after in pairwise([0, *turns])) <= 2


class Grouped:
    """What a server that takes several pieces at once was sent."""

    def __init__(self) -> None:
        self.groups: list[list[bytes | memoryview]] = []
        self.body = bytearray()
        self.sent = 0

    async def __call__(self, message: Message) -> None:
        self.sent += 1
        if PIECES in message:
            assert message["more_body"]
            self.groups.append(list(message[PIECES]))
        for piece in message.get(PIECES, [message.get("body", b"")]):
            self.body += piece


async def test_pieces_go_out_in_as_few_messages_as_there_may_be() -> None:
    send = Grouped()
    pieces = [bytes([place]) * 10_000 for place in range(100)]
    await PartsResponse([b"{", TextAsItCame(tuple(map(Span, pieces))), b"}"], {})(GROUPING, nothing, send)
    assert send.body == b"{" + b"".join(pieces) + b"}"
    assert [len(group) for group in send.groups] == [28, 27, 27, 20]


async def test_what_is_large_or_lies_in_a_file_goes_out_by_itself_in_its_place(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=10_000_000, stated=9_000_000)
    spool.write(b"f" * 700_000)
    file = memoryview(spool.finish())
    large = b"l" * 600_000
    pieces: list[bytes | memoryview] = [b"1", file[:10], b"2", memoryview(b"3"), large, b"4", file, b"5", b"6"]
    send = Grouped()
    await PartsResponse(pieces, {})(GROUPING, nothing, send)
    assert send.body == b"".join(pieces)
    assert [b"".join(group) for group in send.groups] == [b"1", b"23", b"4", b"56"]


async def test_others_have_their_turn_between_groups_for_a_client_that_reads_at_once() -> None:
    turns: list[int] = []
    send = Grouped()

    async def other() -> None:
        while True:
            turns.append(send.sent)
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    await PartsResponse([b"x" * 100_000] * 40, {})(GROUPING, nothing, send)
    waiting.cancel()
    assert len(send.groups) > 10
    assert max(after - before for before, after in pairwise([0, *turns])) <= 2


async def test_a_client_that_does_not_take_a_group_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doors.reply.WRITE_SECONDS", 0.05)

    async def send(message: Message) -> None:
        if PIECES in message:
            await asyncio.Event().wait()

    with pytest.raises(ClientTooSlowError):
        await PartsResponse([b"x" * 100_000] * 40, {})(GROUPING, nothing, send)


async def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doors.reply.WRITE_SECONDS", 0.05)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    with pytest.raises(ClientTooSlowError):
        await PartsResponse([b"x"], {})(SCOPE, nothing, send)


async def test_a_client_that_takes_all_but_the_end_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doors.reply.WRITE_SECONDS", 0.05)

    async def send(message: Message) -> None:
        if not message.get("more_body", True):
            await asyncio.Event().wait()

    with pytest.raises(ClientTooSlowError):
        await PartsResponse([b"x"], {})(SCOPE, nothing, send)
