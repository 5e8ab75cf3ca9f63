from __future__ import annotations

import mmap
import os
import subprocess
import sys

from benchmarks.image_path.usage import Watch, cpu_s, family, forget_peak, memory, read_status

MIB = 1024 * 1024


def test_memory_is_read_as_the_kernel_writes_it() -> None:
    found = read_status("Name:\tpython\nVmHWM:\t  2000 kB\nVmRSS:\t  1000 kB\nRssAnon:\t   500 kB\n")
    assert (found.now, found.peak, found.anonymous) == (1.024, 2.048, 0.512)


def test_the_family_of_a_process_are_its_descendants() -> None:
    nested = "import subprocess, sys; subprocess.run(['cat'])"
    with subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE) as child:
        found = family(child.pid)
        while len(found) < 2 and child.poll() is None:
            found = family(child.pid)
        assert found[0] == child.pid
        assert set(found) <= set(family(os.getpid()))


def fresh() -> mmap.mmap:
    """64 MiB no allocator had in store."""
    pages = mmap.mmap(-1, 64 * MIB)
    pages.write(b"x" * (64 * MIB))
    return pages


def test_a_forgotten_peak_begins_anew_and_is_seen_again() -> None:
    fresh().close()
    forget_peak(os.getpid())
    before = memory(os.getpid())
    assert before.peak - before.now < 16
    again = fresh()
    assert memory(os.getpid()).peak - before.now > 60
    again.close()


def test_cpu_is_counted_in_seconds() -> None:
    before = cpu_s(os.getpid())
    while cpu_s(os.getpid()) - before < 0.05:
        sum(range(10_000))
    assert cpu_s(os.getpid()) - before < 5


def test_a_watch_sees_the_most_that_was_held() -> None:
    with Watch(os.getpid()) as watch:
        while watch.anonymous_peak == 0:
            pass
    assert watch.anonymous_peak > 5
