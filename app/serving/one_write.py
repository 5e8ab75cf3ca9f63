"""One write: the head of an answer goes out with the body that is about to follow it.

The server writes each by itself, and the event loop sends each by itself: two calls of the system, two packets, and a
client that is woken for nothing but headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

_MOST = 64 * 1024
"""Bytes that are put behind the head; copying more costs more than a call does."""
_GO_ON = b"HTTP/1.1 100 "
"""How a leave to send the body begins, which is no head of an answer."""


class OneWrite:
    """A connection's transport, as far as it is used to answer one request.

    A head waits for what is written in the same round of the event loop; when nothing is, it goes out by itself.
    """

    __slots__ = ("_begun", "_close", "_head", "_loop", "_transport")

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, close: Callable[[], None]
    ) -> None:
        """``close``: what is done when the server is done with the connection."""
        self._transport = transport
        self._loop = loop
        self._close = close
        self._begun = False
        self._head: bytes | None = None

    def write(self, data: bytes | memoryview) -> None:
        """As the transport's."""
        if not self._begun and bytes(data[: len(_GO_ON)]) != _GO_ON:
            self._begun = True
            self._head = bytes(data)
            self._loop.call_soon(self._go)
        elif self._head is not None and len(data) <= _MOST:
            head, self._head = self._head, None
            self._transport.write(b"".join((head, data)))
        else:
            self._go()
            self._transport.write(data)

    def write_whole(self, data: bytes) -> None:
        """A head and all that belongs to it."""
        self._begun = True
        self._transport.write(data)

    def write_pieces(self, pieces: list[bytes | memoryview]) -> None:
        """What follows a head, in one call of the system."""
        self._go()
        self._transport.writelines(pieces)

    async def drained(self, flow: FlowControl) -> bool:
        """Wait until all that was written is with the system; whether there still is a connection then."""
        self._go()
        transport = self._transport
        if not transport.is_closing() and transport.get_write_buffer_size():
            transport.set_write_buffer_limits(0)
            await flow.drain()
            if not transport.is_closing():
                transport.set_write_buffer_limits()
        return not transport.is_closing()

    def descriptor(self) -> int:
        """The connection's."""
        number: int = self._transport.get_extra_info("socket").fileno()
        return number

    def is_closing(self) -> bool:
        """As the transport's."""
        return self._transport.is_closing()

    def close(self) -> None:
        """What was written is still sent."""
        self._go()
        self._close()

    def _go(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._transport.write(head)
