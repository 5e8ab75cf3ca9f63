"""Memory that was freed is kept for the next body, up to what is stated; what is larger is given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from app.serving.heap import hold_on

BODIES = (
    "import resource, sys\n"
    "from app.serving.heap import hold_on\n"
    "if sys.argv[1] == 'held': assert hold_on(0)\n"
    "def faults(size):\n"
    "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
    "    for _ in range(50):\n"
    "        pieces = [b'x' * (size // 4) for _ in range(4)]\n"
    "        whole = b''.join(pieces)\n"
    "        del pieces, whole\n"
    "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
    "faults(2 << 20)\n"
    "print(faults(2 << 20))\n"
)
"""Counts the pages that fifty bodies of 2 MB, put together of pieces, have to be given."""
MEMORY = (
    "from pathlib import Path\n"
    "from app.serving.heap import KEPT_BYTES, hold_on\n"
    "hold_on(0)\n"
    "def held():\n"
    "    lines = Path('/proc/self/status').read_text().splitlines()\n"
    "    return next(int(line.split()[1]) for line in lines if line.startswith('VmRSS:'))\n"
    "before = held()\n"
    "some = [bytes([1]) * (1 << 20) for _ in range(200)] + [bytes([1]) * (20 << 20)]\n"
    "del some\n"
    "print((held() - before) * 1024 - KEPT_BYTES)\n"
)
"""Prints how many bytes more than those that may be kept are still held of 220 MB."""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told what to keep")


def printed(program: str, *args: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


def test_a_body_like_the_one_before_is_not_given_its_memory_page_by_page() -> None:
    assert printed(BODIES, "held") < 100
    assert printed(BODIES, "as it is") > 5_000


def test_after_a_flood_no_more_is_kept_than_is_stated() -> None:
    assert printed(MEMORY) < 2 * 1024 * 1024


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_operator_has_said_already_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "131072")
    assert not hold_on(0)
