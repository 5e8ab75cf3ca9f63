"""Compiled: the fake upstream and the load generator, C programs made by the compiler of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent
PROGRAMS: Final = ("upstream", "load")


class CannotRunError(Exception):
    """Something the benchmark needs is missing on this machine; the message is one sentence for the operator."""


def compile_programs(folder: Path) -> None:
    """Put both programs into ``folder``. Raises CannotRunError without a compiler, or when it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotRunError("A C compiler is needed for the load generator: install gcc or clang.")
    for name in PROGRAMS:
        command: list[str | Path] = [compiler, "-O2", "-o", folder / name, SOURCES / f"{name}.c", "-lm"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own sources
        if made.returncode != 0:
            raise CannotRunError(f"{name}.c does not compile here: {made.stderr.strip()[:500]}")
