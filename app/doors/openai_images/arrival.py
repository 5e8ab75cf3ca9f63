"""A body's arrival: its bytes, counted and timed while they come."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from app.admission.visit import NotAdmittedError, Visit
from app.doors.admitting import visit_of
from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.drain import drain
from app.doors.openai_images.entrance import not_admitted
from app.doors.openai_images.errors import INVALID_REQUEST, ApiError, body_too_large
from app.doors.within import within


class Arrival:
    """One request's body on its way."""

    def __init__(self, request: Request, limits: BodyLimits) -> None:
        self.headers: dict[bytes, bytes] = dict(reversed(request.scope["headers"]))
        """What its sender says of it. Of several headers of a name the first counts."""
        self._request = request
        self._limits = limits
        self._visit = visit_of(request)
        self._begun = False
        self._stalled = False
        self._most = self._arrived = 0
        """Bytes there may be, and those there were."""
        self._stated: int | None = None
        self._began = self._whole_by = self._quick_by = self._until = 0.0
        """On the loop's clock: when it began, when it must have ended, when the next bytes must have come for its pace,
        and when they must for all that."""
        self.whole = False
        """It has ended, or as many bytes have come as were stated: the server hands over no more of this body."""

    def begin(self, most: int) -> None:
        """Begin to read. Raises ApiError where more than ``most`` bytes are stated: a stated length is believed when it
        is too much, never otherwise."""
        if self._visit is not None:
            most = min(most, self._visit.largest_body)
        length = self.headers.get(b"content-length", b"")
        stated = self._stated = int(length[:20]) if length.isdigit() else None
        if stated is not None and stated > most:
            raise body_too_large(most)
        self._begun = True
        self.whole = stated == 0
        self._most = most
        self._began = asyncio.get_running_loop().time()

    async def piece(self) -> bytes:
        """The next bytes; none at the end. Raises ApiError when there are too many or they take too long,
        ClientDisconnect when the sender leaves.

        While the budget has no room for more, none is read, and the time does not count.
        """
        most = self._most
        while not self.whole:
            if self._visit is not None and self._arrived < most and not self._visit.may_read():
                self._began += await self._room(self._visit)
            try:
                message = await within(self._seconds_left, self._request.receive())
            except TimeoutError:
                self._stalled = True
                raise self._too_slow() from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece: bytes = message.get("body", b"")
            self._arrived += len(piece)
            self.whole = self._arrived == self._stated or not message.get("more_body", False)
            if self._arrived > most:
                raise body_too_large(most)
            if piece:
                return piece
        return b""

    async def drained(self) -> bool:
        """Drop what still comes of a refused body; whether its end was reached. If not, the connection must close.

        Nothing is read from a client that fell silent, nor from one that waits to be told to send its body.
        """
        if self.whole or self._stalled:
            return self.whole
        return await drain(self._request, begun=self._begun)

    def _seconds_left(self) -> float:
        """Seconds that the next bytes may take."""
        limits, now = self._limits, asyncio.get_running_loop().time()
        self._whole_by = self._began + limits.seconds
        self._quick_by = self._began + limits.grace_s + self._arrived / limits.bytes_per_s
        self._until = min(self._whole_by, self._quick_by, now + limits.silence_s)
        return self._until - now

    def _too_slow(self) -> ApiError:
        limits = self._limits
        if self._until == self._whole_by:
            why = f"did not arrive within {limits.seconds:g} s"
        elif self._until == self._quick_by:
            why = f"comes too slowly: after {limits.grace_s:g} s it must come at {limits.bytes_per_s:,} bytes a second"
        else:
            why = f"stopped arriving: nothing came for {limits.silence_s:g} s"
        return ApiError(408, f"The request body {why}.", type=INVALID_REQUEST, code="request_timeout")

    @staticmethod
    async def _room(visit: Visit) -> float:
        """Seconds it took until there was room for more."""
        try:
            return await visit.room()
        except NotAdmittedError as refused:
            raise not_admitted(refused, visit.limits) from None
