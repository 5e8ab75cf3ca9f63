"""The import contracts hold, and really fail when somebody breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "providers", "routing", "simulator")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)},
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("providers/fal/adapter.py", "import httpx"),
        ("providers/gemini/adapter.py", "import aiohttp"),
        ("providers/vertex/adapter.py", "import providers.gemini.adapter"),
        ("routing/plan.py", "import providers.fal.adapter"),
        ("routing/plan.py", "import providers.transport"),
        ("routing/plan.py", "import app.settings"),
        ("routing/plan.py", "import time"),
        ("providers/spec/request.py", "import providers.blobs"),
        ("app/gateway.py", "import fastapi"),
        ("app/gateway.py", "import aiohttp"),
        ("simulator/world.py", "import providers.spec.errors"),
        ("app/demo.py", "import simulator"),
    ],
)
def test_a_forbidden_import_is_found(copy: Path, file: str, line: str) -> None:
    path = copy / file
    path.write_text(path.read_text() + f"\n{line}  # noqa\n")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout
