"""A real Redis for tests: the one of ``REDIS_URL``, or a server of its own.

Tests that kill, stop or misconfigure it always use their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.rig.redis_server import RedisServer, own_redis

__all__ = ["RedisServer", "own_redis", "some_redis"]


@contextmanager
def some_redis() -> Iterator[str]:
    """The URL of a server that may be shared: use a key prefix nobody else uses."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    with own_redis() as server:
        yield server.url
