"""Draining: what a refused client still sends is read and dropped, so that it sees the answer and not a reset."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from starlette.requests import ClientDisconnect, Request

DRAIN_BYTES = 64 * 1024 * 1024
"""The rest of one file that is too large, whatever it was, and of most forms with too many."""
DRAIN_SECONDS = 5.0


async def drain(
    request: Request, *, begun: bool = False, max_bytes: int = DRAIN_BYTES, max_seconds: float = DRAIN_SECONDS
) -> bool:
    """Read and drop the rest of the body. Whether its end was reached.

    When it was not, the answer must close the connection, for what comes next on it is no request. Takes no memory.
    ``begun``: some of the body was read already. If not, nothing is read from a client that waits to be told to send
    it: the answer tells it that it need not.
    """
    if not begun and request.headers.get("expect", "").lower() == "100-continue":
        return False
    dropped = 0
    try:
        async with asyncio.timeout(max_seconds), aclosing(request.stream()) as stream:
            async for chunk in stream:
                dropped += len(chunk)
                if dropped > max_bytes:
                    return False
    except RuntimeError:
        return True  # the framework says so of a body that was read to its end
    except (TimeoutError, ClientDisconnect):
        return False
    return True
