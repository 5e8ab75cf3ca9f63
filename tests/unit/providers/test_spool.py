"""A body collects in memory or in a file; a full or missing disk is our fault, and nothing is left behind."""

from __future__ import annotations

import mmap
import resource
import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spool import (
    SCARCE_THRESHOLD,
    SPOOL_THRESHOLD,
    STATED_THRESHOLD,
    BodyTooLargeError,
    Spool,
    SpoolFailedError,
    holder,
)
from tests.open_files import mapped_files, open_files

CHUNK = bytes(range(256)) * 1024


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can tell."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [0, 1, SPOOL_THRESHOLD])
def test_a_small_body_stays_in_memory(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path / "not needed", limit=SPOOL_THRESHOLD)
    spool.write(b"x" * size)
    assert spool.finish() == b"x" * size


def test_a_large_body_goes_through_a_file_without_a_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=10 * SPOOL_THRESHOLD)
    for _ in range(9):
        spool.write(CHUNK)
    assert list(tmp_path.iterdir()) == []
    body = spool.finish()
    assert isinstance(body, mmap.mmap)
    assert bytes(body) == CHUNK * 9
    assert mapped_files(tmp_path) == 1
    assert open_files(tmp_path) in {1, 2}  # the mapping's, and the one to send from while there are many left
    del body
    assert open_files(tmp_path) == mapped_files(tmp_path) == 0


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(tmp_path: Path) -> None:
    for limit in (100, 2 * SPOOL_THRESHOLD):
        spool = Spool(tmp_path, limit=limit)
        spool.write(b"x" * limit)
        assert len(spool.finish()) == limit
        spool = Spool(tmp_path, limit=limit)
        spool.write(b"x" * limit)
        with pytest.raises(BodyTooLargeError):
            spool.write(b"x")
        assert open_files(tmp_path) == 0


@pytest.mark.parametrize("directory", ["missing", "a file"])
def test_a_directory_that_takes_no_file_is_told_as_our_own_failure(tmp_path: Path, directory: str) -> None:
    (tmp_path / "a file").write_bytes(b"")
    spool = Spool(tmp_path / directory, limit=10 * SPOOL_THRESHOLD)
    with pytest.raises(SpoolFailedError):
        spool.write(b"x" * (SPOOL_THRESHOLD + 1))
    assert open_files(tmp_path) == 0


def test_a_disk_that_fills_up_is_told_and_the_file_is_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=100 * SPOOL_THRESHOLD)
    with no_file_larger_than(2 * SPOOL_THRESHOLD):
        spool.write(CHUNK * 6)
        assert open_files(tmp_path) == 1
        with pytest.raises(SpoolFailedError):
            spool.write(CHUNK * 4)
    assert open_files(tmp_path) == 0


def test_closing_twice_or_early_is_harmless(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=10 * SPOOL_THRESHOLD)
    spool.write(CHUNK * 5)
    assert open_files(tmp_path) == 1
    spool.close()
    spool.close()
    assert open_files(tmp_path) == 0


class Counting:
    """A holder that counts."""

    def __init__(self, *, half_full: bool = False) -> None:
        self.half_full = half_full
        self.held = 0

    def took(self, count: int) -> None:
        self.held += count

    def gave_back(self, count: int) -> None:
        self.held -= count


@contextmanager
def held_by(counting: Counting) -> Iterator[None]:
    token = holder.set(counting)
    try:
        yield
    finally:
        holder.reset(token)


@pytest.mark.parametrize("chunks", [1, 9])
def test_bytes_are_told_to_whoever_holds_them_and_stay_theirs_once_the_body_is_whole(
    tmp_path: Path, chunks: int
) -> None:
    counting = Counting()
    with held_by(counting):
        spool = Spool(tmp_path, limit=10 * SPOOL_THRESHOLD)
    for _ in range(chunks):
        spool.write(CHUNK)
    assert counting.held == chunks * len(CHUNK)
    spool.finish()
    spool.close()
    assert counting.held == chunks * len(CHUNK)


@pytest.mark.parametrize("chunks", [1, 9])
def test_bytes_of_a_body_that_is_dropped_unfinished_are_given_back(tmp_path: Path, chunks: int) -> None:
    counting = Counting()
    with held_by(counting):
        spool, limited = Spool(tmp_path, limit=10 * SPOOL_THRESHOLD), Spool(tmp_path, limit=len(CHUNK))
    for _ in range(chunks):
        spool.write(CHUNK)
    spool.close()
    spool.close()
    limited.write(CHUNK)
    with pytest.raises(BodyTooLargeError):
        limited.write(CHUNK)
    assert counting.held == 0


def test_bytes_of_a_body_the_disk_does_not_take_are_given_back(tmp_path: Path) -> None:
    counting = Counting()
    with held_by(counting):
        spool = Spool(tmp_path / "missing", limit=10 * SPOOL_THRESHOLD)
    with pytest.raises(SpoolFailedError):
        spool.write(CHUNK * 9)
    assert counting.held == 0


def test_while_memory_is_scarce_all_but_small_bodies_go_to_the_disk(tmp_path: Path) -> None:
    with held_by(Counting(half_full=True)):
        small, large = Spool(tmp_path, limit=SPOOL_THRESHOLD), Spool(tmp_path, limit=SPOOL_THRESHOLD)
    small.write(b"x" * SCARCE_THRESHOLD)
    large.write(b"x" * SCARCE_THRESHOLD)
    large.write(b"x")
    assert isinstance(small.finish(), bytes)
    assert isinstance(large.finish(), mmap.mmap)


def test_a_body_of_a_stated_length_lies_where_its_end_will_lie(tmp_path: Path) -> None:
    small = Spool(tmp_path / "not needed", limit=10 * STATED_THRESHOLD, stated=STATED_THRESHOLD)
    small.write(b"x" * STATED_THRESHOLD)
    assert small.finish() == b"x" * STATED_THRESHOLD
    large = Spool(tmp_path / "missing", limit=10 * STATED_THRESHOLD, stated=STATED_THRESHOLD + 1)
    with pytest.raises(SpoolFailedError):
        large.write(b"x")


def test_more_than_was_stated_goes_to_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=10 * STATED_THRESHOLD, stated=1)
    whole = b"x" * STATED_THRESHOLD + b"y"
    for start in range(0, len(whole), SPOOL_THRESHOLD):
        spool.write(whole[start : start + SPOOL_THRESHOLD])
    mapped = spool.finish()
    assert isinstance(mapped, mmap.mmap)
    assert mapped[:] == whole


@given(st.lists(st.binary(max_size=9000), max_size=40))
def test_chunks_of_any_size_are_put_together_in_order(chunks: list[bytes]) -> None:
    spool = Spool(None, limit=SPOOL_THRESHOLD)
    for chunk in chunks:
        spool.write(memoryview(chunk) if len(chunk) % 2 else chunk)
    assert spool.finish() == b"".join(chunks)


def test_a_body_that_drips_takes_little_more_than_its_length() -> None:
    """So large that what the rest of the process takes meanwhile does not matter."""
    spool = Spool(None, limit=SPOOL_THRESHOLD)
    tracemalloc.start()
    for _ in range(200_000):
        spool.write(b"x" * 5)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2 * 1_000_000 + 2 * SCARCE_THRESHOLD
    assert len(spool.finish()) == 1_000_000
