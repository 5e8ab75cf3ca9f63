"""Candidates: httpx over its own transport, with HTTP/1.1 or HTTP/2."""

from __future__ import annotations

import ssl

import httpx

from benchmarks.http_clients.contract import (
    CONNECT_S,
    HEADERS,
    KEEPALIVE_S,
    PIECE,
    READ_S,
    Answer,
    Post,
    Target,
    Write,
    head,
    pieces,
)


class Client:
    """``transport``: another than httpx's own."""

    def __init__(self, target: Target, transport: httpx.AsyncBaseTransport | None = None) -> None:
        verify = ssl.create_default_context(cafile=target.authority) if target.authority else True
        self._client = httpx.AsyncClient(
            base_url=target.origin,
            headers=HEADERS,
            verify=verify,
            http2=target.http2,
            transport=transport,
            trust_env=False,
            timeout=httpx.Timeout(connect=CONNECT_S, read=READ_S, write=READ_S, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEPALIVE_S),
        )

    async def post(self, ask: Post, write: Write) -> Answer:
        """As the contract says."""
        content = ask.body if len(ask.body) <= PIECE else pieces(ask.body)
        async with self._client.stream("POST", ask.path, content=content, headers=head(ask)) as response:
            async for chunk in response.aiter_raw():
                write(chunk)
            return Answer(response.status_code, response.headers.get("content-type", ""))

    async def close(self) -> None:
        """As the contract says."""
        await self._client.aclose()
