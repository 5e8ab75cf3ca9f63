"""Candidate: httpx on top, aiohttp below."""

from __future__ import annotations

from httpx_aiohttp import AiohttpTransport  # type: ignore[import-not-found] # in the environment of the benchmark only

from benchmarks.http_clients import with_aiohttp, with_httpx
from benchmarks.http_clients.contract import Target


class Client(with_httpx.Client):
    """httpx with a session of aiohttp, which is set as our transport sets it."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, AiohttpTransport(client=with_aiohttp.session(target)))
