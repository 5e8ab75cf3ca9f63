"""Server-sent events out of bytes, however they are cut, and a stream that ends for good."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.event_stream import Events, EventStream
from providers.spec.conversation import Reply, Unanswered
from providers.spool import BodyTooLargeError

LIMIT = 100_000_000


def read(pieces: Sequence[bytes], *, limit: int = LIMIT) -> list[bytes]:
    events = Events(None, limit=limit)
    found = [data for piece in pieces for data in events.feed(piece)] + events.end()
    return [bytes(data[:]) for data in found]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"", []),
        (b'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\n', [b'{"a":1}', b'{"b":2}']),
        (b"data: x\n\ndata:y\n\n", [b"x", b"y"]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"data: first\ndata: second\n\n", [b"first\nsecond"]),
        (b": a comment\n\nevent: ping\nid: 7\nretry: 5\ndata: x\nunknown\n\n", [b"x"]),
        (b"data\n\ndata:\n\ndata: \n\n", []),
        (b"database: no\nDATA: no\n data: no\n\n", []),
        (b"data: no empty line behind it", [b"no empty line behind it"]),
        (b"data: ends with its line\r\n", [b"ends with its line"]),
        (b"\n\n\r\n\ndata: x\n\n\n\n", [b"x"]),
        (b"data: a\rb\r\n\r\n", [b"a\rb"]),
    ],
)
def test_the_data_of_each_event_is_found_however_the_bytes_are_cut(stream: bytes, data: list[bytes]) -> None:
    assert read([stream]) == data
    assert read([stream[place : place + 1] for place in range(len(stream))]) == data
    for place in range(len(stream)):
        assert read([stream[:place], stream[place:]]) == data


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1), max_size=5), st.data())
def test_events_survive_any_cutting(texts: list[str], draw: st.DataObject) -> None:
    stream = "".join(f"data: {text}\r\n\r\n" for text in texts).encode()
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(pieces) == [text.encode() for text in texts]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_make_it_fail(pieces: list[bytes]) -> None:
    read(pieces)


def test_a_long_line_lies_in_a_mapped_file(tmp_path: Path) -> None:
    events = Events(tmp_path, limit=LIMIT)
    piece = b"A" * 256 * 1024
    assert events.feed(b"data: ") == []
    for _ in range(20):
        assert events.feed(piece) == []
    (data,) = events.feed(b"\r\n\r\n")
    assert isinstance(data, mmap.mmap)
    assert len(data) == 20 * len(piece)
    assert list(tmp_path.iterdir()) == []


def test_all_bytes_count_towards_the_limit_whatever_they_are() -> None:
    assert read([b"data: x\n\n"], limit=9) == [b"x"]
    for stream in (b"data: xy\n\n", b": comment\n", b"\n" * 10):
        with pytest.raises(BodyTooLargeError):
            read([stream], limit=9)


class Body:
    """A body's pieces in turn, and what was done to its connection."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.hung_up = 0

    async def chunk(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def hang_up(self) -> None:
        self.hung_up += 1

    def stream(self, *, limit: int = LIMIT) -> EventStream:
        return EventStream(Events(None, limit=limit), self.chunk, self.reply, self.hang_up)

    async def reply(self, data: bytes | mmap.mmap) -> Reply:
        return Reply(200, {}, bytes(data[:]))


async def bodies(stream: EventStream) -> list[bytes]:
    found = []
    while (reply := await stream.next()) is not None:
        found.append(reply.body)
    return found


async def test_events_come_one_by_one_and_then_none_for_ever() -> None:
    stream = Body(b"data: 1\n\ndata: 2\n\nda", b"ta: 3\n\n").stream()
    assert await bodies(stream) == [b"1", b"2", b"3"]
    assert await stream.next() is None


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    body = Body(b"data: 1\n\n", b"data: 2\n\n")
    stream = body.stream()
    await stream.next()
    assert body.pieces == [b"data: 2\n\n"]


async def test_a_stream_that_breaks_hangs_up_and_has_no_more_events() -> None:
    body = Body(b"data: 1\n\ndata: half", Unanswered("the connection broke", sent=True))
    stream = body.stream()
    assert await stream.next() is not None
    with pytest.raises(Unanswered):
        await stream.next()
    assert body.hung_up == 1
    assert await stream.next() is None


async def test_a_stream_that_is_too_large_is_no_usable_reply() -> None:
    body = Body(b"data: 1\n\n", b"data: 2\n\n")
    stream = body.stream(limit=15)
    assert await stream.next() is not None
    with pytest.raises(Unanswered) as raised:
        await stream.next()
    assert (raised.value.reason, raised.value.sent, body.hung_up) == ("the reply was too large", True, 1)


async def test_a_closed_stream_has_no_events() -> None:
    body = Body(b"data: 1\n\ndata: 2\n\n")
    stream = body.stream()
    await stream.next()
    stream.close()
    assert await stream.next() is None
    assert body.hung_up == 1


LINES = st.sampled_from(
    b"data: a|data:b|data:  c|data|data:|data: |dat|: data: no|event: x|id: 1|||datax: 1".split(b"|"),
)


def slowly(stream: bytes) -> list[bytes]:
    """The format as its standard says it, from the whole at once: lines, fields, and what an empty line ends."""
    events: list[bytes] = []
    data: list[bytes] = []
    for line in [*stream.split(b"\n"), b""]:
        line = line.removesuffix(b"\r")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line:
            events += [b"\n".join(data)] if b"".join(data) or len(data) > 1 else []
            data = []
    return events


@given(st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"])), max_size=12), st.booleans(), st.data())
def test_any_lines_make_the_events_the_standard_says(
    lines: list[tuple[bytes, bytes]], ended: bool, draw: st.DataObject
) -> None:
    stream = b"".join(line + end for line, end in lines) + (b"\n\n" if ended else b"")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(pieces) == slowly(stream)
