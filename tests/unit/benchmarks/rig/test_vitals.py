"""Vitals: what a process opens, maps and starts is seen."""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
import threading
from pathlib import Path

from benchmarks.rig.vitals import vitals


def test_what_is_opened_and_mapped_is_seen_and_gone_again(tmp_path: Path) -> None:
    before = vitals(os.getpid(), tmp_path)
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    with socket.socket(), tempfile.TemporaryFile(dir=tmp_path) as opened, (tmp_path / "mapped").open("w+b") as file:
        opened.write(b"x")
        file.truncate(4096)
        with mmap.mmap(file.fileno(), 4096):
            thread.start()
            during = vitals(os.getpid(), tmp_path)
            over.set()
    thread.join()
    assert during.sockets == before.sockets + 1
    assert during.descriptors >= before.descriptors + 3
    assert during.threads == before.threads + 1
    assert during.spooled == 2
    after = vitals(os.getpid(), tmp_path)
    assert (after.spooled, after.sockets) == (0, before.sockets)
    assert after.rss_mb > after.anonymous_mb > 0
