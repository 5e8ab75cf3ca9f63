"""Which files of a folder this process has open or mapped.

Only those: how many it has open in all changes at any moment, by threads of other tests and by what they left to the
collector.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.rig.vitals import links, mapped

_PROCESS = Path("/proc/self")


def open_files(folder: Path) -> int:
    """Descriptors of files in ``folder``, also of those without a name."""
    return sum(target.startswith(f"{folder}/") for target in links(_PROCESS / "fd"))


def mapped_files(folder: Path) -> int:
    """Mappings of files in ``folder``, also of those without a name."""
    return sum(name.startswith(f"{folder}/") for name in mapped(_PROCESS / "maps"))
