"""Waiting for what is to happen, instead of for a while in which it ought to have."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 30.0
"""Longest a test waits for anything that is to happen; far above what it takes."""


def until(holds: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """What ``holds`` returned when it was first true; AssertionError when that does not come in time."""
    give_up = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found
