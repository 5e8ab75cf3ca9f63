"""curl as the tests use it: one command line, and what came of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 40
"""Seconds one command may take."""


@dataclass(frozen=True, slots=True)
class Curled:
    """An answer. Header names are in lower case; of several with one name the last counts."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self, status: int = 200) -> dict[str, Any]:
        """The body, after checking the status."""
        assert self.status == status, self.body[:2000]
        assert self.headers["content-type"] == "application/json"
        document: dict[str, Any] = json.loads(self.body)
        return document


def curl(*arguments: str, folder: Path) -> Curled:
    """Run curl; skips the test where there is none. ``folder`` is for what it writes."""
    binary = shutil.which("curl")
    if binary is None:
        pytest.skip("there is no curl on this machine")
    heads, body = folder / "headers", folder / "body"
    # --disable, which keeps the user's own settings out, counts only as the first option.
    command = [binary, "--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(LIMIT_S)]
    done = subprocess.run(
        [*command, "--dump-header", str(heads), "--output", str(body), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S + 10,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # An interim answer (100 Continue) has a head of its own before the one that counts.
    lines = heads.read_text("latin-1").replace("\r\n", "\n").strip().split("\n\n")[-1].split("\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return Curled(
        int(lines[0].split()[1]),
        {name.lower(): value for name, value in headers.items()},
        body.read_bytes() if body.exists() else b"",
    )
