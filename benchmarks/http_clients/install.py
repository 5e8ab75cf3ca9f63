"""Install: the candidates, each pinned by hash, in an environment of their own below .cache/bench."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from benchmarks.image_path.install import FOLDER, installed_by

LOCK: Final = Path(__file__).parent / "pins" / "clients.lock"
NAMES: Final = ("aiohttp", "httpx", "httpx-aiohttp", "pyreqwest", "uvloop")
"""Those whose version a report names."""


def interpreter() -> Path:
    """The Python that has all candidates. Raises NotInstalledError."""
    folder = FOLDER / "http_clients"
    python, installed = folder / "bin" / "python", folder / "installed.lock"
    if not python.exists() or not installed.exists() or installed.read_text() != LOCK.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        installed_by([sys.executable, "-m", "venv", folder])
        pip: list[str | Path] = [
            folder / "bin" / "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            LOCK,
        ]
        installed_by(pip)
        shutil.copy(LOCK, installed)
    return python


def versions() -> dict[str, str]:
    """What is pinned."""
    pinned = (line.split()[0].split("==") for line in LOCK.read_text().splitlines() if "==" in line)
    found = {name.partition("[")[0]: version for name, version in pinned}
    return {name: found[name] for name in NAMES}
