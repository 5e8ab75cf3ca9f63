"""Connections: the HTTP library's pool, which gives out no connection on which something came that nobody asked for.

The library puts a connection back as soon as a reply's last byte is there, and looks at what came behind that byte only
then. A second reply would lie there as the answer to the next request: somebody else's image, in place of the one that
was paid for.
"""

from __future__ import annotations

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

_MOST = 100
"""Connections given up before a request is: a server that speaks first on each would be connected to without end."""


class Connections(aiohttp.TCPConnector):
    """As the library's, but for that."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the library's signature
    ) -> Connection:
        """A connection for this request. Raises what the library does."""
        for _ in range(_MOST):
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or not protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ServerDisconnectedError
