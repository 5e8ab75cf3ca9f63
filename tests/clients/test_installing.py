"""Installing clients: once, whole or not at all, and no network is told from a broken promise."""

from __future__ import annotations

import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients import installing
from tests.clients.conftest import had

NOBODY = "http://127.0.0.1:9"
"""Where nothing listens: the discard port."""
CUT_OFF = {
    "PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": NOBODY, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "",
    "PIP_NO_CACHE_DIR": "1", "npm_config_registry": NOBODY,
}  # fmt: skip


def left_in(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir()] if cache.exists() else []


def test_without_network_the_reason_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(installing.Unreachable, match=r"openai 2\.9\.0 .* no network"):
        installing.python_client("2.9.0", cache=tmp_path, environment=CUT_OFF)
    assert left_in(tmp_path) == []


def test_without_network_node_and_its_client_are_told_missing(tmp_path: Path) -> None:
    with pytest.raises(installing.Unreachable, match="Node from the Python index could not be had: no network"):
        installing.node(search_path=str(tmp_path / "empty"), cache=tmp_path / "cache", environment=CUT_OFF)
    npm = shutil.which("npm")
    if npm is not None:
        own_cache = {"npm_config_cache": str(tmp_path / "npm")}
        with pytest.raises(installing.Unreachable, match="openai from the npm registry could not be had: no network"):
            installing.node_client([npm], cache=tmp_path / "cache", environment={**CUT_OFF, **own_cache})
    assert left_in(tmp_path / "cache") == []


def test_a_test_that_wants_an_unreachable_client_is_skipped_with_that_reason() -> None:
    def install() -> str:
        raise installing.Unreachable("openai could not be had: no network")

    with pytest.raises(pytest.skip.Exception, match="no network"):
        had(install)


def test_what_is_not_what_was_pinned_is_an_error_and_no_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(installing.HERE / "python", tmp_path / "python")
    pins = tmp_path / "python" / "openai-2.9.0.txt"
    pins.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", pins.read_text()))
    # The index at hand, so that it is no matter of the network: one wheel, of the right name and of other content.
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for line in pins.read_text().splitlines():
        if found := re.match(r"([a-z0-9-]+)==([0-9.]+)", line):
            (wheels / f"{found[1].replace('-', '_')}-{found[2]}-py3-none-any.whl").write_bytes(b"something else")
    monkeypatch.setattr(installing, "HERE", tmp_path)
    at_hand = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    with pytest.raises(installing.InstallError, match="HASHES"):
        installing.python_client("2.9.0", cache=tmp_path / "cache", environment=at_hand)
    assert left_in(tmp_path / "cache") == []


def test_what_is_there_is_not_built_again_and_other_pins_are(tmp_path: Path) -> None:
    pins, built = tmp_path / "pins", []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "content").write_text("whole")

    made = []
    for content in ("one", "one", "two"):
        pins.write_text(content)
        made.append(installing.installed("thing", [pins], build, tmp_path / "cache"))
    assert made[0] == made[1] != made[2]
    assert len(built) == 2


def test_two_at_once_end_with_one_whole_folder(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.write_text("one")
    at_the_same_time = threading.Barrier(2, timeout=20)

    def build(folder: Path) -> None:
        (folder / "content").write_text("whole")
        at_the_same_time.wait()

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(installing.installed, "thing", [pins], build, tmp_path / "cache") for _ in range(2)]
    folders = {each.result() for each in both}
    assert left_in(tmp_path / "cache") == [folder.name for folder in folders]
    assert (folders.pop() / "content").read_text() == "whole"


def test_a_build_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.write_text("one")

    def build(folder: Path) -> None:
        (folder / "content").write_text("half")
        raise installing.InstallError("half way")

    with pytest.raises(installing.InstallError):
        installing.installed("thing", [pins], build, tmp_path / "cache")
    assert left_in(tmp_path / "cache") == []


def test_node_of_the_machine_is_used_when_new_enough(tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho v{installing.OLDEST_NODE}.1.0\n")
        (tmp_path / name).chmod(0o755)
    found = installing.node(search_path=str(tmp_path), cache=tmp_path / "cache")
    assert found == (str(tmp_path / "node"), [str(tmp_path / "npm")])
    (tmp_path / "node").write_text(f"#!/bin/sh\necho v{installing.OLDEST_NODE - 1}.9.0\n")
    with pytest.raises(installing.Unreachable):
        installing.node(search_path=str(tmp_path), cache=tmp_path / "cache", environment=CUT_OFF)


@pytest.mark.parametrize("file", sorted(path.name for path in installing.HERE.glob("*/*.txt")))
def test_pins_name_hashes_and_no_index(file: str) -> None:
    (path,) = installing.HERE.glob(f"*/{file}")
    lines = path.read_text().splitlines()
    assert all(
        re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; .*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines
    )


def test_the_lock_file_names_no_registry() -> None:
    text = (installing.HERE / "node" / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "http" not in text
