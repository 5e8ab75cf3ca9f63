"""Servers: the fake upstream, and one gateway as a process on a core of its own, started and stopped by its pid."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.image_path.compiled import CannotRunError

SERVER_CORE: Final = 0
"""Where the measured server runs, all threads and children of it."""
LOAD_CORE: Final = 1
"""Where the upstream, the generator and this program run."""
START_S: Final = 120.0
"""Seconds a server may take until it answers; one peer was seen to need 30 when its machine was busy."""
STOP_S: Final = 20.0


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def pin_to(core: int) -> Callable[[], None]:
    """What a child does first, so that all it starts stays on that core."""
    return lambda: os.sched_setaffinity(0, {core})


class Process:
    """A program for as long as the context lasts. What it says goes into ``log``."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        core: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._command, self._core, self.log = command, core, log
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(log.parent), **(environment or {})}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def __enter__(self) -> Self:
        """Start it, without waiting for anything."""
        with self.log.open("wb") as said:
            self.started_at = time.monotonic()
            self._process = subprocess.Popen(  # noqa: S603 - programs this benchmark made or installed, no shell
                [*self._command],
                env=self._environment,
                cwd=self._folder or self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                preexec_fn=pin_to(self._core),
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, at first politely."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Of the first process."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def must_run(self, name: str) -> None:
        """Raises CannotRunError with the end of its log when it has ended by itself."""
        if self._process is None or self._process.poll() is not None:
            raise CannotRunError(f"{name} ended at once: {self.log.read_text(errors='replace')[-800:]}")


class Upstream(Process):
    """The fake vendors. ``answers``: what ``write_answers`` made."""

    def __init__(self, program: Path, port: int, answers: Path, log: Path) -> None:
        super().__init__([program, str(port), answers], core=LOAD_CORE, log=log)
        self.port = port

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> None:
        """Wait until it answers. Raises CannotRunError when it does not."""
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            self.must_run("the fake upstream")
            try:
                self.stats()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise CannotRunError("The fake upstream does not answer.")

    def stats(self) -> dict[str, Any]:
        """Requests ``arrived`` and the ``most`` open at once since the last call; begins both anew."""
        status, body = exchange(self.port, b"GET /_stats HTTP/1.1\r\nHost: bench\r\n\r\n")
        if status != http.HTTPStatus.OK:
            raise CannotRunError("The fake upstream does not tell its figures.")
        told: dict[str, Any] = json.loads(body)
        return told


def exchange(port: int, request: bytes, *, timeout_s: float = 60.0) -> tuple[int, bytes]:
    """Status and body of one raw request. Raises OSError or http.client.HTTPException when there is no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as line:
        line.sendall(request)
        reply = http.client.HTTPResponse(line)
        reply.begin()
        return reply.status, reply.read()
