"""Worker process: one worker as the supervisor sees it: begun, serving, silent, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.main import StartError
from app.settings import Settings

PROGRAM = (sys.executable, "-P", "-m", "app.serving.worker")
"""Followed by the place, the socket's descriptor and the folder of the metrics. Nothing is imported from the folder it
is started in (``-P``)."""
START_LIMIT_S = 60.0
"""How long a worker may take until it serves; a second or two as a rule."""
SILENCE_S = 60.0
"""How long a worker's event loop may be silent, which says so every second, until it is taken for dead. Nothing here
holds a loop for more than milliseconds, and a page of 60 s without an answer is one nobody waits for any more."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended. ``asked``: in order, because somebody asked it to."""

    reason: str
    asked: bool


class WorkerProcess:
    """Made by ``begin``."""

    def __init__(self, process: Process, place: int) -> None:
        self.place = place
        self._process = process

    @classmethod
    async def begin(
        cls,
        place: int,
        settings: Settings,
        listener: socket.socket,
        folder: Path,
        *,
        program: Sequence[str] = PROGRAM,
    ) -> WorkerProcess:
        """Start one. ``listener`` is handed down, ``folder`` is where its metrics go."""
        process = await asyncio.create_subprocess_exec(
            *(*program, str(place), str(listener.fileno()), str(folder)),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=(listener.fileno(),),
            process_group=0,  # what is typed at a terminal comes to the supervisor alone
        )
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):  # it has died already
                # Not by the environment or an argument: those can be read from outside, and there are keys among them.
                process.stdin.write(pickle.dumps(settings))
                await process.stdin.drain()
        return cls(process, place)

    @property
    def pid(self) -> int:
        """The system's number for it."""
        return self._process.pid

    async def serves(self) -> None:
        """Returns when it serves. Raises StartError with its own sentence when it cannot; it ends then."""
        try:
            async with asyncio.timeout(START_LIMIT_S):
                line = await self._said().readline()
        except TimeoutError:
            self.kill()
            raise StartError(f"A worker process did not serve within {START_LIMIT_S:g} s.") from None
        if not line:
            raise StartError("A worker process ended while it started; the lines before this one say why.")
        failure: str | None = json.loads(line)["failure"]
        if failure is not None:
            raise StartError(failure)

    async def ended(self, *, silence_s: float = SILENCE_S) -> Ending:
        """Returns when it has ended; one that has been silent for so long is killed."""
        silent = False
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    if not await self._said().read(4096):
                        break
        except TimeoutError:
            silent = True
            self.kill()
        code = await self._process.wait()
        if silent:
            return Ending(f"its event loop was silent for {silence_s:g} s, so it was killed", asked=False)
        if code < 0:
            return Ending(f"it was ended by {signal.Signals(-code).name}", asked=False)
        return Ending(f"it ended with code {code}", asked=code == 0)

    def leave(self) -> None:
        """All workers leave: drain, and let nobody wait at the socket."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def terminate(self) -> None:
        """This one leaves, or hurries if it was about to."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """At once, whatever it has at vendors."""
        self._send(signal.SIGKILL)

    def _said(self) -> asyncio.StreamReader:
        if self._process.stdout is None:
            raise RuntimeError("a worker is started with a pipe")
        return self._process.stdout

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
