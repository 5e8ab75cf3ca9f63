"""Space: room on the disk where bodies are spooled. What is bought without it would be lost when it arrives."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

FLOOR_BYTES = 64 * 1024 * 1024
"""Free space below which nobody is admitted: three of the largest usual replies (a 4K image as base64 is 22 MB)."""
FLOOR_SHARE = 4
"""Of a disk smaller than this many times the floor, such as a tmpfs, the floor is this part."""
INTERVAL_S = 1.0
"""Between two looks, in which a fast vendor link brings some 100 MB."""


class Space:
    """Whether there is room in ``folder``, looked at once in a while. ``clock`` gives seconds, from anywhere.

    A folder that cannot be looked at counts as one with room: whoever writes there says better what is wrong.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        look: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._look = look
        self._next_look_at = float("-inf")
        self._there_is = True

    def there_is(self) -> bool:
        """Room for what is bought now."""
        now = self._clock()
        if now >= self._next_look_at:
            self._next_look_at = now + INTERVAL_S
            self._there_is = self._looked()
        return self._there_is

    def _looked(self) -> bool:
        try:
            found = self._look(self._folder)
        except OSError:
            return True
        floor = min(FLOOR_BYTES, found.f_blocks * found.f_frsize // FLOOR_SHARE)
        return found.f_bavail * found.f_frsize >= floor
