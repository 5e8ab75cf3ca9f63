"""The wire: uvicorn's HTTP/1.1 protocol, with the bounds it lacks, and reading requests that offer an upgrade.

uvicorn puts no bound on a request's head: one that never ends would fill the memory, and one that never comes would
hold its connection, both before a key is asked for. It also drops the body of a request that offers to speak HTTP/2
instead (``Upgrade: h2c``, which Java's HttpClient sends with its first request); the offer may be ignored (RFC 9110,
section 7.8).
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.doors.openai_images.errors import INVALID_REQUEST, ApiError

HEAD_BYTES = 64 * 1024
"""Of a request's line and header lines, and of anything else that brings no body, such as trailers. Proxies stop at 8
to 32 KiB. What is read from a socket at once (256 KiB) may come on top."""
HEAD_SECONDS = 60.0
"""For the head, from its first byte, and for a new connection's first byte; nginx gives as much."""
_OF_AN_UPGRADE = frozenset({b"upgrade", b"connection", b"http2-settings"})


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Handed to uvicorn as its ``http`` class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fruitless = 0
        """Bytes since any that ended a head or a request, or were body."""
        self._offered = False
        """The head that was just read offers an upgrade."""
        self._head_timer: asyncio.TimerHandle | None = None

    @property
    def fresh(self) -> bool:
        """Nothing has come on it yet."""
        return self.cycle is None and not self._fruitless

    @property
    def arriving(self) -> bool:
        """A request's head has begun to come and is not there yet."""
        return self._fruitless > 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of any number of requests."""
        self._unset_keepalive_if_required()
        self._fruitless += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "This is no HTTP request that can be read.", "invalid_request")
        else:
            if self._fruitless > HEAD_BYTES:
                self._refuse(431, f"The request's header is larger than {HEAD_BYTES:,} bytes.", "header_too_large")

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is read; unless it offers an upgrade the request is handed on."""
        self._fruitless = 0
        self._head_is_there()
        self._offered = self.parser.should_upgrade()
        if not self._offered:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Bytes of the body."""
        self._fruitless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is read to its end."""
        self._fruitless = 0
        if not self._offered:
            super().on_message_complete()

    def _without_upgrade(self, rest: bytes) -> None:
        """Read the head again without its offer, then what comes behind it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(400, "This is no proxy: CONNECT is not answered.", "invalid_request")
            return
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % header for header in self.headers if header[0] not in _OF_AN_UPGRADE]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _expect_head(self) -> None:
        self._head_is_there()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._refuse(408, f"The request's header did not come within {HEAD_SECONDS:g} s.", "request_timeout")

    def _refuse(self, status: int, message: str, code: str) -> None:
        """Say why, unless an answer is on its way, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            body = ApiError(status, message, type=INVALID_REQUEST, code=code).body()
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
