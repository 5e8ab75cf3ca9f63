"""The command line as a process of its own, with nothing in its environment but what a test puts there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("image-gateway"))
EMPTY = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "200", "GATEWAY_PORT": "0"}


def run(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, which must be the exit code ``code``."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=cwd,
        env={**EMPTY, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done
