"""A reply that was taken while it came is what it would be if it had come in one piece, and frees all it took."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers import incoming
from providers.blobs import cut
from providers.incoming import Incoming
from providers.mapped import MappedFile, is_mapped
from providers.pieced import PiecedFile, PiecedText
from providers.pieces import BUFFERED, Memory
from providers.spec.blob import Blob
from providers.spool import BodyTooLargeError, SpoolFailedError
from providers.workers import Workers
from tests.open_files import mapped_files, open_files
from tests.unit.providers.test_cutting import OUT_OF_THE_ORDINARY, PICTURE, reply
from tests.unit.providers.test_spool import Counting, held_by

MIB = 1024 * 1024
LIMIT = 64 * MIB
LARGE = PICTURE * 60
"""5.4 MB, of which a file is made where there is no memory."""


@pytest.fixture
def workers() -> Iterator[Workers]:
    own = Workers()
    yield own
    own.close()


@pytest.fixture
def memory() -> Iterator[Memory]:
    own = Memory(BUFFERED)
    yield own
    assert own.free == BUFFERED


def none() -> Memory:
    return Memory(0)


async def fed(taken: Incoming, body: bytes, size: int = 100_000) -> Incoming:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    async def more() -> bytes:
        return pieces.pop(0) if pieces else b""

    await taken.collect(await more(), more, cap=None)
    return taken


async def come(
    body: bytes,
    folder: Path | None,
    memory: Memory,
    *,
    size: int = 100_000,
    stated: int | None = None,
    is_image: bool = False,
) -> Incoming:
    return await fed(Incoming(folder, limit=LIMIT, stated=stated, memory=memory, is_image=is_image), body, size)


def read(cut_up: tuple[bytes, tuple[Blob, ...]]) -> tuple[bytes, list[tuple[str, bytes]]]:
    skeleton, blobs = cut_up
    return skeleton, [(blob.media_type, blob.read()) for blob in blobs]


@pytest.fixture
def cut_at_last(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads in which bodies are cut when they are whole."""
    threads: list[threading.Thread] = []

    def noticed(body: Any) -> tuple[bytes, tuple[Blob, ...]]:
        threads.append(threading.current_thread())
        return cut(body)

    monkeypatch.setattr(incoming, "cut", noticed)
    return threads


@pytest.mark.parametrize("size", [1000, 65_536, 1 << 30])
@pytest.mark.parametrize("in_file", [False, True])
async def test_an_ordinary_document_is_cut_when_it_is_there(
    tmp_path: Path, workers: Workers, cut_at_last: list[threading.Thread], memory: Memory, size: int, in_file: bool
) -> None:
    body = reply(PICTURE, LARGE)
    taken = await come(body, tmp_path, none() if in_file else memory, size=size, stated=len(body) if in_file else None)
    skeleton, blobs = await taken.document(workers)
    assert read((skeleton, blobs)) == read(cut(body))
    assert [type(blob) for blob in blobs] == [PiecedText] * 2
    last = blobs[-1]
    assert isinstance(last, PiecedText)
    assert is_mapped(last.text[-1].data) is in_file
    assert cut_at_last == []


@pytest.mark.parametrize("size", [1000, 1 << 30])
async def test_escaped_padding_is_put_behind_the_text_it_belongs_to(
    workers: Workers, memory: Memory, size: int
) -> None:
    body = reply(PICTURE[:-1], PICTURE[:-2]).replace(b"=", b"\\u003d")
    skeleton, blobs = await (await come(body, None, memory, size=size)).document(workers)
    assert read((skeleton, blobs)) == read(cut(body))
    assert [type(blob) for blob in blobs] == [PiecedText] * 2


UNDAMAGED = [
    "a long key",
    "a backslash in the middle",
    "a URL that is not base64",
    "long prose",
    "very many strings behind a picture",
    "too much text beside a picture",
    "a picture without an end",
]


@pytest.mark.parametrize("name", UNDAMAGED)
@pytest.mark.parametrize("in_file", [False, True])
async def test_a_document_out_of_the_ordinary_is_cut_when_it_is_whole_in_another_thread(
    tmp_path: Path, workers: Workers, cut_at_last: list[threading.Thread], memory: Memory, name: str, in_file: bool
) -> None:
    body = OUT_OF_THE_ORDINARY[name].encode()
    counting = Counting()
    with held_by(counting):
        taken = await come(body, tmp_path, none() if in_file else memory, stated=LIMIT if in_file else None)
        cut_up = await taken.document(workers)
    assert read(cut_up) == read(cut(body))
    (thread,) = cut_at_last
    assert thread is not threading.main_thread()
    assert counting.held == len(body)


async def test_a_large_document_out_of_the_ordinary_is_cut_where_it_is_put_together(
    tmp_path: Path, workers: Workers, cut_at_last: list[threading.Thread], memory: Memory
) -> None:
    body = json.dumps({"data": base64.b64encode(LARGE).decode().replace("A", "/")}).replace("/", "\\/").encode()
    cut_up = await (await come(body, tmp_path, memory)).document(workers)
    assert read(cut_up) == read(cut(body))
    assert len(cut_at_last) == 1
    del cut_up
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0


@pytest.mark.parametrize("size", [0, 1, 1000, len(LARGE)])
@pytest.mark.parametrize("stated", [None, len(LARGE)])
async def test_an_image_is_what_came_with_its_media_type(
    tmp_path: Path, memory: Memory, size: int, stated: int | None
) -> None:
    image = (await come(LARGE[:size], tmp_path, memory, stated=stated, is_image=True)).image("image/webp")
    assert isinstance(image, PiecedFile)
    assert (image.read(), image.media_type, image.length) == (LARGE[:size], "image/webp", size)


async def test_an_image_is_not_searched_for_images(memory: Memory) -> None:
    body = reply(PICTURE)
    assert (await come(body, None, memory, is_image=True)).image("").read() == body


async def test_what_was_asked_for_as_an_image_can_be_taken_as_a_document(
    workers: Workers, cut_at_last: list[threading.Thread], memory: Memory
) -> None:
    body = reply(PICTURE)
    assert read(await (await come(body, None, memory, is_image=True)).document(workers)) == read(cut(body))
    assert len(cut_at_last) == 1


async def test_room_is_found_before_it_is_read_and_what_is_not_filled_is_given_back(memory: Memory) -> None:
    free: list[int] = []

    async def more() -> bytes:
        free.append(memory.free)
        return b""

    taken = Incoming(None, limit=LIMIT, stated=20 * MIB, memory=memory, is_image=True)
    await taken.collect(PICTURE, more, cap=None)
    image = taken.image("")
    assert free == [BUFFERED - 20 * MIB]
    assert memory.free == BUFFERED - len(PICTURE)
    assert image.read() == PICTURE


class LeaveError(Exception):
    """Whatever may be raised."""


@pytest.mark.parametrize("stated", [None, 6 * MIB])
@pytest.mark.parametrize("room", [0, BUFFERED])
async def test_whatever_is_raised_what_came_is_freed(tmp_path: Path, stated: int | None, room: int) -> None:
    counting, memory = Counting(), Memory(room)

    async def more() -> bytes:
        if counting.held > len(LARGE):
            raise LeaveError
        return LARGE[:65_536]

    with held_by(counting):
        taken = Incoming(tmp_path, limit=LIMIT, stated=stated, memory=memory, is_image=False)
        with pytest.raises(LeaveError):
            await taken.collect(LARGE[:65_536], more, cap=None)
    assert (memory.free, counting.held) == (room, 0)
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0


@pytest.mark.parametrize(("cap", "came"), [(None, 300), (300, 300), (299, 299), (150, 150), (0, 0)])
async def test_no_more_is_taken_than_the_cap(memory: Memory, cap: int | None, came: int) -> None:
    pieces = [b"y" * 100, b"z" * 100]

    async def more() -> bytes:
        return pieces.pop(0) if pieces else b""

    taken = Incoming(None, limit=LIMIT, stated=None, memory=memory, is_image=True)
    await taken.collect(b"x" * 100, more, cap=cap)
    assert taken.image("").read() == (b"x" * 100 + b"y" * 100 + b"z" * 100)[:came]


async def test_one_byte_too_many_is_refused_and_all_is_freed(tmp_path: Path, memory: Memory) -> None:
    taken = Incoming(tmp_path, limit=100, stated=None, memory=memory, is_image=False)
    with pytest.raises(BodyTooLargeError):
        await fed(taken, b"x" * 101, size=100)
    assert memory.free == BUFFERED


PHP = json.dumps({"data": base64.b64encode(PICTURE * 24).decode().replace("A", "/")}).replace("/", "\\/").encode()
"""2.9 MB of what is out of the ordinary."""


@pytest.mark.parametrize("stated", [False, True])
async def test_what_lies_in_memory_needs_no_disk_to_be_cut(
    tmp_path: Path, workers: Workers, memory: Memory, stated: bool
) -> None:
    nowhere = tmp_path / "gone"
    for body in (PHP, PHP * 2):
        cut_up = await (await come(body, nowhere, memory, stated=len(body) if stated else None)).document(workers)
        assert read(cut_up) == read(cut(body))


async def test_what_lies_in_one_file_is_cut_there(tmp_path: Path, workers: Workers) -> None:
    taken = await come(PHP * 2, tmp_path, none(), stated=len(PHP) * 2)
    cut_up = await taken.document(workers)
    assert open_files(tmp_path) <= 2  # the mapping's, and the one to send from
    assert read(cut_up) == read(cut(PHP * 2))


async def test_a_file_that_cannot_be_mapped_is_our_own_failure_and_all_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> MappedFile:
        raise OSError("no more mappings")

    monkeypatch.setattr(MappedFile, "of", broken)
    counting = Counting()
    with held_by(counting):
        taken = await come(LARGE, tmp_path, none(), stated=len(LARGE), is_image=True)
    with pytest.raises(SpoolFailedError):
        taken.image("")
    assert counting.held == 0
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0
