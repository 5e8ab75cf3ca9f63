"""Warped: a gateway whose wall clock jumps and whose resolver knows nobody, from outside and without its knowing."""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_suffix(".c")


class NoCompilerError(Exception):
    """This machine has no C compiler."""


class Warp:
    """What one process is told of the time and of names; by itself the truth."""

    def __init__(self, folder: Path) -> None:
        """Raises NoCompilerError."""
        self._library = _library()
        self._file = folder / "warp"
        self._tell(0, nameless=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """With this a process believes it."""
        return {"LD_PRELOAD": str(self._library), "CHAOS_WARP": str(self._file)}

    def set(self, *, seconds: int = 0, nameless: bool = False) -> None:
        """The wall clock is so many seconds ahead from now on, or no name has an address."""
        self._tell(seconds, nameless=nameless)

    def _tell(self, seconds: int, *, nameless: bool) -> None:
        if not self._file.exists():
            self._file.touch()
        with self._file.open("r+b") as file:  # never truncated: the process has it mapped
            file.write(struct.pack("qq", seconds, nameless))


@functools.cache
def _library() -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompilerError("A C compiler is needed to warp a process: install gcc or clang.")
    made = Path(tempfile.mkdtemp(prefix="warped-")) / "warped.so"
    command: list[str | Path] = [compiler, "-shared", "-fPIC", "-O1", "-o", made, _SOURCE, "-ldl"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own source
    return made
