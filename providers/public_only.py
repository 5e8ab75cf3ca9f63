"""Connections to public addresses only: names are looked up once, and what was judged is what is connected to.

Two checks, because a name is judged where it is looked up and an address may come without a look-up: the resolver hands
out public addresses only, and no socket is made for any other. A name that leads to public and other addresses is asked
at the public ones: an attacker gains nothing by naming both, and names that do exist (see ``docs/decisions``).
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from providers.addresses import is_public
from providers.connections import Connections

_LOOK_UPS = 16
"""Names looked up at once. In threads of their own: a name whose servers never answer holds one for up to half a
minute, and whoever names such hosts must not keep the gateway from looking up its vendors."""
_ADDRESSES = 8
"""Of one name, tried at most."""


class PublicOnlyResolver(AbstractResolver):
    """Looks a name up once and hands out its public addresses only."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of ``host``. Raises OSError when none of them is public."""
        asked = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        addresses = dict.fromkeys(str(address[0]) for *_, address in found)
        public = [address for address in addresses if is_public(address)]
        if not public:
            raise OSError(None, "the host has no public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in public[:_ADDRESSES]
        ]

    async def close(self) -> None:
        """Look up nothing more; what is being looked up ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def public_socket(place: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for a connection to this place. Raises OSError where it is not a public address."""
    family, kind, protocol, _, address = place
    if not is_public(str(address[0])):
        raise OSError(None, "the address is not a public one")
    return socket.socket(family=family, type=kind, proto=protocol)


def public_only(*, limit: int, keepalive_s: float) -> Connections:
    """What makes the connections of a client that asks for URLs from outside. ``limit``: open at once; 0: any number.

    A connection that is kept leads where it was made to, so using it again needs no second look.
    """
    return Connections(
        limit=limit, keepalive_timeout=keepalive_s, resolver=PublicOnlyResolver(), socket_factory=public_socket
    )
