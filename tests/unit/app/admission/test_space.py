"""Tests of space: when a disk counts as full, how often it is looked at, and that nobody is admitted meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.admission.limits import AdmissionLimits
from app.admission.space import FLOOR_BYTES, INTERVAL_S, Space
from app.admission.visit import Admission, NotAdmittedError, Reason

BLOCK = 4096
LARGE = 1000 * FLOOR_BYTES


class Disk:
    """A disk of so many bytes, in blocks, of which so many are free."""

    def __init__(self, size: int, free: int) -> None:
        self.size = size
        self.free = free
        self.looks = 0

    def look(self, folder: Path) -> os.statvfs_result:
        self.looks += 1
        blocks, free = self.size // BLOCK, self.free // BLOCK
        return os.statvfs_result((BLOCK, BLOCK, blocks, free, free, 0, 0, 0, 0, 255))


class Clock:
    """Seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("size", "free", "there_is"),
    [
        (LARGE, FLOOR_BYTES, True),
        (LARGE, FLOOR_BYTES - BLOCK, False),
        (FLOOR_BYTES, FLOOR_BYTES // 4, True),
        (FLOOR_BYTES, FLOOR_BYTES // 4 - BLOCK, False),
    ],
    ids=["just room", "too little", "small, just room", "small, too little"],
)
def test_there_is_room_down_to_the_floor(size: int, free: int, there_is: bool) -> None:
    assert Space(Path("/spool"), Clock(), Disk(size, free).look).there_is() is there_is


def test_the_disk_is_looked_at_once_in_a_while() -> None:
    disk, clock = Disk(LARGE, LARGE), Clock()
    space = Space(Path("/spool"), clock, disk.look)
    assert [space.there_is() for _ in range(100)] == [True] * 100
    assert disk.looks == 1
    disk.free = 0
    clock.now += INTERVAL_S
    assert not space.there_is()
    assert disk.looks == 2


def test_a_real_folder_and_one_that_is_not_there(tmp_path: Path) -> None:
    assert Space(tmp_path, Clock()).there_is()
    assert Space(tmp_path / "gone", Clock()).there_is()


async def test_without_room_on_the_disk_nobody_is_admitted_and_the_next_to_come_notices_that_there_is_again() -> None:
    disk, clock = Disk(LARGE, 0), Clock()
    space = Space(Path("/spool"), clock, disk.look)
    admission = Admission(AdmissionLimits(queue_s=0.01), clock=clock, space=space.there_is)
    first, second = admission.visit(), admission.visit()
    assert not first.enter(1)
    with pytest.raises(NotAdmittedError) as refused:
        await first.wait(1, 60)
    assert refused.value.reason is Reason.DISK_SPACE
    disk.free = LARGE
    clock.now += INTERVAL_S
    woken: list[bool] = []
    assert admission.gate.join(2, lambda: woken.append(True)) is not None
    assert second.enter(1)
    assert woken == [True]
