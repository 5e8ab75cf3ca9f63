"""A client's driver as the tests hold it: a child process that is given orders and answers them, one line each."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_LIMIT_S = 60.0
"""Seconds one order may take; more than the clients' own limit, which therefore tells first what went wrong."""
_END_LIMIT_S = 10.0


class Driven:
    """The driver while the block runs; ``client`` and ``version`` are what it says it is.

    AssertionError, with what it complained of, when it ends or does not answer.
    """

    def __init__(self, command: Sequence[str], *, complaints: Path) -> None:
        self._command = list(command)
        self._complaints = complaints
        self._process: subprocess.Popen[str] | None = None
        self.client = ""
        self.version = ""

    def __enter__(self) -> Self:
        """Start it and hear who it is."""
        with self._complaints.open("w") as complaints:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=_without_habits(),
                text=True,
                encoding="utf-8",
            )
        try:
            hello = self._heard(self._process)
        except BaseException:
            self._end()
            raise
        self.client, self.version = hello["client"], hello["version"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: its input ends, and when it does not heed that, it is killed."""
        self._end()

    def ask(self, **order: Any) -> dict[str, Any]:
        """One order and its answer."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return self._heard(process)

    def _heard(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        # Never more than one line is on its way, so none can lie in the buffer where select does not see it.
        ready, _, _ = select.select([process.stdout], [], [], ANSWER_LIMIT_S)
        line = process.stdout.readline() if ready else ""
        assert line, f"the driver {'ended' if ready else 'is silent'}: {self._complaints.read_text()[-2000:]}"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        try:
            process.communicate(timeout=_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _without_habits() -> dict[str, str]:
    """This process's environment without what would change a client or how loopback is reached."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("OPENAI_", "PYTHON", "NODE_OPTIONS", "NODE_PATH"))
        and not name.upper().endswith("_PROXY")
    }
