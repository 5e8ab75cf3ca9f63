"""Vitals: what a process opens, maps and starts is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.rig.vitals import Vitals, vitals

CHILD = """
import mmap, pathlib, socket, sys, tempfile, threading
folder = pathlib.Path(sys.argv[1])
def said() -> None:
    print("ready", flush=True)
    sys.stdin.readline()
said()
over = threading.Event()
thread = threading.Thread(target=over.wait)
with socket.socket(), tempfile.TemporaryFile(dir=folder) as opened, (folder / "mapped").open("w+b") as file:
    opened.write(b"x")
    file.truncate(4096)
    with mmap.mmap(file.fileno(), 4096):
        thread.start()
        said()
        over.set()
thread.join()
said()
"""
"""A process of its own: this one has threads and sockets of other tests, which come and go."""


def test_what_is_opened_and_mapped_is_seen_and_gone_again(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        seen: list[Vitals] = []
        for _ in range(3):
            assert child.stdout.readline() == "ready\n"
            seen.append(vitals(child.pid, tmp_path))
            child.stdin.write("\n")
            child.stdin.flush()
    before, during, after = seen
    assert during.sockets == before.sockets + 1
    assert during.descriptors >= before.descriptors + 3
    assert during.threads == before.threads + 1
    assert during.spooled == 2
    assert (after.spooled, after.sockets, after.threads) == (0, before.sockets, before.threads)
    assert after.rss_mb > after.anonymous_mb > 0
