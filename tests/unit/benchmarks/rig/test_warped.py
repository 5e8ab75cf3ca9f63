"""A warped process is told a time and no names, from outside, while it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.rig.warped import NoCompilerError, Warp

PROGRAM = """
import socket, sys, time
for _ in sys.stdin:
    try:
        socket.getaddrinfo("localhost", 80), socket.getaddrinfo("127.0.0.1", 80)
        found = True
    except OSError:
        found = False
    print(time.time(), time.monotonic(), found, flush=True)
"""


@contextmanager
def asked(environment: dict[str, str]) -> Iterator[Callable[[], tuple[float, float, bool]]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        writer, reader = process.stdin, process.stdout

        def ask() -> tuple[float, float, bool]:
            writer.write("\n")
            writer.flush()
            wall, steady, found = reader.readline().split()
            return float(wall), float(steady), found == "True"

        yield ask
        writer.close()


def test_the_wall_clock_jumps_and_names_go_while_the_steady_clock_and_addresses_stay(tmp_path: Path) -> None:
    try:
        warp = Warp(tmp_path)
    except NoCompilerError as reason:
        pytest.skip(str(reason))
    with asked(dict(warp.environment)) as ask:
        wall, steady, found = ask()
        assert found
        warp.set(seconds=7200)
        later, steadily, found = ask()
        assert later - wall == pytest.approx(7200 + steadily - steady, abs=1.0)
        assert found
        warp.set(nameless=True)
        back, _, found = ask()
        assert back < later - 7000
        assert not found
        warp.set()
        assert ask()[2]
