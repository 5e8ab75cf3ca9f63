"""Serving the simulator: one event loop, a plain port and, when wanted, a TLS port for fal."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import trustme
import uvicorn
from starlette.types import ASGIApp

from simulator.server import FalAtRoot, create_app
from simulator.settings import SimulatorSettings

DEFAULT_TLS_PORT = 9443
NAMES = ("localhost", "queue.localhost", "127.0.0.1", "::1")
GRACE_S = 1
"""Seconds that running answers get when the simulator stops."""
KEEP_ALIVE_S = 75
"""Seconds an idle connection is kept, about as long as vendors' load balancers do. The library's default of 5 is just
what a client told to wait 5 s comes back after: it would find its connection closed under its next request."""


class Server(uvicorn.Server):
    """A uvicorn server whose signals somebody else handles."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def certificate(ca_file: Path | None) -> ssl.SSLContext:
    """A fresh authority and a certificate of it; the authority's own is written to ``ca_file``."""
    authority = trustme.CA()
    leaf = authority.issue_cert(*NAMES)
    if ca_file is not None:
        ca_file.parent.mkdir(parents=True, exist_ok=True)
        authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 for any free one. OSError when it cannot be had.

    Its connections send at once: otherwise the second answer on a connection waits 40 ms for the client's delayed
    acknowledgement, as asyncio sets the option only on sockets that were made with the protocol's number.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _sending_at_once(socket.create_server((host, port), family=family))


def taken_over(descriptor: int) -> socket.socket:
    """The listening socket a parent left open, which sends at once too. OSError when it is none."""
    inherited = socket.socket(fileno=descriptor)
    if not inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(errno.EINVAL, f"descriptor {descriptor} is no listening socket")
    return _sending_at_once(inherited)


def _sending_at_once(listener: socket.socket) -> socket.socket:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _server(app: ASGIApp, tls: ssl.SSLContext | None = None) -> Server:
    return Server(
        uvicorn.Config(
            app,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            lifespan="off",
        )
    )


async def serve(settings: SimulatorSettings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; says what is served where once the ports are open.

    The end of standard input is an end too when the settings say so. OSError when a port cannot be had.
    """
    app = create_app(settings)
    given = settings.listen_fd
    listeners = [listening(settings.host, settings.port) if given is None else taken_over(given)]
    servers = [_server(app)]
    settings = replace(settings, port=listeners[0].getsockname()[1])
    if settings.tls_port is not None or settings.ca_file is not None:
        try:
            port = DEFAULT_TLS_PORT if settings.tls_port is None else settings.tls_port
            listeners.append(listening(settings.host, port))
            servers.append(_server(FalAtRoot(app), certificate(settings.ca_file)))
        except OSError:
            for listener in listeners:
                listener.close()
            raise
        settings = replace(settings, tls_port=listeners[1].getsockname()[1])

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if settings.exit_with_stdin:
        threading.Thread(target=_at_end_of_input, args=(loop, stop), daemon=True, name="stdin").start()
    announce(announcement(settings))
    await asyncio.gather(
        *(server.serve(sockets=[listener]) for server, listener in zip(servers, listeners, strict=True))
    )


def _at_end_of_input(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Read standard input to its end, which is also the end of whoever holds the other side, and stop."""
    with contextlib.suppress(OSError):  # closed, which is an end too
        while os.read(0, 65_536):
            continue
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop)


def announcement(settings: SimulatorSettings) -> str:
    """What is served where, in a few lines for a person."""
    origin = f"http://{settings.host}:{settings.port}"
    lines = [
        "Simulated vendors: no real model answers here, and nothing is paid.",
        f"Time scale {settings.time_scale:g}: so many times faster than at the vendors. Seed {settings.seed}.",
        f"  Gemini API  {origin}/gemini",
        f"  Vertex AI   {origin}/vertex   (token_uri {origin}/vertex/token)",
        f"  fal         {origin}/fal      (direct calls {origin}/fal-run)",
        f"  Replicate   {origin}/replicate",
        f"  control     {origin}/_control/faults, settings, books, requests, reset",
    ]
    if settings.tls_port is not None:
        host = f"localhost:{settings.tls_port}"
        hosts = f"FAL_QUEUE_RUN_HOST={host} FAL_RUN_HOST={host}/fal-run"
        lines.append(f"  fal, TLS    https://{host}   ({hosts})")
        if settings.ca_file is not None:
            lines.append(f"              SSL_CERT_FILE={settings.ca_file}")
    return "\n".join(lines)
