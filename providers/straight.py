"""Straight: the rest of a large body whose length is known, read from its connection past the HTTP library.

The library has nothing left to do for it but to hand it on, and does so in small pieces that are copied twice and each
wake a task. Here the connection fills buffers of ours, which are looked at as they fill and kept as they are.
"""

from __future__ import annotations

import asyncio
import ctypes
from typing import Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler

from providers.direct import DirectReply

READ_BYTES = 256 * 1024
"""Most that is read at a time, but for a body's last byte and TLS's last MiB: what has just been filled is still in the
processor's cache when it is looked at. Twice as much is no faster, half of it slower. Over TLS also of one buffer."""
PIECE_BYTES = 512 * 1024
"""Of one buffer, which is kept, accounted for and sent as a whole: that costs as much as copying 100 KB. An answer is
sent in chunks of as much at most."""
_TURN_BYTES = 512 * 1024
"""After as many others have their turn: the event loop would go on for as long as there is something to read."""
_TLS_LAST_BYTES = 1024 * 1024
"""More than TLS can hold back, encrypted and decrypted: half a MiB before it stops reading, and one read on top."""
# A bytearray that is not cleared first, as Python's own are: a twelfth of all work on a large image. Nobody sees a byte
# of it that was not filled.
_new_buffer = ctypes.pythonapi.PyByteArray_FromStringAndSize
_new_buffer.argtypes = (ctypes.c_char_p, ctypes.c_ssize_t)
_new_buffer.restype = ctypes.py_object
_NOTHING = memoryview(b"")


class Taker(Protocol):
    """Whoever the body is for."""

    def look(self, part: memoryview) -> None:
        """Look at the next bytes, which are not kept yet."""

    def keep(self, piece: memoryview) -> None:
        """Keep what was looked at since the last time, in a buffer that nobody else has."""


async def take_rest(
    response: aiohttp.ClientResponse | DirectReply, taker: Taker, read: int, *, stated: int, silence_s: float | None
) -> bool:
    """Take all that is left of a body of ``stated`` bytes after ``read`` of them. False, and nothing has happened, when
    there is little left or the library must read it: in chunks, compressed, or with some of it still in its hands.

    Raises TimeoutError when nothing came for ``silence_s``, ServerDisconnectedError when the connection breaks, and
    what ``taker`` raises.
    """
    connection, left = response.connection, stated - read
    if left < READ_BYTES or connection is None or response.content.total_bytes != read:
        return False
    if "transfer-encoding" in response.headers or "content-encoding" in response.headers:
        return False
    library, transport = connection.protocol, connection.transport
    if library is None or transport is None or transport.is_closing() or not transport.is_reading():
        return False
    # Its own watch for silence ends; it is set anew for the connection's next request.
    library.read_timeout = None
    library.start_timeout()
    await _Reading(library, transport, left, taker).through(silence_s)
    # The connection is ready for another request. Its parser still waits for this body: whatever comes before that
    # request, which has a parser of its own, is taken for a part of it and dropped.
    response.content.feed_eof()
    return True


class _Reading(asyncio.BufferedProtocol):
    """Has the connection in the library's place for as long as the body comes."""

    def __init__(self, library: ResponseHandler, transport: asyncio.Transport, left: int, taker: Taker) -> None:
        self._library = library
        self._transport = transport
        self._left = left
        self._taker = taker
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] | None = None
        self._piece = _NOTHING
        self._filled = 0
        self._turn = 0
        self._tls = transport.get_extra_info("ssl_object") is not None
        self._lost = False
        self._came_at = self._loop.time()
        self._next_turn: asyncio.Handle | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def through(self, silence_s: float | None) -> None:
        """Read to the end. The connection is the library's again then, whatever happens."""
        self._ended = self._loop.create_future()
        self._hand_to(self)
        self._transport.resume_reading()
        self._look_out(silence_s)
        try:
            await self._ended
        finally:
            for pending in (self._next_turn, self._watch):
                if pending is not None:
                    pending.cancel()
            if not self._lost:
                self._hand_to(self._library)
            # What is raised leads here, which must not lead to that: the collector comes late. And the event loop keeps
            # this until the connection has another request.
            self._ended = None
            del self._taker

    @property
    def _to_the_end(self) -> bool:
        """What is left is read without a pause, into one buffer: where the connection ends with the body, TLS throws
        away what it still holds of it when nobody has room for that."""
        return self._tls and self._left <= _TLS_LAST_BYTES

    def _hand_to(self, whom: asyncio.BaseProtocol) -> None:
        if self._transport.is_reading():  # which of a protocol's methods is called is settled when reading begins
            self._transport.pause_reading()
        self._transport.set_protocol(whom)

    def _look_out(self, silence_s: float | None) -> None:
        if silence_s is None:
            return
        left_s = self._came_at + silence_s - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look_out, silence_s)
        else:
            self._end(TimeoutError())

    def _end(self, why: BaseException | None = None) -> None:
        if self._transport.is_reading() and not self._lost:
            self._transport.pause_reading()
        if self._ended is None or self._ended.done():
            return
        if why is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(why)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are to go."""
        del sizehint
        if not self._piece:
            # TLS gives no more at a time than a buffer takes, and waits for the event loop before it goes on.
            most = READ_BYTES if self._tls else PIECE_BYTES
            # One byte more than is left: whoever sends more than was stated is not asked again on this connection.
            whole = self._to_the_end or self._left <= most
            self._piece = memoryview(_new_buffer(None, self._left + 1 if whole else most))
        if self._tls or self._left <= READ_BYTES:
            return self._piece[self._filled :]
        return self._piece[self._filled : self._filled + READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """They are there."""
        self._came_at = self._loop.time()
        if nbytes > self._left:
            self._library.force_close()
            nbytes = self._left
        piece, start = self._piece, self._filled
        self._filled = filled = start + nbytes
        self._left = left = self._left - nbytes
        self._turn += nbytes
        try:
            self._taker.look(piece[start:filled])
            if filled == len(piece) or not left:
                self._piece, self._filled = _NOTHING, 0
                self._taker.keep(piece[:filled])
        except Exception as failed:  # noqa: BLE001 - raised where the body is waited for
            self._end(failed)
            return
        if not left:
            self._end()
        elif self._turn >= _TURN_BYTES and not self._to_the_end:
            self._turn = 0
            self._transport.pause_reading()
            self._next_turn = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Some of the request may still be on its way."""
        self._library.pause_writing()

    def resume_writing(self) -> None:
        """And goes on."""
        self._library.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It broke, or ended before the body did."""
        self._lost = True
        self._end(aiohttp.ServerDisconnectedError())
        self._library.connection_lost(exc)
