"""Which files of a folder this process has open or mapped.

Only those: how many it has open in all changes at any moment, by threads of other tests and by what they left to the
collector.
"""

from __future__ import annotations

from pathlib import Path

_PROCESS = Path("/proc/self")


def open_files(folder: Path) -> int:
    """Descriptors of files in ``folder``, also of those without a name."""
    return sum(target.startswith(f"{folder}/") for target in _targets())


def mapped_files(folder: Path) -> int:
    """Mappings of files in ``folder``, also of those without a name."""
    return sum(f" {folder}/" in line for line in (_PROCESS / "maps").read_text().splitlines())


def _targets() -> list[str]:
    targets: list[str] = []
    for descriptor in (_PROCESS / "fd").iterdir():
        try:
            targets.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return targets
