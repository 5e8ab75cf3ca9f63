"""Tests of what admission is held to where the operator says nothing: memory, descriptors, and what the start says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.admission.descriptors import fits, needed
from app.admission.limits import MAX_IN_FLIGHT, AdmissionLimits, limits_for, too_few_descriptors
from app.admission.memory import memory_bytes

MIB = 1024 * 1024
MACHINE = memory_bytes(Path("/nowhere"))


def limits(
    *,
    max_in_flight: int | None = None,
    body_budget: int | None = None,
    workers: int = 1,
    descriptors: int = 1_000_000,
) -> AdmissionLimits:
    return limits_for(
        max_in_flight=max_in_flight,
        max_in_flight_per_key=None,
        queue_limit=5,
        queue_s=3.0,
        body_budget=body_budget,
        workers=workers,
        memory=1000 * MIB,
        descriptors=descriptors,
    )


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, MACHINE),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{64 * MIB}\n"}, 64 * MIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, MACHINE),
        (
            {
                "proc/self/cgroup": "0::/system.slice/gateway.service\n",
                "sys/fs/cgroup/system.slice/memory.max": f"{96 * MIB}\n",
                "sys/fs/cgroup/system.slice/gateway.service/memory.max": "max\n",
            },
            96 * MIB,
        ),
        ({"proc/self/cgroup": "0::/../../elsewhere\n", "sys/fs/cgroup/memory.max": f"{32 * MIB}\n"}, 32 * MIB),
        (
            {
                "proc/self/cgroup": "9:cpu,cpuacct:/\n4:memory:/docker/0123\n0::/\n",
                "sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": f"{48 * MIB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            48 * MIB,
        ),
        ({"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "garbage"}, MACHINE),
    ],
    ids=["no groups", "version 2", "version 2, none", "of a slice", "out of sight", "version 1", "garbage"],
)
def test_memory_is_the_least_of_what_machine_and_groups_allow(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    assert memory_bytes(written(tmp_path, files)) == expected


def test_what_the_operator_sets_holds() -> None:
    set_ones = limits(max_in_flight=50_000, body_budget=7 * MIB, descriptors=1024)
    assert (set_ones.max_in_flight, set_ones.body_budget) == (50_000, 7 * MIB)


def test_by_itself_a_quarter_of_the_memory_and_as_many_requests_as_descriptors_are_there_for() -> None:
    assert limits().body_budget == 250 * MIB
    assert limits().max_in_flight == MAX_IN_FLIGHT
    assert limits(descriptors=1024).max_in_flight == fits(1024) < 1024
    assert limits(descriptors=10).max_in_flight == 1


def test_workers_share_what_memory_there_is() -> None:
    assert limits(workers=2).body_budget == 125 * MIB
    assert limits(workers=2, body_budget=8 * MIB).body_budget == 4 * MIB
    assert limits(workers=2).max_in_flight == MAX_IN_FLIGHT


def test_the_start_says_when_descriptors_are_too_few_and_nothing_when_they_do() -> None:
    assert too_few_descriptors(None, needed(MAX_IN_FLIGHT)) is None
    assert too_few_descriptors(200, 1024) is None
    told = too_few_descriptors(None, 4096)
    assert told is not None
    assert f"{fits(4096):,} requests are in flight at once instead of {MAX_IN_FLIGHT:,}" in told
    told = too_few_descriptors(5000, 4096)
    assert told is not None
    assert "GATEWAY_MAX_IN_FLIGHT" in told
    assert f"{needed(5000):,}" in told


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300));"
        "from app.admission.descriptors import available, raise_limit;"
        "assert available() == 100; assert raise_limit() == 300 == available() == raise_limit()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[4])
