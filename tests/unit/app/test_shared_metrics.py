"""One page for several workers: what is added up, what is not, and what a worker's death changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from app.hosting_metrics import HostingMetrics
from app.shared_metrics import Join, SharedMetrics, Shown, forget, join, shared_folder, stay_alone
from app.telemetry import Telemetry


class Seen:
    """A collector that sees what a test says."""

    joined: ClassVar[Mapping[str, Join]] = {"added": sum, "largest": max}

    def __init__(self, **seen: float) -> None:
        self.seen = seen

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> list[GaugeMetricFamily]:
        families = []
        for name in ("added", "largest", "own"):
            family = GaugeMetricFamily(name, name, labels=["about"])
            for about, value in self.seen.items():
                family.add_metric([about], value)
            families.append(family)
        return families


class Worker:
    """One place, in this process: the client's values go where the last one that joined has its files."""

    def __init__(self, folder: Path, place: int, **seen: float) -> None:
        self.shared = join(folder, place)
        registry = CollectorRegistry()
        self.counted = Counter("counted", "Counted", registry=registry)
        self.busy = Gauge("busy", "Busy", multiprocess_mode="livesum", registry=registry)
        self.took = Histogram("took", "Took", buckets=(1, 2), registry=registry)
        self.seen: list[Shown] = [Seen(**seen)]

    async def page(self) -> dict[str, float]:
        """What it answers, by series, once it has written down what it sees."""
        writing = asyncio.create_task(self.shared.keep_writing(self.seen))
        await asyncio.sleep(0)
        writing.cancel()
        page = (await self.shared.page(self.seen)).decode()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if line[0] != "#"}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)  # put back afterwards, as is the variable
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    with shared_folder() as place:
        yield place
    assert not place.exists()


async def test_workers_show_one_page(folder: Path) -> None:
    one = Worker(folder, 0, fal=3.0, gemini=1.0)
    one.counted.inc(2)
    one.busy.inc(5)
    one.took.observe(0.5)
    other = Worker(folder, 1, fal=4.0, vertex=7.0)
    other.counted.inc(3)
    other.busy.inc(1)
    other.took.observe(1.5)
    pages = [await one.page(), await other.page(), await one.page()]
    for page in pages[1:]:
        assert (page["counted_total"], page["busy"]) == (5.0, 6.0)
        assert [page[f'took_bucket{{le="{bound}"}}'] for bound in ("1.0", "2.0", "+Inf")] == [1.0, 2.0, 2.0]
        assert [page[f'added{{about="{about}"}}'] for about in ("fal", "gemini", "vertex")] == [7.0, 1.0, 7.0]
        assert [page[f'largest{{about="{about}"}}'] for about in ("fal", "gemini", "vertex")] == [4.0, 1.0, 7.0]
    assert [page['own{about="fal"}'] for page in pages] == [3.0, 4.0, 3.0]


async def test_the_page_is_that_of_one_process_by_names_and_kinds(folder: Path) -> None:
    stay_alone()
    alone = Telemetry()
    HostingMetrics(alone.registry)
    alone.store_up(True)
    alone.request_ended("door", "model", "ok", 1.0)
    telemetry = Telemetry(join(folder, 0))
    HostingMetrics(telemetry.registry)
    telemetry.store_up(True)
    telemetry.request_ended("door", "model", "ok", 1.0)
    async with telemetry.written_down():
        found = families(await telemetry.exposition())
    expected = families(await alone.exposition())
    assert len({family.name for family in found}) == len(found)
    kinds = {family.name: (family.type, family.documentation) for family in expected}
    for family in found:
        if family.name != "gateway_worker_starts":
            assert kinds[family.name] == (family.type, family.documentation)
    values = {(each.name, *each.labels.values()): each.value for family in found for each in family.samples}
    shown = {(each.name, *each.labels.values()): each.value for family in expected for each in family.samples}
    for series, value in shown.items():
        if "_created" not in series[0] and series[0] != "gateway_tasks":
            assert values[series] == value


def families(answer: tuple[bytes, str]) -> list[Metric]:
    return list(text_string_to_metric_families(answer[0].decode()))


async def test_a_dead_worker_is_counted_and_not_seen(folder: Path) -> None:
    one, other = Worker(folder, 0, fal=3.0), Worker(folder, 1, fal=4.0)
    one.counted.inc(2)
    one.busy.inc(5)
    other.counted.inc(3)
    other.busy.inc(1)
    await one.page()
    forget(folder, 0)
    page = await other.page()
    assert (page["counted_total"], page["busy"], page['added{about="fal"}']) == (5.0, 1.0, 4.0)
    again = Worker(folder, 0, fal=1.0)
    assert (await other.page())["counted_total"] == 5.0
    again.counted.inc()
    again.busy.inc(2)
    page = await again.page()
    assert (page["counted_total"], page["busy"], page['added{about="fal"}']) == (6.0, 3.0, 5.0)
    assert page["gateway_worker_starts_total"] == 3.0


def test_workers_without_a_supervisor_leave_nothing_behind(folder: Path) -> None:
    one, other = Worker(folder, 0, fal=3.0), Worker(folder, 1)
    one.shared._write(one.seen)
    one.shared.leave()
    left = [file.name for file in folder.iterdir()]
    assert left
    assert not any("0" in name for name in left)
    other.shared.leave()
    assert not folder.exists()
    folder.mkdir()  # for the fixture to remove


async def test_a_folder_that_cannot_be_written_to_ends_nothing(folder: Path) -> None:
    shared = SharedMetrics(folder / "gone", 0)
    writing = asyncio.create_task(shared.keep_writing([Seen(fal=1.0)]))
    await asyncio.sleep(0)
    assert not writing.done()
    writing.cancel()


def test_alone_a_metric_is_a_number_whatever_the_environment_says(folder: Path) -> None:
    join(folder, 0)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    stay_alone()
    Counter("counted", "Counted", registry=CollectorRegistry()).inc()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
