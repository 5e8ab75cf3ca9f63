"""A gateway in a process of its own, as an operator starts it, and what it takes of memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("image-gateway")
NOTHING_SET = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "GATEWAY_PORT": "0"}
"""An environment without any key of this machine's."""
MIB = 1024 * 1024
LOG = "gateway.log"


@dataclass(frozen=True, slots=True)
class Process:
    """A running gateway: its base URL and its process id."""

    url: str
    pid: int

    def peak_mib(self) -> float:
        """Resident memory at its peak, mapped files included."""
        return self._kib("VmHWM") / 1024

    def now_mib(self) -> float:
        """Resident memory now, mapped files included."""
        return self._kib("VmRSS") / 1024

    def open_files(self) -> int:
        """File descriptors, sockets included."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def _kib(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def gateway_process(folder: Path, simulator: str, **environment: str) -> Iterator[Process]:
    """Serve from ``folder`` with all four providers at ``simulator``; killed at the end if it does not stop.

    What it says goes to ``gateway.log`` in the folder: a pipe that nobody reads would stop it once it is full.
    """
    keys = {"GEMINI_API_KEY": "k", "VERTEX_API_KEY": "k", "FAL_KEY": "k", "REPLICATE_API_TOKEN": "k"}
    places = {f"{name.upper()}_BASE_URL": f"{simulator}/{name}" for name in ("gemini", "vertex", "fal", "replicate")}
    log = folder / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "serve"],
            cwd=folder,
            env={**NOTHING_SET, **keys, **places, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while (found := re.search(r"(http://\S+?:\d+)/v1", said := log.read_text())) is None:
            assert process.poll() is None, said
            time.sleep(0.02)
        yield Process(found[1], process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
