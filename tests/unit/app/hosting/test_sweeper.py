"""The sweeper deletes what has ended, only what is ours, and goes on whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.hosting import sweeper as module
from app.hosting.location import Location
from app.hosting.names import SLOT_S, draw
from app.hosting.store import ImageStore, StoreError
from app.hosting.sweeper import GRACE_S, Sweeper
from providers.workers import Workers
from tests.unit.app.hosting.making import NOW, Clock, Remembered, files_in

TOLD = {"media_type": "image/png", "disposition": "inline", "cache_control": "public"}
ENDED = int(NOW - GRACE_S)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.close()


@pytest.fixture
def store(tmp_path: Path, workers: Workers) -> ImageStore:
    return ImageStore(Location(folder=tmp_path), workers=workers)


async def put(store: ImageStore, expires: int) -> str:
    name = draw("image/png", expires=expires)
    assert name is not None
    await store.put(name.path, b"image", **TOLD)
    return name.path


def sweeper(store: ImageStore, instruments: Remembered | None = None) -> Sweeper:
    return Sweeper(store, instruments=instruments or Remembered(), clock=Clock())


async def test_images_are_deleted_when_their_url_and_its_grace_have_ended(store: ImageStore, tmp_path: Path) -> None:
    for expires in (ENDED, ENDED - 1, ENDED - SLOT_S, ENDED - 400 * SLOT_S):
        await put(store, expires)
    kept = sorted([await put(store, expires) for expires in (ENDED + 1, int(NOW), ENDED + SLOT_S)])
    measured = Remembered()
    assert await sweeper(store, measured).sweep() == 4
    assert files_in(tmp_path) == kept
    assert measured.swept == 4
    assert await sweeper(store).sweep() == 0


async def test_only_names_of_our_own_are_deleted(store: ImageStore, tmp_path: Path) -> None:
    ours = await put(store, ENDED - SLOT_S)
    folder = Path(ours).parent
    others = sorted(
        ["images/notes.txt", str(folder / "notes.txt"), "elsewhere/" + ours, "images/old/a.png", "signing.key"]
    )
    for other in others:
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).touch()
    misplaced = "images/1000000/" + Path(ours).name
    (tmp_path / misplaced).parent.mkdir()
    (tmp_path / misplaced).touch()
    assert await sweeper(store).sweep() == 1
    assert files_in(tmp_path) == sorted([*others, misplaced])


async def test_what_a_killed_process_left_goes_with_its_folder(store: ImageStore, tmp_path: Path) -> None:
    old = await put(store, ENDED - SLOT_S)
    (tmp_path / old).rename(tmp_path / f"{old}#1")
    young = await put(store, ENDED + 1)
    (tmp_path / young).rename(tmp_path / f"{young}#1")
    await sweeper(store).sweep()
    assert files_in(tmp_path) == [f"{young}#1"]
    assert not (tmp_path / old).parent.exists()


async def test_replicas_sweeping_one_store_together_do_no_harm(
    store: ImageStore, workers: Workers, tmp_path: Path
) -> None:
    for _ in range(200):
        await put(store, ENDED)
    kept = await put(store, ENDED + 1)
    stores = [ImageStore(Location(folder=tmp_path), workers=workers) for _ in range(3)]
    with capture_logs() as logged:
        counts = await asyncio.gather(*(sweeper(own).sweep() for own in stores))
    assert sum(counts) == 200
    assert logged == []
    assert files_in(tmp_path) == [kept]


async def test_a_round_has_a_bound_and_the_next_goes_on(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    monkeypatch.setattr(module, "PORTION", 3)
    for _ in range(10):
        await put(store, ENDED)
    own = sweeper(store)
    assert [await own.sweep(), await own.sweep()] == [6, 4]
    assert files_in(tmp_path) == []


class Stubborn(ImageStore):
    """A store one of whose folders cannot be listed."""

    async def listed(self, folder: str, portion: int) -> AsyncIterator[list[str]]:
        if folder.endswith("1763702"):
            raise StoreError("GenericError")
        async for paths in super().listed(folder, portion):
            yield paths


async def test_a_failure_keeps_no_other_folder_and_is_told_once_a_round(tmp_path: Path, workers: Workers) -> None:
    store = Stubborn(Location(folder=tmp_path), workers=workers)
    stuck = await put(store, 1_763_702_000)
    await put(store, 1_763_703_000)
    measured = Remembered()
    with capture_logs() as logged:
        assert await sweeper(store, measured).sweep() == 1
    assert files_in(tmp_path) == [stuck]
    assert measured.sweeps_failed == 1
    assert [(line["event"], line["reason"]) for line in logged] == [("image_sweep_failed", "GenericError")]


class Broken(ImageStore):
    """A store with a bug."""

    third: asyncio.Event
    rounds = 0

    async def folders(self) -> list[str]:
        self.rounds += 1
        if self.rounds == 3:
            self.third.set()
        raise ZeroDivisionError


async def test_the_task_sweeps_at_once_outlives_a_bug_and_ends_when_told(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERVAL_S", 0.01)
    store = Broken(Location(folder=tmp_path), workers=workers)
    store.third = asyncio.Event()
    measured = Remembered()
    own = sweeper(store, measured)
    own.start()
    async with asyncio.timeout(10):
        await store.third.wait()
        await own.stop()
    assert measured.sweeps_failed >= 2


async def test_a_sweeper_that_never_began_can_be_stopped(store: ImageStore) -> None:
    await sweeper(store).stop()
