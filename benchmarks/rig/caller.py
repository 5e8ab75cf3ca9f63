"""A caller over one connection of its own, who may be slow, or leave at any byte: what no HTTP client offers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import h11

_CHUNK: Final = 64 * 1024
_SMALL_BUFFER: Final = 16 * 1024
"""Bytes the kernel may take in for a slow reader: an image must not fit into what nobody has read."""
_CONNECT_S: Final = 30.0
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. ``path`` begins with a slash."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE)
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a caller behaves; None: as everybody does."""

    leaves_at_sent: float | None = None
    """Share of the request's bytes, head included, after which the caller is gone."""
    leaves_after_s: float | None = None
    """Seconds after the request was sent, whatever has come by then."""
    leaves_at_read: int | None = None
    """Bytes of the answer's body after which the caller is gone."""
    sends_per_s: float | None = None
    """Bytes a second."""
    reads_per_s: float | None = None
    """Bytes a second."""


PLAIN: Final = Manner()


@dataclass(slots=True)
class Heard:
    """What came back."""

    status: int = 0
    """0: no answer."""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    whole: bool = False
    """Whether the answer came to its end."""
    left: bool = False
    """Whether the caller left on purpose before that."""
    trouble: str = ""
    """``unanswered`` after all patience, or what the connection met."""
    seconds: float = 0.0


class _Leave(Exception):
    """The caller goes now."""


async def call(url: str, asked: Call, manner: Manner = PLAIN, *, patience_s: float = 180.0) -> Heard:
    """Send one request to the server at ``url``. Raises nothing: what goes wrong is heard."""
    heard, begun = Heard(), time.monotonic()
    try:
        async with asyncio.timeout(patience_s):
            await _converse(url, asked, manner, heard)
    except _Leave:
        heard.left = True
    except TimeoutError:
        heard.trouble = "unanswered"
    except (OSError, h11.RemoteProtocolError) as met:
        heard.trouble = type(met).__name__
    heard.seconds = time.monotonic() - begun
    return heard


async def _converse(url: str, asked: Call, manner: Manner, heard: Heard) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=256 * 1024)
    message = _message(connection, asked, f"{host}:{port}")
    reader, writer = await _connected(host, port, small=manner.reads_per_s is not None)
    try:
        sending = asyncio.create_task(_send(writer, message, manner))
        hearing = asyncio.create_task(_hear(reader, connection, manner, heard))
        try:
            await _both(sending, hearing, manner)
        finally:
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)
    finally:
        writer.transport.abort()


async def _both(sending: asyncio.Task[None], hearing: asyncio.Task[None], manner: Manner) -> None:
    """Until the answer is there, however much of the request it took."""
    await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
    if sending.done() and isinstance(gone := sending.exception(), _Leave):
        raise gone
    if manner.leaves_after_s is not None and not hearing.done():
        done, _ = await asyncio.wait({hearing}, timeout=manner.leaves_after_s)
        if not done:
            raise _Leave
    await hearing  # a refusal may come although the rest of the request could not be sent


def _message(connection: h11.Connection, asked: Call, host: str) -> bytes:
    headers = {"host": host, "content-length": str(len(asked.body)), "connection": "close", **asked.headers}
    sent = [
        connection.send(h11.Request(method=asked.method, target=asked.path, headers=list(headers.items()))),
        connection.send(h11.Data(data=asked.body)) if asked.body else b"",
        connection.send(h11.EndOfMessage()),
    ]
    return b"".join(each or b"" for each in sent)


async def _connected(host: str, port: int, *, small: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_CONNECT_S):
        if not small:
            return await asyncio.open_connection(host, port, limit=_CHUNK)
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
            await asyncio.get_running_loop().sock_connect(plain, (host, port))
            return await asyncio.open_connection(sock=plain, limit=_SMALL_BUFFER)
        except BaseException:
            plain.close()
            raise


async def _send(writer: asyncio.StreamWriter, message: bytes, manner: Manner) -> None:
    until = len(message) if manner.leaves_at_sent is None else int(len(message) * manner.leaves_at_sent)
    step = _CHUNK if manner.sends_per_s is None else max(int(manner.sends_per_s / 10), 1)
    view = memoryview(message)[:until]
    for start in range(0, until, step):
        writer.write(view[start : start + step])
        await writer.drain()
        if manner.sends_per_s is not None:
            await asyncio.sleep(step / manner.sends_per_s)
    if until < len(message):
        raise _Leave


async def _hear(reader: asyncio.StreamReader, connection: h11.Connection, manner: Manner, heard: Heard) -> None:
    body: list[bytes] = []
    read = 0
    try:
        async for event in _events(reader, connection, manner):
            if isinstance(event, h11.Response):
                heard.status = event.status_code
                heard.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
                read += len(event.data)
                if manner.leaves_at_read is not None and read >= manner.leaves_at_read:
                    raise _Leave
            elif isinstance(event, h11.EndOfMessage):
                heard.whole = True
                return
    finally:
        heard.body = b"".join(body)


async def _events(reader: asyncio.StreamReader, connection: h11.Connection, manner: Manner) -> AsyncIterator[h11.Event]:
    step = _CHUNK if manner.reads_per_s is None else max(int(manner.reads_per_s / 10), 1)
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(step)
            connection.receive_data(data)  # at its end before the answer's: h11 says so
            if manner.reads_per_s is not None:
                await asyncio.sleep(len(data) / manner.reads_per_s)
        elif isinstance(event, h11.Event):
            yield event
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return
        else:
            return  # paused: the answer is over
