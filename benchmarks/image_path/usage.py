"""Usage: what a server's processes have used of CPU and memory, as the kernel counts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_SAMPLE_S: Final = 0.05
"""Between two looks at what is in use; the peak of all of it needs none, the kernel keeps that itself."""
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """MB (10^6 bytes), all processes of a server together. Pages two of them share count twice."""

    now: float
    peak: float
    """The most at once since the start or since the last ``forget_peak``; a sum of each process' own."""
    anonymous: float
    """Heaps and stacks, as of now; the rest is files: the program itself, and mapped bodies, which can be reclaimed."""


def read_status(text: str) -> Memory:
    """What one ``/proc/<pid>/status`` says."""
    kilobytes = {
        name: float(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in text.splitlines())
        if name in {"VmRSS", "VmHWM", "RssAnon"}
    }
    scale = 1024 / 1e6
    return Memory(
        kilobytes.get("VmRSS", 0.0) * scale, kilobytes.get("VmHWM", 0.0) * scale, kilobytes.get("RssAnon", 0.0) * scale
    )


def cpu_s(pid: int) -> float:
    """Seconds of CPU the process and its living descendants have used, all threads, in user and kernel mode.

    Whole ticks; Linux scales them to the exact run time, so that nothing is lost in between.
    """
    return sum(_ticks((_PROC / str(each) / "stat").read_text()) for each in family(pid)) * _TICK_S


def memory(pid: int) -> Memory:
    """What the process and its descendants hold."""
    found = [read_status((_PROC / str(each) / "status").read_text()) for each in family(pid)]
    return Memory(
        sum(each.now for each in found), sum(each.peak for each in found), sum(each.anonymous for each in found)
    )


def forget_peak(pid: int) -> None:
    """Begin the peak anew at what is held now."""
    for each in family(pid):
        (_PROC / str(each) / "clear_refs").write_text("5")


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                parent = int(_fields((folder / "stat").read_text())[1])
            except OSError:
                continue  # it ended meanwhile
            children.setdefault(parent, []).append(int(folder.name))
    return list(_descent(pid, children))


def _descent(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _descent(child, children)


def _ticks(stat: str) -> int:
    fields = _fields(stat)
    return int(fields[11]) + int(fields[12])


def _fields(stat: str) -> list[str]:
    """From the state on; the name before it may hold anything."""
    return stat.rpartition(")")[2].split()


class Watch:
    """The most anonymous memory seen while the context lasts, by looking now and then."""

    def __init__(self, pid: int) -> None:
        self.anonymous_peak = 0.0
        self._pid = pid
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            try:
                self.anonymous_peak = max(self.anonymous_peak, memory(self._pid).anonymous)
            except OSError:
                return  # the server is gone
            self._over.wait(_SAMPLE_S)
