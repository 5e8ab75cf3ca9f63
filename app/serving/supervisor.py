"""Supervisor: keeps a worker process at each place behind one socket, and ends them in order.

The socket is opened once and handed down, so what waits to be accepted survives the death of a worker. A pipe leads to
each of them: when it ends, because the supervisor stops or was killed, they drain.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from app.main import StartError
from app.serving.worker_process import PROGRAM, SILENCE_S, Ending, WorkerProcess
from app.settings import Settings
from app.shared_metrics import forget, shared_folder

FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
"""Before a worker that died is replaced; doubled each time, as long as they do not live for ``STEADY_S``."""
STEADY_S = 60.0
KILL_MARGIN_S = 3.0
"""Beyond what a worker may take to end, until it is killed."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class Supervisor:
    """Runs once."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        *,
        leave_limit_s: float,
        program: Sequence[str] = PROGRAM,
        silence_s: float = SILENCE_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """``leave_limit_s``: seconds a worker may take to end. ``listener`` is closed at the end. ``program``: what a
        worker is; the other two are there for tests."""
        self._settings = settings
        self._listener = listener
        self._leave_limit_s = leave_limit_s
        self._program = program
        self._silence_s = silence_s
        self._first_pause_s = first_pause_s
        self._workers: dict[int, WorkerProcess] = {}
        self._serving = {place: asyncio.Event() for place in range(settings.gateway_workers)}
        self._stopping = asyncio.Event()
        self._rolling: asyncio.Task[None] | None = None

    async def run(self, say: Callable[[], None]) -> bool:
        """Serve until a signal; whether all workers ended in order. ``say`` is called once somebody serves.

        Raises StartError when the first worker cannot serve. Later ones are tried again and again, as those that die.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.roll)
        with shared_folder() as folder:
            first = await self._begun(0, folder)
            try:
                if not await self._unless_stopping(first.serves()):
                    return await self._end([asyncio.create_task(first.ended())])
            except StartError:
                await first.ended()
                raise
            self._serves(first)
            say()
            keepers = [
                asyncio.create_task(self._keep(place, folder, first if place == 0 else None)) for place in self._serving
            ]
            await self._stopping.wait()
            return await self._end(keepers)

    def stop(self) -> None:
        """End the workers in order; when that has begun, hurry them."""
        if self._stopping.is_set():
            for worker in self._workers.values():
                worker.terminate()
        self._stopping.set()

    def roll(self) -> None:
        """Replace the workers one after the other: new ones read the configuration anew."""
        if self._rolling is None or self._rolling.done():
            self._rolling = asyncio.create_task(self._roll())

    async def _roll(self) -> None:
        for place, serving in self._serving.items():
            if serving.is_set():  # else another is on its way
                serving.clear()
                self._workers[place].terminate()
            if not await self._unless_stopping(serving.wait()):
                return
        _log.info("workers_replaced")

    async def _keep(self, place: int, folder: Path, worker: WorkerProcess | None) -> None:
        """See to it that a worker serves at this place until the stop."""
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            begun = time.monotonic()
            worker, ending = await self._one(worker or await self._begun(place, folder))
            forget(folder, place)
            del self._workers[place]
            self._serving[place].clear()
            lived_s = time.monotonic() - begun
            if self._stopping.is_set():
                return
            pause_s = self._first_pause_s if lived_s >= STEADY_S or ending.asked else pause_s
            again_in_s = 0.0 if ending.asked else pause_s
            tell = _log.info if ending.asked else _log.error
            tell(
                "worker_ended",
                worker=place,
                pid=worker.pid,
                reason=ending.reason,
                lived_s=round(lived_s, 1),
                again_in_s=again_in_s,
            )
            worker = None
            await self._unless_stopping(asyncio.sleep(again_in_s))
            pause_s = pause_s if ending.asked else min(2 * pause_s, MAX_PAUSE_S)

    async def _one(self, worker: WorkerProcess) -> tuple[WorkerProcess, Ending]:
        """One worker to its end, and how it ended."""
        if not self._serving[worker.place].is_set():
            try:
                await worker.serves()
            except StartError as failed:
                await worker.ended()
                return worker, Ending(str(failed), asked=False)
            self._serves(worker)
        return worker, await worker.ended(silence_s=self._silence_s)

    async def _begun(self, place: int, folder: Path) -> WorkerProcess:
        worker = await WorkerProcess.begin(place, self._settings, self._listener, folder, program=self._program)
        self._workers[place] = worker
        if self._stopping.is_set():  # it was begun too late to be among those that were told
            worker.leave()
        return worker

    def _serves(self, worker: WorkerProcess) -> None:
        _log.info("worker_serves", worker=worker.place, pid=worker.pid)
        self._serving[worker.place].set()

    async def _end(self, keepers: Sequence[asyncio.Task[Any]]) -> bool:
        # First this one: the last of them that closes it has accepted all who wait there.
        self._listener.close()
        for worker in self._workers.values():
            worker.leave()
        _, late = await asyncio.wait(keepers, timeout=self._leave_limit_s + KILL_MARGIN_S)
        if late:
            _log.error("workers_killed", workers=sorted(self._workers), advice="they did not end in time")
            for worker in self._workers.values():
                worker.kill()
            await asyncio.wait(late)
        for keeper in keepers:
            keeper.result()
        return not late

    async def _unless_stopping(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Whether the work was done before the stop. Raises what it raises."""
        task, stop = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            return task.done()
        finally:
            for each in (task, stop):
                each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(task, stop, return_exceptions=True)
