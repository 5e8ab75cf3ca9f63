"""An internet for tests: names, addresses and a certificate authority.

Stood in for are the system's ``getaddrinfo`` and the last step of ``connect``; all that is above them is real, and TLS.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

HERE = "93.184.216.34"
"""Where most tests' servers are, as far as anybody can tell."""
ELSEWHERE = "8.8.4.4"


@dataclass(slots=True)
class Internet:
    """What is known by which name, what answers at which address, and what was asked."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    """Answers to one look-up after another; the last one stays. Names not listed lead to ``HERE``."""
    ports: dict[str, int] = field(default_factory=dict)
    """Loopback ports of what answers at an address; nothing answers elsewhere."""
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    """Addresses that were connected to, in order, whether anybody answered there or not."""
    while_asked: Callable[[str], None] = lambda _name: None
    """Called in the thread that looks a name up."""

    def serving(self, *names: str, **how: Any) -> ssl.SSLContext:
        """TLS for a server with a certificate of the authority all clients trust."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names, **how).configure_cert(context)
        return context

    def look_up(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        """What stands in for ``getaddrinfo``."""
        name = str(host)
        self.asked.append(name)
        self.while_asked(name)
        answers = self.names.get(name.rstrip("."), [[HERE]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [_info(address, int(port or 0)) for address in found]


def _info(address: str, port: int) -> Any:
    six = ":" in address
    place = (address, port, 0, 0) if six else (address, port)
    return (socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)


@contextmanager
def internet() -> Iterator[Internet]:
    """While the block runs, the running loop's connections and look-ups lead into it. Loopback stays what it is."""
    made = Internet()
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: Any) -> None:
        made.connected.append(address[0])
        if address[0] == "127.0.0.1":
            await connect(sock, address)
            return
        port = made.ports.get(address[0])
        if port is None or sock.family != socket.AF_INET:
            raise OSError(errno.ECONNREFUSED, "nobody there")
        await connect(sock, ("127.0.0.1", port))

    trusting = ssl.create_default_context()
    made.authority.configure_trust(trusting)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", made.look_up)
        patched.setattr(loop, "sock_connect", sock_connect)
        patched.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        yield made
