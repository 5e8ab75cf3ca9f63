"""Vitals: what a gateway holds, seen from outside by the kernel's own account of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.image_path.usage import family, memory

_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Vitals:
    """A process and its descendants at one moment. MB are 10^6 bytes."""

    rss_mb: float
    anonymous_mb: float
    """Heaps and stacks; the rest of ``rss_mb`` is files, mapped bodies among them."""
    descriptors: int
    sockets: int
    """Those of ``descriptors`` that are sockets."""
    spooled: int
    """Spool files that are open or mapped."""
    threads: int


def vitals(pid: int, spool: Path) -> Vitals:
    """How the process does now; ``spool`` is its spool folder. OSError when it has ended."""
    held, threads, sockets, files = memory(pid), 0, 0, 0
    spooled: set[str] = set()
    for each in family(pid):
        folder = _PROC / str(each)
        for target in links(folder / "fd"):
            files += 1
            sockets += target.startswith("socket:")
            spooled |= {target} if target.startswith(f"{spool}/") else set()
        spooled |= {name for name in mapped(folder / "maps") if name.startswith(f"{spool}/")}
        threads += len(list((folder / "task").iterdir()))
    return Vitals(held.now, held.anonymous, files, sockets, len(spooled), threads)


def links(folder: Path) -> Iterator[str]:
    """Where a process's descriptors lead; ``folder`` is its ``fd`` under ``/proc``."""
    for link in folder.iterdir():
        try:
            yield str(link.readlink())
        except OSError:
            continue  # closed meanwhile


def mapped(maps: Path) -> Iterator[str]:
    """Names of the files a process has mapped, once for each mapping."""
    for line in maps.read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6:
            yield fields[5]


def connected_to(pid: int, ports: frozenset[int]) -> int:
    """How many of the process's connections lead to one of these ports."""
    sockets: set[str] = set()
    for name in ("tcp", "tcp6"):
        for line in (_PROC / str(pid) / "net" / name).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[2].rpartition(":")[2], 16) in ports:
                sockets.add(f"socket:[{fields[9]}]")
    return sum(target in sockets for each in family(pid) for target in links(_PROC / str(each) / "fd"))
