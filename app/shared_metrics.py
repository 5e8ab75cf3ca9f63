"""Shared metrics: one page for all worker processes of this gateway, whichever of them is asked for it.

Counters, histograms and gauges lie in files of a folder, one set for each worker's place, mapped into its memory (the
Prometheus client's multi-process mode). A worker that takes a dead one's place counts on from what it had counted, so
that no counter goes back; its gauges begin anew. What is read off the board at the moment of asking is written down by
every worker once a second, and joined as each collector says.

A gateway of one process uses none of this, and pays for none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.samples import Sample

INTERVAL_S = 1.0
"""Between two times a worker writes down what it sees: how old others' part of a page may be."""
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made there, for this user only
"""Preferred to the folder for temporary files: that may be filled up by bodies, and a process that writes into a mapped
file for which no room is left is killed."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")

Join = Callable[[Iterable[float]], float]
"""Makes one value of those of all workers: ``sum`` or ``max``."""


class Shown(Protocol):
    """A collector that reads when it is asked. ``joined`` says for a family how the workers' values become one; of a
    family it does not name, the worker that is asked shows its own: right for what all of them know alike."""

    @property
    def joined(self) -> Mapping[str, Join]:
        """By the family's name."""

    def collect(self) -> Iterable[Metric]:
        """The families as of now; every one of them, if without samples."""


class Reading:
    """A gauge whose value is read when it is asked for, in the event loop. In place of ``Gauge.set_function``, of which
    other workers would know nothing."""

    def __init__(self, name: str, documentation: str, read: Callable[[], float], *, join: Join = sum) -> None:
        self.joined = {name: join}
        self._name = name
        self._documentation = documentation
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Without its value: nothing is read to register it."""
        return [GaugeMetricFamily(self._name, self._documentation)]

    def collect(self) -> Iterable[Metric]:
        """As of now."""
        return [GaugeMetricFamily(self._name, self._documentation, value=self._read())]


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder for the metrics of the workers, for as long as the context lasts."""
    place = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="image-gateway-metrics-", dir=place) as folder:
        yield Path(folder)


def join(folder: Path, place: int) -> SharedMetrics:
    """Make this process the worker of that place; to be called before any metric is made."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: place)  # type: ignore[no-untyped-call]
    # On the page by its file alone. More of them than workers: some have been replaced.
    Counter("gateway_worker_starts_total", "Worker processes started, replacements included", registry=None).inc()
    return SharedMetrics(folder, place)


def stay_alone() -> None:
    """Make metrics plain numbers, whatever this process's environment says; to be called before any is made."""
    values.ValueClass = values.MutexValue


def forget(folder: Path, place: int) -> None:
    """The worker of that place is dead: what it was doing at the moment it does no more. What it counted stays."""
    mark_process_dead(place, str(folder))  # type: ignore[no-untyped-call]
    _written(folder, place).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SharedMetrics:
    """One worker's part in the page."""

    folder: Path
    place: int

    def leave(self) -> None:
        """End without a supervisor, who would remove the folder: take what is this worker's out of it, and the folder
        with the last."""
        for file in (*self.folder.glob(f"*_{self.place}.db"), _written(self.folder, self.place)):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are still there
            self.folder.rmdir()

    async def keep_writing(self, shown: Sequence[Shown]) -> None:
        """Write down what these collectors see, until cancelled."""
        told = False
        while True:
            try:
                self._write(shown)
                told = False
            except OSError as failed:
                if not told:
                    told = True
                    _log.warning("metrics_not_shared", reason=failed.strerror)
            await asyncio.sleep(INTERVAL_S)

    async def page(self, shown: Sequence[Shown]) -> bytes:
        """The page of all workers. What these collectors see is read here and now, the rest in a thread: with many
        series and workers that takes longer than an event loop should stand still."""
        own = [(family, each.joined.get(family.name)) for each in shown for family in each.collect()]
        return await asyncio.to_thread(self._page, own)

    def _page(self, own: list[tuple[Metric, Join | None]]) -> bytes:
        others = self._others()
        for family, joined in own:
            if joined is not None:
                _add(family, [other.get(family.name, []) for other in others], joined)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.folder))  # type: ignore[no-untyped-call]
        registry.register(_Fixed([family for family, _ in own]))
        return generate_latest(registry)

    def _write(self, shown: Sequence[Shown]) -> None:
        seen = {
            family.name: [[sample.name, sample.labels, sample.value] for sample in family.samples]
            for each in shown
            for family in each.collect()
            if family.name in each.joined
        }
        place = _written(self.folder, self.place)
        new = place.with_suffix(".new")
        new.write_text(json.dumps(seen))
        new.replace(place)  # whoever reads sees the old or the new, whole

    def _others(self) -> list[dict[str, list[Any]]]:
        found = []
        for place in self.folder.glob("seen-*.json"):
            if place != _written(self.folder, self.place):
                with contextlib.suppress(FileNotFoundError):  # its worker has just died
                    found.append(json.loads(place.read_text()))
        return found


class _Fixed:
    """Families that were collected before."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        """They."""
        return self._families


def _written(folder: Path, place: int) -> Path:
    return folder / f"seen-{place}.json"


def _add(family: Metric, others: Iterable[list[Any]], joined: Join) -> None:
    """Join others' samples with this family's."""
    series: dict[tuple[str, tuple[tuple[str, str], ...]], list[float]] = {}
    own = ((each.name, each.labels, each.value) for each in family.samples)
    for name, labels, value in chain(own, *others):
        series.setdefault((name, tuple(sorted(labels.items()))), []).append(value)
    family.samples = [Sample(name, dict(labels), joined(found)) for (name, labels), found in series.items()]
