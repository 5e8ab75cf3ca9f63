"""From file: bytes go from a file to a connection inside the kernel; this program never holds them."""

from __future__ import annotations

import asyncio
import os
from errno import EBADF, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOTCONN, ETIMEDOUT

from app.doors.hang_up import WhenLost

_GONE = frozenset({EBADF, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOTCONN, ETIMEDOUT})
"""Besides what Python calls a ConnectionError: nobody is there to send anything to."""


class NotFromFileError(Exception):
    """What is left cannot be sent so: no descriptor to wait with, or a file that the system sends nothing from.
    ``sent``: bytes that were."""

    def __init__(self, sent: int) -> None:
        super().__init__("the rest has to be read")
        self.sent = sent


async def send_from_file(connection: int, file: int, offset: int, count: int, when_lost: WhenLost) -> None:
    """Send ``count`` bytes of an open file, from ``offset`` on, over a connection that has nothing else to send.

    Both are descriptors, the connection's one that does not block. Where the client leaves, nothing more is sent and
    nothing raised, as the server has it. Raises NotFromFileError, and RuntimeError when the file is shorter.
    """
    at, end = offset, offset + count
    while at < end:
        try:
            sent = os.sendfile(connection, file, at, end - at)
        except BlockingIOError:
            try:
                lost = await _lost_before_writable(connection, when_lost)
            except OSError:
                raise NotFromFileError(at - offset) from None
            if lost:
                return
            continue
        except ConnectionError:
            return
        except OSError as failed:
            if failed.errno in _GONE:
                return
            raise NotFromFileError(at - offset) from None
        if not sent:
            raise RuntimeError("The file ends before what was to be sent does.")
        at += sent


async def _lost_before_writable(connection: int, when_lost: WhenLost) -> bool:
    """Wait until the client has read some of what was sent; whether the connection was lost first. Raises OSError when
    there is no descriptor left."""
    own = os.dup(connection)  # the event loop lets nobody else wait for a descriptor it has given to a transport
    try:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[bool] = loop.create_future()

        def end(lost: bool) -> None:
            if not over.done():
                over.set_result(lost)

        loop.add_writer(own, end, False)
        call_off = when_lost(lambda: end(True))
        try:
            return await over
        finally:
            call_off()
            loop.remove_writer(own)
    finally:
        os.close(own)
