"""Supervisor: starts worker processes behind one socket, replaces those that die, and ends them in order.

The socket is opened once and handed down, so what waits to be accepted survives the death of a worker. A pipe leads to
each of them: when it ends, because the supervisor stops or was killed, they drain.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import structlog

from app.main import StartError
from app.settings import Settings
from app.shared_metrics import forget, shared_folder

START_LIMIT_S = 60.0
"""How long a worker may take until it serves; a second as a rule."""
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
"""Before a worker that died is replaced; doubled each time, as long as they do not live for ``STEADY_S``."""
STEADY_S = 60.0
KILL_MARGIN_S = 3.0
"""Beyond what a worker may take to end, until it is killed."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class Supervisor:
    """Runs once."""

    def __init__(self, settings: Settings, listener: socket.socket, *, leave_limit_s: float) -> None:
        """``leave_limit_s``: seconds a worker may take to end. ``listener`` is closed at the end."""
        self._settings = settings
        self._listener = listener
        self._leave_limit_s = leave_limit_s
        self._workers: dict[int, Process] = {}
        self._stopping = asyncio.Event()

    async def run(self, say: Callable[[], None]) -> bool:
        """Serve until a signal; whether all workers ended in order. ``say`` is called once somebody serves.

        Raises StartError when the first worker cannot serve. Later ones are tried again and again, as those that die.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        with shared_folder() as folder:
            first = await self._started(0, folder)
            if first is None:
                return True
            say()
            keepers = [
                asyncio.create_task(self._keep(place, folder, first if place == 0 else None))
                for place in range(self._settings.gateway_workers)
            ]
            await self._stopping.wait()
            return await self._end(keepers)

    def _signalled(self) -> None:
        """The first signal ends the workers in order, any further one hurries them."""
        if self._stopping.is_set():
            for process in self._workers.values():
                _send(process, signal.SIGTERM)
        self._stopping.set()

    async def _started(self, place: int, folder: Path) -> Process | None:
        """A worker that serves; None when the stop came first. Raises StartError with its sentence."""
        process = await self._begun(place, folder)
        stopping = asyncio.create_task(self._stopping.wait())
        report = asyncio.create_task(_report_of(process))
        try:
            await asyncio.wait({stopping, report}, timeout=START_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
            if report.done():
                failure = report.result()
                if failure is None:
                    _log.info("worker_serves", worker=place, pid=process.pid)
                    return process
            else:
                failure = f"A worker process did not serve within {START_LIMIT_S:g} s."
                _send(process, signal.SIGKILL)
        finally:
            for task in (stopping, report):
                task.cancel()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
        self._workers.pop(place, None)
        if self._stopping.is_set():
            return None
        raise StartError(failure)

    async def _begun(self, place: int, folder: Path) -> Process:
        descriptor = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "app.worker", str(place), str(descriptor), str(folder)),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=(descriptor,),
            process_group=0,  # what is typed at a terminal comes to the supervisor alone
        )
        self._workers[place] = process
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):  # it has died already
                # Not by the environment or an argument: those can be read from outside, and there are keys among them.
                process.stdin.write(pickle.dumps(self._settings))
                await process.stdin.drain()
        return process

    async def _keep(self, place: int, folder: Path, process: Process | None) -> None:
        """See to it that a worker serves at this place until the stop."""
        pause_s = FIRST_PAUSE_S
        while True:
            begun = time.monotonic()
            failure = ""
            if process is None:
                try:
                    process = await self._started(place, folder)
                except StartError as failed:
                    failure = str(failed)
                else:
                    if process is None:
                        return
            code = await process.wait() if process is not None else None
            forget(folder, place)
            self._workers.pop(place, None)
            if self._stopping.is_set():
                return
            lived_s = time.monotonic() - begun
            pause_s = FIRST_PAUSE_S if lived_s >= STEADY_S else pause_s
            tell = _log.info if code == 0 else _log.error  # asked to stop by somebody else, or died
            tell(
                "worker_ended",
                worker=place,
                pid=process.pid if process is not None else None,
                reason=failure or _reason(code),
                lived_s=round(lived_s, 1),
                again_in_s=pause_s,
            )
            process = None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
                return
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    async def _end(self, keepers: list[asyncio.Task[None]]) -> bool:
        # First this one: the last of them that closes it has accepted all who wait there.
        self._listener.close()
        for process in self._workers.values():
            if process.stdin is not None:
                process.stdin.close()
        _, late = await asyncio.wait(keepers, timeout=self._leave_limit_s + KILL_MARGIN_S)
        if late:
            _log.error("workers_killed", workers=sorted(self._workers), advice="they did not end in time")
            for process in self._workers.values():
                _send(process, signal.SIGKILL)
            await asyncio.wait(late)
        for keeper in keepers:
            keeper.result()
        return not late


async def _report_of(process: Process) -> str | None:
    """What a worker says of its start: None when it serves, else why not."""
    line = await process.stdout.readline() if process.stdout is not None else b""
    if not line:
        return "A worker process ended while it started; the lines before this one say why."
    failure: str | None = json.loads(line)["failure"]
    return failure


def _reason(code: int | None) -> str:
    if code is None or code >= 0:
        return f"it ended with code {code}"
    return f"it was ended by {signal.Signals(-code).name}"


def _send(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
