"""A large reply lies in memory where there is room, and in a file from there on."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from providers import piece_spool
from providers.mapped import is_mapped
from providers.piece_spool import PieceSpool
from providers.pieces import Memory, Span
from providers.spool import (
    SCARCE_THRESHOLD,
    SPOOL_THRESHOLD,
    STATED_THRESHOLD,
)
from tests.unit.providers.test_spool import Counting, held_by

MIB = 1024 * 1024
LIMIT = 64 * MIB
CHUNK = 64 * 1024
CONTENT = random.Random(8).randbytes(8 * MIB)
NOT_NEEDED = Path("/nowhere/that/is/needed")


def filled(spool: PieceSpool, length: int, *, chunk: int = CHUNK) -> PieceSpool:
    for start in range(0, length, chunk):
        spool.write(CONTENT[start : min(start + chunk, length)])
    return spool


def joined(body: tuple[Span, ...]) -> bytes:
    return b"".join(span.data for span in body)


def in_memory(body: tuple[Span, ...]) -> int:
    """Bytes of it; what is not lies in one file, behind them."""
    assert not any(is_mapped(span.data) for span in body[:-1])
    return sum(len(span.data) for span in body if not is_mapped(span.data))


@pytest.mark.parametrize("stated", [0, 1, STATED_THRESHOLD, None])
async def test_a_body_that_may_be_small_takes_nothing_beforehand(stated: int | None) -> None:
    memory = Memory(LIMIT)
    spool = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=stated, memory=memory)
    await spool.find_room()
    assert memory.free == LIMIT
    assert spool.finish() == ()


def test_a_body_of_a_small_stated_length_lies_in_memory_though_there_is_none() -> None:
    memory = Memory(0)
    spool = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=STATED_THRESHOLD, memory=memory)
    body = filled(spool, STATED_THRESHOLD).finish()
    assert joined(body) == CONTENT[:STATED_THRESHOLD]
    assert memory.free == -STATED_THRESHOLD
    del body
    assert memory.free == 0


async def test_a_body_of_a_large_stated_length_lies_in_memory_where_there_is_room_for_all_of_it() -> None:
    memory = Memory(6 * MIB)
    spool = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=6 * MIB, memory=memory)
    await spool.find_room()
    assert memory.free == 0
    body = filled(spool, 6 * MIB).finish()
    assert joined(body) == CONTENT[: 6 * MIB]
    assert memory.free == 0
    del body
    assert memory.free == 6 * MIB


@pytest.mark.parametrize("room", [0, 5 * MIB - 1])
async def test_a_body_of_a_large_stated_length_lies_in_a_file_where_there_is_no_room_for_all_of_it(
    tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(piece_spool, "WAIT_S", 0.01)
    memory = Memory(5 * MIB)
    memory.take(5 * MIB - room)
    spool = PieceSpool(tmp_path, limit=LIMIT, stated=5 * MIB, memory=memory)
    await spool.find_room()
    body = filled(spool, 5 * MIB).finish()
    assert in_memory(body) == 0
    assert joined(body) == CONTENT[: 5 * MIB]
    assert memory.free == room


async def test_a_body_waits_for_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piece_spool, "WAIT_S", 20.0)
    memory = Memory(6 * MIB)
    first = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=5 * MIB, memory=memory)
    await first.find_room()
    second = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=5 * MIB, memory=memory)
    waiting = asyncio.create_task(second.find_room())
    body = filled(first, 5 * MIB).finish()
    await asyncio.sleep(0)
    assert not waiting.done()
    del body
    await waiting
    assert joined(filled(second, 5 * MIB).finish()) == CONTENT[: 5 * MIB]


async def test_who_is_cancelled_while_it_waits_for_room_has_taken_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piece_spool, "WAIT_S", 20.0)
    memory = Memory(6 * MIB)
    memory.take(6 * MIB)
    waiting = asyncio.create_task(PieceSpool(None, limit=LIMIT, stated=5 * MIB, memory=memory).find_room())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    memory.give(6 * MIB)
    assert memory.free == 6 * MIB


def test_a_large_body_nobody_found_room_for_lies_in_a_file(tmp_path: Path) -> None:
    memory = Memory(LIMIT)
    body = filled(PieceSpool(tmp_path, limit=LIMIT, stated=5 * MIB, memory=memory), 5 * MIB).finish()
    assert in_memory(body) == 0
    assert memory.free == LIMIT


@pytest.mark.parametrize("room", [0, SPOOL_THRESHOLD, 2 * MIB, 2 * MIB + CHUNK - 1, 2 * MIB + CHUNK])
def test_a_body_of_no_stated_length_goes_to_a_file_when_there_is_no_room_any_more(tmp_path: Path, room: int) -> None:
    memory = Memory(room)
    body = filled(PieceSpool(tmp_path, limit=LIMIT, stated=None, memory=memory), 5 * MIB).finish()
    assert joined(body) == CONTENT[: 5 * MIB]
    assert in_memory(body) == max(SPOOL_THRESHOLD, room // CHUNK * CHUNK)
    assert memory.free == room - in_memory(body)
    del body
    assert memory.free == room


def test_a_body_that_went_to_a_file_stays_there(tmp_path: Path) -> None:
    memory = Memory(3 * MIB)
    memory.take(2 * MIB)
    spool = filled(PieceSpool(tmp_path, limit=LIMIT, stated=None, memory=memory), 2 * MIB)
    memory.give(2 * MIB)
    for start in range(2 * MIB, 4 * MIB, CHUNK):
        spool.write(CONTENT[start : start + CHUNK])
    body = spool.finish()
    assert in_memory(body) == SPOOL_THRESHOLD
    assert joined(body) == CONTENT[: 4 * MIB]


@pytest.mark.parametrize("stated", [None, 5 * MIB, STATED_THRESHOLD])
async def test_while_memory_is_scarce_only_a_little_of_a_body_lies_there(tmp_path: Path, stated: int | None) -> None:
    memory = Memory(LIMIT)
    with held_by(Counting(half_full=True)):
        spool = PieceSpool(tmp_path, limit=LIMIT, stated=stated, memory=memory)
        await spool.find_room()
    assert memory.free == LIMIT
    body = filled(spool, 2 * MIB, chunk=1000).finish()
    assert joined(body) == CONTENT[: 2 * MIB]
    assert in_memory(body) <= SCARCE_THRESHOLD


def test_a_body_goes_to_a_file_when_memory_becomes_scarce(tmp_path: Path) -> None:
    memory, counting = Memory(LIMIT), Counting()
    with held_by(counting):
        spool = filled(PieceSpool(tmp_path, limit=LIMIT, stated=None, memory=memory), 2 * MIB)
    counting.half_full = True
    for start in range(2 * MIB, 4 * MIB, CHUNK):
        spool.write(CONTENT[start : start + CHUNK])
    body = spool.finish()
    assert in_memory(body) == 2 * MIB
    assert joined(body) == CONTENT[: 4 * MIB]


@pytest.mark.parametrize("stated", [0, 1, STATED_THRESHOLD, 5 * MIB])
async def test_more_than_was_stated_is_kept_all_the_same(tmp_path: Path, stated: int) -> None:
    memory = Memory(6 * MIB)
    spool = PieceSpool(tmp_path, limit=LIMIT, stated=stated, memory=memory)
    await spool.find_room()
    body = filled(spool, 8 * MIB).finish()
    assert joined(body) == CONTENT
    assert in_memory(body) == max(STATED_THRESHOLD, stated)
    assert memory.free == 6 * MIB - in_memory(body)
    del body
    assert memory.free == 6 * MIB


async def test_less_than_was_stated_takes_no_more_than_it_is() -> None:
    memory = Memory(6 * MIB)
    spool = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=6 * MIB, memory=memory)
    await spool.find_room()
    body = filled(spool, MIB).finish()
    assert memory.free == 5 * MIB
    assert joined(body) == CONTENT[:MIB]
