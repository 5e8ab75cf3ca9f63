"""The signing key's file: made once, by whoever is first, and closed to others."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.hosting.key_file import KEY_BYTES, KeyFileError, read, read_or_make


def test_no_file_is_no_key(tmp_path: Path) -> None:
    assert read(tmp_path / "signing.key") is None
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_with_its_folder_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "signing.key"
    key = read_or_make(path)
    assert len(key) == KEY_BYTES
    assert read_or_make(path) == read(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["signing.key"]


def test_the_mode_does_not_hang_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        read_or_make(tmp_path / "signing.key")
    finally:
        os.umask(before)
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600


def test_threads_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(read_or_make, [tmp_path / "signing.key"] * 64))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["signing.key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = set(pool.map(read_or_make, [tmp_path / "signing.key"] * 16, chunksize=1))
    assert len(keys) == 1


def test_a_file_others_can_read_is_closed_to_them_and_that_is_logged_without_the_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    key = read_or_make(path)
    text = path.read_text().strip()
    path.chmod(0o644)
    with capture_logs() as logged:
        assert read(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [line["event"] for line in logged] == ["signing_key_tightened"]
    assert text not in str(logged)


@pytest.mark.parametrize("content", [b"", b"short", b"A" * 43, b"!" * 44, b"\xff" * 44, b"A" * 5000])
def test_a_damaged_file_is_told_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="delete it"):
        read_or_make(path)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match="GATEWAY_SIGNING_KEY"):
        read_or_make(tmp_path / "file" / "below" / "signing.key")
    with pytest.raises(KeyFileError):
        read(tmp_path / "file" / "signing.key")
