"""Candidates: pyreqwest, that is reqwest in Rust, with HTTP/1.1 or HTTP/2."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pyreqwest.client import ClientBuilder  # type: ignore[import-not-found] # in the environment of the benchmark only

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

_READ_AHEAD: Final = 1
"""Bytes it waits for before it hands over the head. Its default of 64 KB holds back events; neither costs less CPU."""
_WINDOW: Final = 4 * PIECE
"""Bytes of a stream under way in HTTP/2; the default of 64 KB would wait for the other side all the time."""
_ALL_WINDOWS: Final = 16 * _WINDOW


class Client:
    """Its event loop is a thread of its own, in Rust."""

    def __init__(self, target: Target) -> None:
        builder = (
            ClientBuilder()
            .follow_redirects(False)
            .no_proxy()
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .default_headers(HEADERS)
            .connect_timeout(timedelta(seconds=CONNECT_S))
            .read_timeout(timedelta(seconds=READ_S))
            .pool_idle_timeout(timedelta(seconds=KEEPALIVE_S))
        )
        if target.http2:
            builder = builder.http2(True).http2_initial_stream_window_size(_WINDOW)
            builder = builder.http2_initial_connection_window_size(_ALL_WINDOWS)
        if target.authority:
            builder = builder.add_root_certificate_pem(target.authority.read_bytes())
        self._origin = target.origin
        self._client = builder.build()

    async def post(self, ask: Post, write: Write) -> Answer:
        """As the contract says."""
        asked = self._client.post(self._origin + ask.path).headers(head(ask))
        whole = len(ask.body) <= PIECE
        asked = asked.body_bytes(ask.body) if whole else asked.body_stream(pieces(ask.body))
        async with asked.streamed_read_buffer_limit(_READ_AHEAD).build_streamed() as response:
            reader = response.body_reader
            while (chunk := await reader.read_chunk()) is not None:
                write(memoryview(chunk))
            return Answer(response.status, response.get_header("content-type") or "")

    async def close(self) -> None:
        """As the contract says."""
        await self._client.close()
