"""Contract: as much of an HTTP client as our transport needs. Every candidate is put behind it and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

PIECE: Final = 256 * 1024
"""Bytes of a body sent at a time; the same as in our transport."""
READ_AHEAD: Final = 64 * 1024
"""Bytes of a reply that may wait to be taken; the same as in our transport."""
CONNECT_S: Final = 10.0
READ_S: Final = 300.0
KEEPALIVE_S: Final = 15.0
HEADERS: Final = {"User-Agent": "image-gateway", "Accept-Encoding": "identity"}
"""Sent with every request."""
Write = Callable[[bytes | memoryview], None]
"""Takes bytes of a reply. What it raises comes out of ``post``."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked, and how."""

    origin: str
    authority: Path | None = None
    """PEM of who signed the server's certificate; None for plain HTTP."""
    spool: Path | None = None
    """Where large replies lie."""
    http2: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """One request. A body longer than a piece goes out piece by piece, with its length told beforehand."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a reply whose body was written."""

    status: int
    content_type: str


class Client(Protocol):
    """A candidate with a pool of its own, made inside a running event loop."""

    async def post(self, ask: Post, write: Write) -> Answer:
        """Send it, hand the body of the reply to ``write`` as it comes. Raises what the library raises."""

    async def close(self) -> None:
        """Close every connection."""


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """A body as our transport hands out one that lies in a file: piece by piece."""
    view = memoryview(body)
    for start in range(0, len(view), PIECE):
        yield bytes(view[start : start + PIECE])


def head(ask: Post) -> dict[str, str]:
    """All headers of a request but those a client must add itself."""
    return {**ask.headers, "Content-Type": "application/json", "Content-Length": str(len(ask.body))}
