"""A go-between carries bytes as they are, until it is told to break connections or to show an old certificate."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.rig.caller import Call, Heard, call
from benchmarks.rig.go_between import GoBetween

BODY = b"x" * 300_000


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """A server that answers every line with itself."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def test_bytes_come_as_they_went_and_a_reset_breaks_open_and_new_connections() -> None:
    async with echoing() as port, GoBetween(port) as between:
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port, limit=2**20)
        writer.write(BODY + b"\n")
        assert await reader.readline() == BODY + b"\n"
        between.reset(True)
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        writer.transport.abort()
        heard: Heard = await call(f"http://127.0.0.1:{between.port}", Call("/"))
        assert heard.trouble in {"ConnectionResetError", "BrokenPipeError", "RemoteProtocolError"}
        between.reset(False)
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        writer.write(b"again\n")
        assert await reader.readline() == b"again\n"
        writer.close()


async def test_a_certificate_is_good_until_it_is_over(tmp_path: Path) -> None:
    async with echoing() as port, GoBetween(port, tls=True) as between:
        between.write_authority(tmp_path / "authority.pem")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))

        async def said() -> bytes:
            reader, writer = await asyncio.open_connection("localhost", between.port, ssl=trusting)
            writer.write(b"a\n")
            line = await reader.readline()
            writer.transport.abort()
            return line

        assert await said() == b"a\n"
        between.show_certificate(expired=True)
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await said()
        between.show_certificate(expired=False)
        assert await said() == b"a\n"
