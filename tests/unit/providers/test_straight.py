"""Reading past the HTTP library: what is taken, in which buffers, by turns, and what is left to the library."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from app.doors.reply import _CHUNK
from providers import straight
from providers.straight import PIECE_BYTES, READ_BYTES, take_rest

TURN, LAST = straight._TURN_BYTES, straight._TLS_LAST_BYTES
BODY = bytes(range(256)) * 4096 * 5
"""5 MiB."""


class Line:
    """A connection, as far as it can be read or not."""

    def __init__(self) -> None:
        self.reading = True
        self.closing = False
        self.tls: object = None
        self.protocol: Any = None

    def get_extra_info(self, name: str) -> object:
        return {"ssl_object": self.tls}[name]

    def is_reading(self) -> bool:
        return self.reading

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def set_protocol(self, protocol: Any) -> None:
        assert not self.reading
        self.protocol = protocol


class Taker:
    def __init__(self, fails_at: int = 1 << 40) -> None:
        self.looked_at = b""
        self.looks: list[int] = []
        self.kept: list[memoryview] = []
        self._fails_at = fails_at

    def look(self, part: memoryview) -> None:
        self.looked_at += part
        self.looks.append(len(part))
        if len(self.looked_at) >= self._fails_at:
            raise ValueError("no more")

    def keep(self, piece: memoryview) -> None:
        self.kept.append(piece)
        assert sum(map(len, self.kept)) == len(self.looked_at), "kept as soon as it is full, and looked at before"


class Reading(straight._Reading):
    """One that is fed by a test."""

    def __init__(self, left: int, taker: Taker, *, tls: object = None) -> None:
        self.line = Line()
        self.line.tls = tls
        self.library = ResponseHandler(asyncio.get_running_loop())
        transport: Any = self.line
        super().__init__(self.library, transport, left, taker)

    def comes(self, data: bytes, most: int = 1 << 40) -> int:
        """How much is taken until there is nothing more, or this does not read for now."""
        taken = 0
        while taken < len(data) and self.line.reading:
            room = self.get_buffer(-1)
            count = min(len(room), most, len(data) - taken)
            room[:count] = data[taken : taken + count]
            self.buffer_updated(count)
            taken += count
        return taken


async def begun(reading: Reading, silence_s: float | None = None) -> asyncio.Task[None]:
    task = asyncio.create_task(reading.through(silence_s))
    await asyncio.sleep(0)
    assert reading.line.protocol is reading
    return task


@pytest.mark.parametrize("most", [999, 70_000, 1 << 40])
@pytest.mark.parametrize("left", [READ_BYTES, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES - 1, len(BODY)])
async def test_all_that_is_left_is_taken_in_full_buffers_and_not_a_byte_more(left: int, most: int) -> None:
    taker = Taker()
    reading = Reading(left, taker)
    task = await begun(reading)
    taken = 0
    while not task.done():
        taken += reading.comes(BODY[taken:] + b"more", most)
        await asyncio.sleep(0)
    await task
    assert taker.looked_at == b"".join(taker.kept) == BODY[:left]
    assert [len(piece) for piece in taker.kept[:-1]] == [PIECE_BYTES] * ((left - 1) // PIECE_BYTES)
    assert len({id(piece.obj) for piece in taker.kept}) == len(taker.kept)
    assert (reading.line.protocol, reading.line.reading) == (reading.library, False)


def test_a_piece_is_sent_as_a_whole() -> None:
    assert PIECE_BYTES <= _CHUNK


async def test_what_comes_is_looked_at_while_the_processor_has_it_at_hand() -> None:
    taker = Taker()
    reading = Reading(len(BODY), taker)
    task = await begun(reading)
    while not task.done():
        reading.comes(BODY[len(taker.looked_at) :])
        await asyncio.sleep(0)
    assert taker.looks == [READ_BYTES] * (len(BODY) // READ_BYTES)


async def test_others_have_a_turn_after_so_many_bytes() -> None:
    reading = Reading(len(BODY), Taker())
    task = await begun(reading)
    turns: list[int] = []
    while not task.done():
        turns.append(reading.comes(BODY[sum(turns) :]))
        await asyncio.sleep(0)
    assert turns == [TURN] * (len(BODY) // TURN)


@pytest.mark.parametrize("most", [70_000, 1 << 40])
async def test_over_tls_there_is_room_for_all_of_the_end_and_nobody_ceases_to_read_before_it(most: int) -> None:
    taker = Taker()
    reading = Reading(len(BODY), taker, tls=object())
    task = await begun(reading)
    taken = 0
    while len(BODY) - taken > LAST:
        taken += reading.comes(BODY[taken:-LAST], most)
        await asyncio.sleep(0)
    while taken < len(BODY):
        assert reading.line.reading
        assert len(reading.get_buffer(-1)) == len(BODY) + 1 - taken
        taken += reading.comes(BODY[taken:][:most])
    await task
    assert taker.looked_at == b"".join(taker.kept) == BODY
    assert {len(piece) for piece in taker.kept[:-1]} == {READ_BYTES}


async def test_over_tls_an_end_that_begins_in_the_middle_of_a_turn_is_read_without_a_pause() -> None:
    body = BODY[:-300_000]
    reading = Reading(len(body), Taker(), tls=object())
    task = await begun(reading)
    taken = 0
    while len(body) - taken > LAST:
        taken += reading.comes(body[taken:-LAST], 70_000)
        await asyncio.sleep(0)
    assert reading.line.reading
    assert reading.comes(body[taken:], 70_000) == LAST
    await task


@pytest.mark.parametrize("tls", [None, object()])
@pytest.mark.parametrize("left", [at + by for at in (READ_BYTES, PIECE_BYTES, 3 * PIECE_BYTES) for by in (-1, 0, 1)])
async def test_a_connection_on_which_more_came_than_was_stated_is_not_asked_again(left: int, tls: object) -> None:
    reading = Reading(left, Taker(), tls=tls)
    task = await begun(reading)
    taken = 0
    while not task.done():
        taken += reading.comes(BODY[taken : left + 1])
        await asyncio.sleep(0)
    assert reading.library.should_close


async def test_no_turn_is_begun_on_a_connection_that_closes_meanwhile() -> None:
    reading = Reading(len(BODY), Taker())
    task = await begun(reading)
    assert reading.comes(BODY) == TURN
    reading.line.closing = True
    await asyncio.sleep(0)
    assert not reading.line.reading
    task.cancel()
    await asyncio.wait({task})


async def test_what_the_taker_raises_ends_it_and_no_more_is_read() -> None:
    taker = Taker(fails_at=PIECE_BYTES + 5)
    reading = Reading(len(BODY), taker)
    task = await begun(reading)
    taken = reading.comes(BODY, 1000)
    await asyncio.sleep(0)
    assert taken + reading.comes(BODY[taken:], 1000) < PIECE_BYTES + 1005
    assert not reading.line.reading
    with pytest.raises(ValueError, match="no more"):
        await task
    assert len(taker.kept) == 1
    assert reading.line.protocol is reading.library


async def test_what_the_taker_raises_keeps_nothing_for_the_collector_to_find() -> None:
    reading = Reading(len(BODY), Taker(fails_at=1))
    gone = weakref.ref(reading)
    task = await begun(reading)
    gc.disable()
    try:
        reading.comes(BODY)
        with suppress(ValueError):
            await task
        del reading, task
        await asyncio.sleep(0)  # until then the event loop has the task
        assert gone() is None
    finally:
        gc.enable()


async def test_silence_is_counted_from_what_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0, due=[])

    def call_later(seconds: float, *what: Any) -> Any:
        clock.due.append((seconds, *what))
        return SimpleNamespace(cancel=lambda: None)

    reading = Reading(len(BODY), Taker())
    reading._loop = SimpleNamespace(  # type: ignore[assignment]
        time=lambda: clock.now, call_later=call_later, create_future=asyncio.get_running_loop().create_future
    )
    reading._came_at = clock.now
    task = await begun(reading, 60.0)
    clock.now = 130.0
    reading.comes(b"x")
    clock.now = 160.0
    seconds, look_out, *given = clock.due.pop()
    assert seconds == 60.0
    look_out(*given)
    seconds, look_out, *given = clock.due.pop()
    assert seconds == 30.0
    await asyncio.sleep(0)
    assert not task.done()
    clock.now = 190.0
    look_out(*given)
    assert (clock.due, reading.line.reading) == ([], False)
    with pytest.raises(TimeoutError):
        await task


async def test_a_connection_that_is_lost_is_lost_to_the_library_too_and_is_not_touched_again() -> None:
    reading = Reading(len(BODY), Taker())
    task = await begun(reading)
    reading.library.transport = reading.line  # type: ignore[assignment]
    reading.connection_lost(None)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await task
    assert reading.library.transport is None
    assert (reading.line.protocol, reading.line.reading) == (reading, True)


async def test_nobody_is_left_waiting_for_a_connection_to_take_more_of_the_request() -> None:
    reading = Reading(len(BODY), Taker())
    reading.library.pause_writing()
    reading.resume_writing()
    assert not reading.library.writing_paused
    reading.pause_writing()
    assert reading.library.writing_paused


def reply(**other: Any) -> Any:
    """Of 1 MiB, of which 1000 bytes were read."""
    line = Line()
    library = SimpleNamespace(read_timeout=1.0)
    values: dict[str, Any] = {"total_bytes": 1000, "headers": {}, "library": library, "line": line, **other}
    connection = SimpleNamespace(protocol=values["library"], transport=values["line"])
    return SimpleNamespace(
        connection=values.get("connection", connection),
        content=SimpleNamespace(total_bytes=values["total_bytes"]),
        headers=values["headers"],
    )


def at_rest(**how: bool) -> Line:
    line = Line()
    for name, value in how.items():
        setattr(line, name, value)
    return line


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"total_bytes": 1001}, id="more came"),
        pytest.param({"headers": {"transfer-encoding": "chunked"}}, id="chunked"),
        pytest.param({"headers": {"content-encoding": "gzip"}}, id="compressed"),
        pytest.param({"connection": None}, id="no connection"),
        pytest.param({"library": None}, id="no protocol"),
        pytest.param({"line": None}, id="no transport"),
        pytest.param({"line": at_rest(closing=True)}, id="closing"),
        pytest.param({"line": at_rest(reading=False)}, id="not read"),
    ],
)
async def test_what_the_library_must_read_is_left_to_it_as_it_is(other: dict[str, Any]) -> None:
    response = reply(**other)
    assert await take_rest(response, Taker(), 1000, stated=1 << 20, silence_s=None) is False
    if response.connection is not None and response.connection.protocol is not None:
        assert response.connection.protocol.read_timeout == 1.0


async def test_what_little_is_left_is_left_to_the_library() -> None:
    assert await take_rest(reply(), Taker(), 1000, stated=999 + READ_BYTES, silence_s=None) is False
