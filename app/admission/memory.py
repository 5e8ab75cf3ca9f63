"""Memory: how much of it this process may use: the container's limit, else the machine's."""

from __future__ import annotations

import os
from pathlib import Path

_UNIFIED = Path("sys/fs/cgroup")
_V1 = Path("sys/fs/cgroup/memory")


def memory_bytes(root: Path = Path("/")) -> int:
    """Bytes of memory there are for this process: the least of the machine's and of what the control groups that it is
    in allow, version 2 (``memory.max``) or 1. ``root`` is where ``proc`` and ``sys`` are found.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits(root)])


def _limits(root: Path) -> list[int]:
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            found += _along(root / _UNIFIED, group, "memory.max")
        elif "memory" in controllers.split(","):
            found += _along(root / _V1, group, "memory.limit_in_bytes")
    return found


def _along(base: Path, group: str, name: str) -> list[int]:
    """The limits of a group and of those it lies in, up to the mount, which in a container is the container's own."""
    parts = [part for part in group.split("/") if part and part != ".."]
    folders = [base.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    texts = [_text(folder / name).strip() for folder in folders]
    return [int(text) for text in texts if text.isdigit()]  # "max" is none


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
