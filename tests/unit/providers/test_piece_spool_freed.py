"""Whatever becomes of a large reply, it comes back byte for byte or not at all, and what it took is given back."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers import piece_spool
from providers.piece_spool import PieceSpool
from providers.pieces import Memory
from providers.spool import (
    LITTLE_BYTES,
    SCARCE_THRESHOLD,
    STATED_THRESHOLD,
    BodyTooLargeError,
    SpoolFailedError,
)
from tests.open_files import mapped_files, open_files
from tests.unit.providers.test_piece_spool import CHUNK, CONTENT, LIMIT, MIB, NOT_NEEDED, filled, in_memory, joined
from tests.unit.providers.test_spool import Counting, held_by, no_file_larger_than


@pytest.mark.parametrize("came", [0, 1, MIB, MIB + 1, 6 * MIB])
async def test_room_that_was_found_is_free_again_when_the_body_is_dropped(came: int) -> None:
    memory = Memory(6 * MIB)
    spool = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=6 * MIB, memory=memory)
    await spool.find_room()
    filled(spool, came)
    assert memory.free == 0
    del spool
    assert memory.free == 6 * MIB


sizes = st.lists(
    st.integers(0, 9) | st.sampled_from([LITTLE_BYTES - 1, LITTLE_BYTES, CHUNK - 1, CHUNK, 262_144, MIB, MIB + 1]),
    max_size=30,
)
rooms = st.integers(0, 9 * MIB) | st.sampled_from([STATED_THRESHOLD + 1, 7 * MIB, 9 * MIB])
stateds = st.sampled_from([None, 0, STATED_THRESHOLD, STATED_THRESHOLD + 1, 7 * MIB])


@pytest.fixture(scope="module", autouse=True)
def a_short_wait() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(piece_spool, "WAIT_S", 0.001)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


async def written(spool: PieceSpool, sizes: list[int]) -> bytes:
    """What was."""
    await spool.find_room()
    at = 0
    for size in sizes:
        if at + size <= len(CONTENT):
            spool.write(CONTENT[at : at + size])
            at += size
    assert spool.length == at
    return CONTENT[:at]


@pytest.mark.filterwarnings("ignore:unclosed file")
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(sizes, stateds, rooms, st.sampled_from(["finished", "closed", "dropped"]), st.booleans())
def test_chunks_of_any_size_come_back_in_order_and_all_they_took_is_given_back(
    folder: Path, sizes: list[int], stated: int | None, room: int, ending: str, scarce: bool
) -> None:
    memory, counting = Memory(room), Counting(half_full=scarce)
    with held_by(counting), pytest.MonkeyPatch.context() as patched:
        patched.setattr(piece_spool, "WAIT_S", 0.001)
        spool = PieceSpool(folder, limit=LIMIT, stated=stated, memory=memory)
        whole = asyncio.run(written(spool, sizes))
    assert counting.held == len(whole)
    if ending == "finished":
        body = spool.finish()
        assert joined(body) == whole
        assert memory.free == room - in_memory(body)
        assert counting.held == len(whole)
        del body
    elif ending == "closed":
        spool.close()
        assert (memory.free, counting.held) == (room, 0)
        spool.close()
        assert (memory.free, counting.held) == (room, 0)
    del spool
    assert memory.free == room


@pytest.mark.parametrize("room", [0, 2 * MIB, 32 * MIB])
@pytest.mark.parametrize("stated", [None, 3 * MIB, 5 * MIB, 6 * MIB])
@pytest.mark.parametrize("little", [0, 100])
async def test_one_byte_more_than_the_limit_frees_everything_at_once(
    tmp_path: Path, room: int, stated: int | None, little: int
) -> None:
    memory, counting = Memory(room), Counting()
    with held_by(counting):
        spool = PieceSpool(tmp_path, limit=5 * MIB + little, stated=stated, memory=memory)
        await spool.find_room()
        filled(spool, 5 * MIB)
        spool.write(CONTENT[:little])
        with pytest.raises(BodyTooLargeError):
            spool.write(b"x")
    assert memory.free == room
    assert counting.held == 0
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0


def test_a_file_that_cannot_be_made_is_our_own_failure(tmp_path: Path) -> None:
    memory, counting = Memory(2 * MIB), Counting()
    with held_by(counting):
        spool = filled(PieceSpool(tmp_path / "missing", limit=LIMIT, stated=None, memory=memory), 2 * MIB)
        spool.write(b"")
        with pytest.raises(SpoolFailedError):
            spool.write(b"x")
    spool.close()
    assert (memory.free, counting.held) == (2 * MIB, 0)


def test_a_disk_that_fills_up_is_our_own_failure_too(tmp_path: Path) -> None:
    memory, counting = Memory(2 * MIB), Counting()
    with held_by(counting):
        spool = filled(PieceSpool(tmp_path, limit=LIMIT, stated=None, memory=memory), 3 * MIB)
        with no_file_larger_than(2 * MIB), pytest.raises(SpoolFailedError):
            filled(spool, 2 * MIB)
    spool.close()
    assert (memory.free, counting.held) == (2 * MIB, 0)
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0


def test_the_file_is_closed_with_the_last_of_the_body_in_it(tmp_path: Path) -> None:
    body = filled(PieceSpool(tmp_path, limit=LIMIT, stated=None, memory=Memory(0)), 2 * MIB).finish()
    assert list(tmp_path.iterdir()) == []
    assert open_files(tmp_path) > 0
    del body
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0


@pytest.mark.parametrize("stated", [None, 1_000_000])
def test_a_body_that_drips_takes_little_more_than_its_length(stated: int | None) -> None:
    """So large that what the rest of the process takes meanwhile does not matter."""
    memory = Memory(MIB)
    spool = PieceSpool(NOT_NEEDED, limit=LIMIT, stated=stated, memory=memory)
    tracemalloc.start()
    for at in range(0, 1_000_000, 5):
        spool.write(CONTENT[at : at + 5])
    body = spool.finish()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * 1_000_000 + SCARCE_THRESHOLD
    assert memory.free == MIB - 1_000_000
    assert joined(body) == CONTENT[:1_000_000]
    assert len(body) <= 1_000_000 // SCARCE_THRESHOLD + 1
    del body
    assert memory.free == MIB
