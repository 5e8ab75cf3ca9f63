"""Mapped files, given back: their pages leave this process's memory, and their bytes stay."""

from __future__ import annotations

import itertools
import mmap
import os
import resource
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from providers.blobs import Base64Blob, MemoryBlob, cut
from providers.mapped import MappedFile, let_go, where
from providers.spool import Spool
from tests.base64_text import text_of

LENGTH = 48 * 1024 * 1024
PROCESS = Path("/proc/self")
ABSENT = bytes(range(128))
"""The last byte of a page's entry in ``pagemap`` while the page is not in this process's memory."""

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what of a file is held")


def mapped(data: bytes, folder: Path | None = None) -> mmap.mmap:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(data)
        file.flush()
        return mmap.mmap(file.fileno(), len(data), access=mmap.ACCESS_READ)


def held_of_files(folder: Path) -> int:
    """Bytes in this process's memory of the mapped files in ``folder``, also of those without a name."""
    held = 0
    with (PROCESS / "pagemap").open("rb", buffering=0) as pages:
        for line in (PROCESS / "maps").read_text().splitlines():
            if f" {folder}/" in line:
                start, end = (int(address, 16) // mmap.PAGESIZE for address in line.split(" ", 1)[0].split("-"))
                entries = os.pread(pages.fileno(), 8 * (end - start), 8 * start)
                held += len(entries[7::8].translate(None, ABSENT)) * mmap.PAGESIZE
    return held


@on_linux
def test_pages_that_were_looked_at_are_let_go_of(tmp_path: Path) -> None:
    file = mapped(b"a" * LENGTH, tmp_path)
    assert file.find(b"b") == -1
    assert held_of_files(tmp_path) > LENGTH // 2
    let_go(memoryview(file)[10:20])
    assert held_of_files(tmp_path) < LENGTH // 8
    assert file[: 1024 * 1024] == b"a" * 1024 * 1024


@on_linux
def test_a_large_answer_is_cut_and_read_without_being_held(tmp_path: Path) -> None:
    body = mapped(b'{"data": "' + b"QUFB" * (LENGTH // 4) + b'"}', tmp_path)
    _, (image,) = cut(body)
    assert held_of_files(tmp_path) < LENGTH // 8
    assert isinstance(image, Base64Blob)
    assert len(image.read()) == LENGTH // 4 * 3
    assert held_of_files(tmp_path) < LENGTH // 8
    file = mapped(b"x" * LENGTH, tmp_path)
    assert len(MemoryBlob(memoryview(file)).read()) == LENGTH
    assert held_of_files(tmp_path) < LENGTH // 8


@on_linux
def test_while_a_large_answer_is_cut_a_piece_of_it_is_held(tmp_path: Path) -> None:
    class Watched(mmap.mmap):
        most = 0

        def find(self, *what: Any) -> int:
            found = super().find(*what)
            self.most = max(self.most, held_of_files(tmp_path))
            return found

    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.write(b'{"data": "' + b"QUFB" * (LENGTH // 4 - 1) + b'QUE\\u003d"}')
        file.flush()
        body = Watched(file.fileno(), 0)
    tracemalloc.start()
    try:
        _, (image,) = cut(body)
        assert tracemalloc.get_traced_memory()[1] < LENGTH // 8
    finally:
        tracemalloc.stop()
    assert image.length == LENGTH // 4 * 3 - 1
    let_go(body)
    assert text_of(image.base64())[-4:] == b"QUE="
    assert 0 < body.most < LENGTH // 8


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_what_is_no_mapped_file_is_left_alone(data: bytes | bytearray | memoryview) -> None:
    let_go(data)
    assert bytes(data) == b"abc"


def still_open(data: bytes) -> MappedFile:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        return MappedFile.of(file, len(data))


def test_what_lies_in_a_file_can_be_read_from_there() -> None:
    lying = memoryview(still_open(b"0123456789" * 1000))
    lies = where(lying[5:][3:7])
    assert lies is not None
    descriptor, offset = lies
    assert (os.pread(descriptor, 4, offset), offset) == (b"8901", 8)


def test_a_change_to_it_is_one_to_the_file() -> None:
    file = still_open(b"fox and dog")
    file[0:3] = b"cat"
    lies = where(file)
    assert lies == (file.descriptor, 0)
    assert os.pread(file.descriptor, 3, 0) == b"cat"


def test_the_file_is_closed_with_its_mapping() -> None:
    file = still_open(b"fox")
    descriptor = file.descriptor
    assert os.fstat(descriptor).st_size == 3
    del file
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("data", [b"fox", bytearray(b"fox"), memoryview(b"fox"), b"", mapped(b"fox")])
def test_what_lies_in_no_open_file_lies_nowhere(data: bytes) -> None:
    assert where(data) is None


def test_what_may_not_be_written_to_and_what_is_empty_lies_nowhere() -> None:
    view = memoryview(still_open(b"fox"))
    assert where(view.toreadonly()) is where(view[3:]) is None


def is_free(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def test_only_a_part_of_all_descriptors_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty are free below that part, wherever other tests' lie."""
    most = 4 * next(itertools.islice(filter(is_free, itertools.count()), 40, None))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    files = [still_open(b"fox") for _ in range(100)]
    assert 5 <= sum(file.descriptor >= 0 for file in files) <= 41


def test_no_descriptor_is_kept_where_they_may_become_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    assert where(still_open(b"fox")) is None
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert where(still_open(b"fox")) is not None


def test_the_picture_of_a_spooled_reply_can_be_sent_from_its_file(tmp_path: Path) -> None:
    text = b"QUJD" * 1_500_000
    body = b'{"data": "' + text + b'", "more": 1}'
    spool = Spool(tmp_path, limit=len(body), stated=len(body))
    spool.write(body)
    _, (blob,) = cut(spool.finish())
    lying = blob.base64()
    assert isinstance(lying, memoryview)
    lies = where(lying)
    assert lies is not None
    assert os.pread(lies[0], len(lying), lies[1]) == text
