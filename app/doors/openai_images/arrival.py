"""A body's arrival: its bytes, counted and timed while they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request

from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.drain import drain
from app.doors.openai_images.errors import INVALID_REQUEST, ApiError, body_too_large


class Arrival:
    """One request's body on its way."""

    def __init__(self, request: Request, limits: BodyLimits) -> None:
        self._request = request
        self._limits = limits
        self._begun = False
        self._stalled = False

    async def pieces(self, most: int) -> AsyncGenerator[bytes, None]:
        """The bytes as they come. Raises ApiError when there are more than ``most`` or they take too long,
        ClientDisconnect when the sender leaves.

        A stated length is believed when it is too much, never otherwise.
        """
        stated = self._request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and int(stated[:20]) > most:
            raise body_too_large(most)
        self._begun = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.seconds
        arrived = 0
        async with aclosing(self._request.stream()) as stream:
            while True:
                until = min(deadline, loop.time() + self._limits.silence_s)
                try:
                    async with asyncio.timeout_at(until):
                        piece = await anext(stream, None)
                except TimeoutError:
                    self._stalled = True
                    raise self._too_slow(whole=until == deadline) from None
                if piece is None:
                    return
                arrived += len(piece)
                if arrived > most:
                    raise body_too_large(most)
                if piece:
                    yield piece

    async def drained(self) -> bool:
        """Drop what still comes of a refused body; whether its end was reached. If not, the connection must close.

        Nothing is read from a client that fell silent, nor from one that waits to be told to send its body.
        """
        return False if self._stalled else await drain(self._request, begun=self._begun)

    def _too_slow(self, *, whole: bool) -> ApiError:
        seconds = self._limits.seconds if whole else self._limits.silence_s
        what = "did not arrive within" if whole else "stopped arriving: nothing came for"
        return ApiError(408, f"The request body {what} {seconds:g} s.", type=INVALID_REQUEST, code="request_timeout")
