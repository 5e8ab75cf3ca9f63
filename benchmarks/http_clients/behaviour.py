"""Behaviour: what a client does with a POST that somebody pays for, seen from the server it talks to.

Every question is put to the client through the contract, before a server that does just one thing wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.http_clients.contract import Answer, Client, Post, Target
from benchmarks.http_clients.drive import candidate

_PATIENCE_S: Final = 3.0
"""What takes longer than this does not happen."""
_LOOK_S: Final = 0.01
_ASK: Final = Post("/v1/x", b'{"prompt":"a red fox"}', {})
_WHOLE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_BEGUN: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n" + b" " * 100_000
_EVENT: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9000000\r\n\r\ndata: 1\n\n"
_MOVED: Final = b"HTTP/1.1 302 Found\r\nLocation: /v1/y\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"


class _StoppedError(Exception):
    """Whoever takes the reply has had enough of it."""


@dataclass(slots=True)
class _Server:
    """Answers the nth request with the nth of ``says``: bytes to send; b"" to hang up; None to be silent."""

    says: list[bytes | None]
    port: int = 0
    connections: int = 0
    requests: int = 0
    gone: int = 0
    """Connections that the client has closed."""
    hangs_up_after: int = 0
    """After so many requests, the connection is closed although it was to be kept."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.splitlines()
                    if line.lower().startswith(b"content-length:")
                )
                await reader.readexactly(length)
                said = self.says[min(self.requests, len(self.says) - 1)]
                self.requests += 1
                if said == b"":
                    break
                if said is not None:
                    writer.write(said)
                    await writer.drain()
                if self.requests == self.hangs_up_after:
                    break
                if said in (None, _BEGUN, _EVENT):
                    await reader.read()
                    break
        if not reader.at_eof() and self.requests != self.hangs_up_after and self.says[-1] != b"":
            with contextlib.suppress(OSError):
                await reader.read()
        self.gone += reader.at_eof()
        writer.close()


@contextlib.asynccontextmanager
async def _before(module: str, spool: Path, server: _Server) -> AsyncIterator[Client]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    client = candidate(module, Target(f"http://127.0.0.1:{server.port}", None, spool))
    try:
        yield client
    finally:
        for writer in server.writers:
            writer.transport.abort()
        listening.close()
        await client.close()


def _nothing(_: bytes | memoryview) -> None: ...


async def _happens(condition: Callable[[], bool]) -> bool:
    for _ in range(int(_PATIENCE_S / _LOOK_S)):
        if condition():
            break
        await asyncio.sleep(_LOOK_S)
    return condition()


async def _cancelled(module: str, spool: Path, says: bytes | None) -> str:
    server = _Server([says])
    async with _before(module, spool, server) as client:
        began = asyncio.Event()
        asked = asyncio.create_task(client.post(_ASK, lambda _: began.set()))
        await _happens(lambda: server.requests == 1 and (says is None or began.is_set()))
        asked.cancel()
        await asyncio.wait({asked})
        return _yes(await _happens(lambda: server.gone == 1))


async def _stopped(module: str, spool: Path, says: bytes) -> tuple[_Server, str]:
    """What becomes of a reply whose taker has enough of it with its first bytes."""
    server = _Server([says])

    def enough(_: bytes | memoryview) -> None:
        raise _StoppedError

    async with _before(module, spool, server) as client:
        outcome = await _outcome(client.post(_ASK, enough))
        await _happens(lambda: server.gone == 1)
        return server, outcome


async def _asked_twice(module: str, spool: Path, server: _Server) -> tuple[_Server, str]:
    """What became of the second of two requests, one after the other."""
    async with _before(module, spool, server) as client:
        await client.post(_ASK, _nothing)
        if server.hangs_up_after:
            await asyncio.sleep(0.1)  # the client's event loop is to see that its idle connection was closed
        return server, await _outcome(client.post(_ASK, _nothing))


async def _outcome(asked: Awaitable[Answer]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return str((await asked).status)
    except Exception as failed:  # noqa: BLE001 - its name is what is asked for
        return type(failed).__name__


async def _refused(module: str, spool: Path) -> str:
    server = _Server([_WHOLE])
    async with _before(module, spool, server):
        pass
    client = candidate(module, Target(f"http://127.0.0.1:{server.port}", None, spool))
    try:
        return await _outcome(client.post(_ASK, _nothing))
    finally:
        await client.close()


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"


async def behaviour(module: str, spool: Path) -> dict[str, str]:
    """Every question with this client's answer."""
    kept, _ = await _asked_twice(module, spool, _Server([_WHOLE]))
    dead, then = await _asked_twice(module, spool, _Server([_WHOLE], hangs_up_after=1))
    broken, named = await _asked_twice(module, spool, _Server([_WHOLE, b""]))
    stopped, _ = await _stopped(module, spool, _BEGUN)
    _, event = await _stopped(module, spool, _EVENT)
    moved, status = await _asked_twice(module, spool, _Server([_WHOLE, _MOVED, _WHOLE]))
    return {
        "a cancelled POST closes its connection": await _cancelled(module, spool, None),
        "so does one cancelled within the reply": await _cancelled(module, spool, _BEGUN),
        "and one whose reply is not read to its end": _yes(stopped.gone == 1),
        "an event is handed over when it has come": _yes(event == _StoppedError.__name__),
        "the next POST uses the same connection": _yes(kept.connections == 1 and kept.requests == 2),
        "a POST is not put on a connection the server has closed": _yes(then == "200" and dead.connections == 2),
        "a POST that was read and not answered is not sent again": _yes(broken.requests == 2),
        "what that is called": named,
        "what a refused connection is called": await _refused(module, spool),
        "redirects are not followed": _yes(status == "302" and moved.requests == 2),
    }
