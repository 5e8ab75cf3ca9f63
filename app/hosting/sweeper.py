"""The sweeper: a task beside the requests that deletes images whose URLs have ended.

It goes by names alone, so any number of replicas may sweep one store: what one has deleted the others do not find.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog

from app.hosting.names import parsed_path, slot_begin
from app.hosting.store import ImageStore, StoreError
from providers.spec.excerpt import place_of

INTERVAL_S = 60.0
"""Seconds between rounds."""
JITTER = 0.2
"""Share of the interval a round comes sooner or later, so that replicas started together do not stay together."""
GRACE_S = 120.0
"""Seconds an image is kept beyond its URL's end: for downloads begun before it, and for clocks that differ."""
PORTION = 500
"""Names looked at, and deleted, at a time."""
MOST = 5000
"""Images deleted in one round: what 80 images a second leave behind in a minute. The next round goes on."""
ROUND_S = 50.0
"""Longest a round may take."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class SweeperInstruments(Protocol):
    """What is measured."""

    def images_swept(self, count: int) -> None:
        """So many more images were deleted."""

    def sweep_failed(self) -> None:
        """A round could not delete, or not look for, all it should have."""


class Sweeper:
    """The task. ``start`` and ``stop`` once each, in one event loop."""

    def __init__(self, store: ImageStore, *, instruments: SweeperInstruments, clock: Callable[[], float]) -> None:
        """``clock`` tells unix seconds."""
        self._store = store
        self._instruments = instruments
        self._clock = clock
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a round at once."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Leave, in the middle of a round if need be: what is left the next one finds."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(ROUND_S):
                    await self.sweep()
            except TimeoutError:
                self._failed("the round took too long")
            except Exception as bug:  # noqa: BLE001 - ours, and no reason to let the store fill up
                self._failed(f"{type(bug).__name__} at {place_of(bug)}")
            pause_s = INTERVAL_S * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nothing to guess here
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def sweep(self) -> int:
        """One round; returns how many images it deleted. A failure is logged once, and keeps no other folder."""
        ended = self._clock() - GRACE_S
        deleted, failure = 0, None
        try:
            for folder in await self._store.folders():
                begin = slot_begin(folder)
                if begin is None or begin > ended or deleted >= MOST:
                    continue
                try:
                    deleted += await self._sweep_folder(folder, ended, MOST - deleted)
                except StoreError as failed:
                    failure = failed
        except StoreError as failed:
            failure = failed
        if failure is not None:
            self._failed(str(failure))
        return deleted

    async def _sweep_folder(self, folder: str, ended: float, most: int) -> int:
        def due(path: str) -> bool:
            name = parsed_path(path)
            return name is not None and name.expires <= ended

        deleted = 0
        async for paths in self._store.listed(folder, PORTION):
            found = [path for path in paths if due(path)]
            if found:
                count = await self._store.delete(found)
                self._instruments.images_swept(count)
                deleted += count
            if deleted >= most:
                return deleted
        await self._store.discard_leftovers(folder, due)
        return deleted

    def _failed(self, reason: str) -> None:
        self._instruments.sweep_failed()
        _log.warning("image_sweep_failed", reason=reason)
