"""A server for tests with every byte in its own hands: it can answer, drip, stall, cut short and reset."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PATIENCE_S = 20.0
"""Seconds after which something that was to happen counts as never happening."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived. Header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    header_names: tuple[str, ...]
    body: bytes
    connection: int


@dataclass(slots=True)
class Peer:
    """The connection a request came on."""

    number: int
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self,
        body: bytes = b"",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> None:
        given = {"content-length": str(len(body) if length is None else length), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        await self.send(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body)

    async def json(self, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        await self.answer(
            json.dumps(document).encode(), status, {"content-type": "application/json", **(headers or {})}
        )

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Seen, Peer], Awaitable[None]]


async def ok(_seen: Seen, peer: Peer) -> None:
    await peer.json({"ok": True})


async def hang(_seen: Seen, _peer: Peer) -> None:
    await asyncio.Event().wait()


def answers(*handlers: Handler) -> Handler:
    """Each request in turn gets the next handler; the last one stays."""
    left = list(handlers)

    async def handle(seen: Seen, peer: Peer) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(seen, peer)

    return handle


def routes(table: Mapping[str, Handler]) -> Handler:
    """By method and path, for example ``POST /submit``."""

    async def handle(seen: Seen, peer: Peer) -> None:
        await table[f"{seen.method} {seen.target}"](seen, peer)

    return handle


@dataclass(slots=True)
class Loopback:
    """What the server saw."""

    base_url: str = ""
    port: int = 0
    handler: Handler = ok
    requests: list[Seen] = field(default_factory=list)
    peers: dict[int, Peer] = field(default_factory=dict)
    """Connections that are open now."""
    accepted: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def targets(self) -> list[str]:
        return [f"{seen.method} {seen.target}" for seen in self.requests]

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until the server's view fulfils this. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                self._news.clear()
                await self._news.wait()

    async def arrived(self, target: str) -> None:
        await self.until(lambda: target in self.targets)

    async def all_closed(self) -> None:
        await self.until(lambda: not self.peers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        peer = Peer(self.accepted, writer)
        self.peers[peer.number] = peer
        handling: set[asyncio.Task[None]] = set()
        try:
            while (seen := await _request(reader, peer.number)) is not None:
                self.requests.append(seen)
                self._news.set()
                task = asyncio.ensure_future(self._handled(seen, peer))
                handling.add(task)
                task.add_done_callback(handling.discard)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for task in handling:
                task.cancel()
            del self.peers[peer.number]
            self._news.set()
            writer.close()

    async def _handled(self, seen: Seen, peer: Peer) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            await self.handler(seen, peer)


async def _request(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int((await reader.readline()).strip(), 16)) > 0:
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, target, headers, tuple(name.lower() for name, _ in pairs), body, connection)


@asynccontextmanager
async def loopback(handler: Handler = ok, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """A server on a free loopback port while the block runs."""
    seen = Loopback(handler=handler)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(seen.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, limit=2**20)
    seen.port = server.sockets[0].getsockname()[1]
    seen.base_url = f"http{'' if tls is None else 's'}://127.0.0.1:{seen.port}"
    try:
        yield seen
    finally:
        server.close()
        for peer in list(seen.peers.values()):
            peer.writer.transport.abort()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def texts_of(error: BaseException) -> str:
    """Everything that could be printed of an error, its causes and its contexts, however well hidden."""
    pieces: list[str] = []
    queue: list[BaseException | None] = [error]
    known: set[int] = set()
    while queue:
        next_one = queue.pop()
        if next_one is None or id(next_one) in known:
            continue
        known.add(id(next_one))
        pieces += [repr(next_one), str(next_one), repr(next_one.args), repr(getattr(next_one, "__dict__", {}))]
        queue += [next_one.__cause__, next_one.__context__]
    return "\n".join(pieces)
