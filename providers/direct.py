"""Direct: a small POST, written to a pooled connection at once, past the HTTP library's session.

For each request the session settles anew what is the same for all of them (headers, cookies, proxies, redirects), and
it gives the body to a task of its own: two thirds of all it does for a small one. The library keeps the connections,
their pool, the parser of replies, and every other request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache, partial
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

BODY_BYTES = 32 * 1024
"""A longer body may have to wait until the vendor takes more, which is left to the library."""
_KNOWN = "3.14.5"
"""The version whose connections are known to be usable like this; with any other, the library has all requests."""
_PREPARED = 64
"""Heads that are kept: one for each URL and credential."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What could begin a header of its own."""

_Pairs = tuple[tuple[str, str], ...]


class _Place(aiohttp.ClientRequest):
    """Whom the library has a connection for: a request that is never sent itself."""

    @cached_property
    def connection_key(self) -> Any:
        """What the pool knows it by, worked out once."""
        return super().connection_key


class _Prepared:
    """What requests to one URL have in common. It has a credential in it, so nothing shows its parts."""

    __slots__ = ("after", "before", "place")

    def __init__(self, before: bytes, after: bytes, place: _Place) -> None:
        self.before = before
        """The head up to the body's length."""
        self.after = after
        """And behind it."""
        self.place = place


class DirectReply:
    """A reply's head and the stream of its body; of the library's own responses as much as is used of them. Whoever has
    it releases it."""

    __slots__ = ("connection", "content", "headers", "status")

    def __init__(
        self,
        connection: aiohttp.connector.Connection,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
    ) -> None:
        self.connection = connection
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def content_length(self) -> int | None:
        """As the head states it."""
        stated = self.headers.get("content-length")
        return None if stated is None else int(stated)

    def release(self) -> None:
        """Give the connection back; it is closed when the body was not read to its end."""
        self.connection.release()


class Direct:
    """The small POSTs of one session, which it must not be used for while it is closed."""

    def __init__(self, session: aiohttp.ClientSession, connector: aiohttp.BaseConnector, read_bufsize: int) -> None:
        self._connector = connector
        self._timeout = session.timeout
        self._auto_decompress = session.auto_decompress
        self._read_bufsize = read_bufsize
        self._prepared = lru_cache(_PREPARED)(partial(_prepare, CIMultiDict(session.headers)))

    @staticmethod
    def of(session: aiohttp.ClientSession, read_bufsize: int) -> Direct | None:
        """None where the library must do it all."""
        connector = session.connector
        if connector is None or aiohttp.__version__ != _KNOWN:
            return None
        return Direct(session, connector, read_bufsize)

    async def post(
        self,
        url: URL,
        headers: Mapping[str, str],
        authorization: Mapping[str, str],
        body: bytes,
        *,
        silence_s: float | None,
    ) -> DirectReply:
        """Send ``body`` and wait for the head of the reply. Raises what the session does, ServerTimeoutError among it
        when nothing came for ``silence_s``."""
        prepared = self._prepared(url, tuple(headers.items()), tuple(authorization.items()))
        try:
            connection = await self._connector.connect(prepared.place, traces=[], timeout=self._timeout)
        except TimeoutError as late:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from late
        protocol, transport = connection.protocol, connection.transport
        try:
            if protocol is None or transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=self._auto_decompress,
                read_timeout=silence_s,
                read_bufsize=self._read_bufsize,
            )
            transport.write(b"%b%d%b%b" % (prepared.before, len(body), prepared.after, body))
            if silence_s is not None:
                protocol.start_timeout()
            while True:
                message, content = await protocol.read()
                if not 100 <= message.code <= 199 or message.code == 101:
                    return DirectReply(connection, message.code, message.headers, content)
        except HttpProcessingError as broken:
            connection.close()
            raise aiohttp.ClientPayloadError("the reply is not HTTP") from broken
        except BaseException:
            connection.close()
            raise


def headers_of(
    headers: Iterable[tuple[str, str]], authorization: Iterable[tuple[str, str]], length: int | None
) -> CIMultiDict[str]:
    """What a call adds to the session's headers: its own, and the credential's, which rule over them. ``length``: of
    the body, if there is one."""
    added = CIMultiDict(headers)
    added.update(authorization)
    if length is not None:
        added.setdefault("Content-Type", "application/json")
        added["Content-Length"] = str(length)
    return added


def _prepare(session_headers: CIMultiDict[str], url: URL, headers: _Pairs, authorization: _Pairs) -> _Prepared:
    """As the session would have written it. Raises ValueError for a header that could be several, InvalidURL for a URL
    that says more than where to send it."""
    if url.scheme not in ("http", "https") or url.raw_user is not None or url.raw_password is not None:
        raise aiohttp.InvalidURL(url)
    together = session_headers.copy()
    for name, value in headers_of(headers, authorization, 0).items():
        together[name] = value
    loop = asyncio.get_running_loop()
    request = _Place("POST", url, headers=together, loop=loop)
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    if any(_CONTROL.search(line) for line in lines):
        raise ValueError("a control character in the head of a request")
    before, _, after = "\r\n".join([*lines, "", ""]).partition("\r\nContent-Length: 0\r\n")
    # What UTF-8 cannot say is left out, as the library does: an error would show the head, which has a credential.
    return _Prepared(_encoded(f"{before}\r\nContent-Length: "), _encoded(f"\r\n{after}"), request)


def _encoded(text: str) -> bytes:
    return text.encode(errors="ignore")
