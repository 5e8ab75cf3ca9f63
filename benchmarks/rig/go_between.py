"""A go-between: carries bytes between a gateway and the simulator, until it resets connections or shows an old
certificate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trustme

_CHUNK: Final = 64 * 1024
_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER by which closing sends a reset at once."""


class GoBetween:
    """Listens on a loopback port while the context lasts; ``tls``: as a vendor does, with a certificate of its own
    authority."""

    def __init__(self, target_port: int, *, tls: bool = False) -> None:
        self.port = 0
        self._target_port = target_port
        self._resetting = False
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._authority = trustme.CA() if tls else None
        self._context: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        if self._authority is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert("localhost").configure_cert(self._context)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, with all connections."""
        if self._server is not None:
            self._server.close()
        self._drop()

    def write_authority(self, path: Path) -> None:
        """Write what a client must trust."""
        if self._authority is not None:
            self._authority.cert_pem.write_to_path(str(path))

    def reset(self, on: bool) -> None:
        """From now on every connection is reset, those that are open at once."""
        self._resetting = on
        if on:
            self._drop()

    def show_certificate(self, *, expired: bool) -> None:
        """From now on connections are greeted with one that is over, or with a good one; open ones are dropped."""
        if self._authority is not None and self._context is not None:
            end = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
            self._authority.issue_cert("localhost", not_after=end).configure_cert(self._context)
            self._drop()

    def _drop(self) -> None:
        for writer in list(self._open):
            _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._resetting:
            _abort(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _abort(writer)
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            self._open -= {writer, back}
            for each in (writer, back):
                each.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # either side may go at any time
        while piece := await reader.read(_CHUNK):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()  # TLS knows no half of a connection


def _abort(writer: asyncio.StreamWriter) -> None:
    plain = writer.get_extra_info("socket")
    if plain is not None:
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()
