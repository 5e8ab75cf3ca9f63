"""A body that is fetched while it is sent: the next piece is asked for when the server took the one before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.doors.reply import send_in_time


class StreamedResponse(Response):
    """An answer of known length, which ``headers`` state. Memory: what ``pieces`` hold, whatever the length."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], *, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status_code=status, headers=dict(headers))
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the pieces until all are sent or the client has left, of which sending would tell nothing.

        Raises ClientTooSlowError when the client takes too long over a piece, and what the pieces raise.
        """
        leaving = asyncio.create_task(_left(receive))
        try:
            async with aclosing(self._pieces) as pieces:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async for piece in pieces:
                    if leaving.done():
                        return
                    await send_in_time(send, {"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
