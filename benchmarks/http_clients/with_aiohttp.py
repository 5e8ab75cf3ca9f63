"""Candidate: aiohttp, set as our transport sets it."""

from __future__ import annotations

import ssl

import aiohttp
from yarl import URL

from benchmarks.http_clients.contract import (
    CONNECT_S,
    HEADERS,
    KEEPALIVE_S,
    PIECE,
    READ_AHEAD,
    READ_S,
    Answer,
    Post,
    Target,
    Write,
    head,
    pieces,
)


def session(target: Target) -> aiohttp.ClientSession:
    """A pool without a cap, which keeps no cookies and asks no environment for a proxy."""
    verify = ssl.create_default_context(cafile=target.authority) if target.authority else True
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ssl=verify),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=READ_S),
        read_bufsize=READ_AHEAD,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        headers=HEADERS,
    )


class Client:
    """The plain client."""

    def __init__(self, target: Target) -> None:
        self._origin = target.origin
        self._session = session(target)

    async def post(self, ask: Post, write: Write) -> Answer:
        """As the contract says."""
        data = ask.body if len(ask.body) <= PIECE else pieces(ask.body)
        url = URL(self._origin + ask.path, encoded=True)
        async with self._session.post(url, data=data, headers=head(ask), allow_redirects=False) as response:
            while chunk := await response.content.readany():
                write(chunk)
            return Answer(response.status, response.headers.get("content-type", ""))

    async def close(self) -> None:
        """As the contract says."""
        await self._session.close()
