"""Fetching what a caller's URL leads to: from public addresses over https, bare, bounded in bytes and time.

A caller names these URLs, so they are the way to make the gateway ask for something its caller cannot reach. No
credential and no cookie goes along; every redirect is judged like the first URL; the address that was judged is the one
connected to.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from providers.blobs import MemoryBlob
from providers.connections import Connections
from providers.outside import RefusedUrlError, judged
from providers.public_only import public_only
from providers.spec.blob import Blob
from providers.spool import BodyTooLargeError, Spool

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 256 * 1024
_KEEPALIVE_S = 15.0
_UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_HEADERS = {"User-Agent": "image-gateway", "Accept": "image/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bytes, seconds, and how much at once."""

    body_bytes: int = 50 * 1024 * 1024
    """What OpenAI takes for one input image."""
    seconds: float = 20.0
    """For one URL with its redirects. A caller waits for the image to be made as well; 50 MiB in it are 21 Mbit/s."""
    connect_s: float = 10.0
    connections: int = 64
    """Open at once, whoever asked: a bound on sockets. A fetch waits for one within its seconds."""


class Unfetchable(Exception):
    """What the URL leads to cannot be had. ``reason`` is a clause in our words, without any part of the URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fetcher:
    """Fetches input images. ``allow_private`` admits plain http and any address: for tests and trusted callers."""

    def __init__(
        self, spool_dir: Path | None = None, *, allow_private: bool = False, limits: FetchLimits | None = None
    ) -> None:
        self._spool_dir = spool_dir
        self._allow_private = allow_private
        self._limits = limits or FetchLimits()
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def fetch(self, url: str) -> Blob:
        """The bytes at ``url``; their media type is what the server says and proves nothing.

        Raises Unfetchable, and SpoolFailedError when our own disk takes no more.
        """
        limits = self._limits
        try:
            async with asyncio.timeout(limits.seconds):
                return await self._followed(url)
        except BodyTooLargeError:
            failed = Unfetchable(f"it has more than {limits.body_bytes:,} bytes")
        except TimeoutError:
            failed = Unfetchable(f"it did not come within {limits.seconds:g} seconds")
        except aiohttp.ClientSSLError:
            failed = Unfetchable("its server has no certificate that can be trusted")
        except aiohttp.ClientConnectorError:
            failed = Unfetchable("no connection to a public address could be made")
        except (aiohttp.ClientError, OSError, ValueError):
            failed = Unfetchable("the connection broke")
        # Not raised above, where the library's error would stay its context: that one holds the URL.
        raise failed

    async def _followed(self, text: str) -> Blob:
        url = self._judged(text)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._opened().get(url, allow_redirects=False) as response:
                location = response.headers.get("location")
                if response.status in _REDIRECTS and location is not None:
                    url = self._judged(location, base=url)
                    continue
                return await self._body(response)
        raise Unfetchable(f"it redirects more than {MAX_REDIRECTS} times")

    async def _body(self, response: aiohttp.ClientResponse) -> Blob:
        if response.status != 200:
            raise Unfetchable(f"the server answered {response.status}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unfetchable("the server compressed its answer though it was asked not to")
        media_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if _labelled_otherwise(media_type):
            raise Unfetchable("the server does not call it an image")
        if (response.content_length or 0) > self._limits.body_bytes:
            raise BodyTooLargeError
        spool = Spool(self._spool_dir, limit=self._limits.body_bytes)
        try:
            async for chunk in response.content.iter_any():
                spool.write(chunk)
            body = spool.finish()
        finally:
            spool.close()
        return MemoryBlob(body if isinstance(body, bytes) else memoryview(body), media_type)

    def _judged(self, text: str, base: URL | None = None) -> URL:
        """The URL, if it may be asked for. Raises Unfetchable."""
        try:
            return judged(text, base=base, anywhere=self._allow_private)
        except RefusedUrlError as refused:
            raise Unfetchable(refused.reason) from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unfetchable("the gateway is shutting down")
        if self._session is None:
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=(
                    Connections(limit=limits.connections, keepalive_timeout=_KEEPALIVE_S)
                    if self._allow_private
                    else public_only(limit=limits.connections, keepalive_s=_KEEPALIVE_S)
                ),
                timeout=aiohttp.ClientTimeout(total=limits.seconds, sock_connect=limits.connect_s),
                read_bufsize=_CHUNK,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers=_HEADERS,
            )
        return self._session

    async def close(self) -> None:
        """Close every connection. What is fetched later is Unfetchable."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _labelled_otherwise(media_type: str) -> bool:
    """Whether what comes says that it is something else than a picture. Stores that know no better call it octets."""
    return media_type not in _UNTYPED and not media_type.startswith("image/")
