"""Every promise in SECURITY.md names tests, and every test it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
PROMISES = [line for line in TEXT.splitlines() if line.startswith("|") and not line.startswith(("| promise", "|---"))]


def test_every_promise_names_a_test() -> None:
    assert len(PROMISES) > 20
    assert [line for line in PROMISES if not re.search(r"`tests/[^`]+`", line.rsplit("|", 2)[1])] == []


def test_every_test_that_is_named_exists_and_holds_tests() -> None:
    for line in PROMISES:
        folder = ROOT
        for name in re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1]):
            place = ROOT / name if name.startswith("tests/") else folder / name  # beside the one before
            folder = place.parent
            files = sorted(place.rglob("test_*.py")) if place.is_dir() else [place]
            assert files, name
            assert all(file.is_file() for file in files), name
            assert any("def test_" in file.read_text() for file in files), name


def test_documents_it_points_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target
