"""How answers travel when something goes wrong: a byte at a time, cut off, or never."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from simulator.faults import Kind, Strike

DRIP_SECONDS = 0.5
"""Real seconds between two bytes of a dripping body, unless the fault says otherwise (``interval_s``)."""
FOREVER = 1e9


class ClientGone(Exception):
    """The client closed the connection before its answer was ready."""


async def until_gone(receive: Receive) -> None:
    """Return when the client has closed the connection. The request's body must have been read before."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def or_gone(request: Request, work: Awaitable[None]) -> None:
    """Wait for the work; ClientGone as soon as the client leaves, the work then being cancelled."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientGone
        doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def wait_or_gone(request: Request, seconds: float) -> None:
    """Sleep; ClientGone when the client leaves first."""
    await or_gone(request, asyncio.sleep(seconds))


class Slow(Response):
    """A complete body that arrives one byte at a time."""

    def __init__(self, plain: Response, interval: float) -> None:
        self._plain = plain
        self._interval = interval
        super().__init__(status_code=plain.status_code)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until the client leaves."""
        request = Request(scope, receive)
        body = bytes(self._plain.body)
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": list(self._plain.raw_headers)}
        )

        async def trickle() -> None:
            for place in range(len(body)):
                last = place == len(body) - 1
                await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": not last})
                if not last:
                    await asyncio.sleep(self._interval)

        try:
            await or_gone(request, trickle())
        except ClientGone:
            return


class CutOff(Response):
    """A body that ends before the length it announced: the server drops the connection in the middle."""

    def __init__(self, plain: Response) -> None:
        self._plain = plain
        super().__init__(status_code=plain.status_code)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send half; returning without the rest makes the server close the connection."""
        body = bytes(self._plain.body)
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": list(self._plain.raw_headers)}
        )
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.01)


class Nothing(Response):
    """For a client that has gone: nobody reads it."""

    def __init__(self) -> None:
        super().__init__(status_code=499)


def bad_gateway(headers: Mapping[str, str] | None = None) -> Response:
    """The page of an edge server in front of the vendor; says nothing of the vendor's own protocol."""
    page = (
        "<html><head><title>502 Bad Gateway</title></head>"
        "<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>"
    )
    return HTMLResponse(page, 502, headers=headers)


def travelling(strike: Strike | None, plain: Response) -> Response:
    """The answer as the fault lets it travel."""
    if strike is not None and strike.kind is Kind.DRIP:
        return Slow(plain, strike.number("interval_s", DRIP_SECONDS))
    if strike is not None and strike.kind is Kind.RESET:
        return CutOff(plain)
    return plain


Endpoint = Callable[[Request], Awaitable[Response]]
