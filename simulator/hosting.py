"""Serving the simulator: one event loop, a plain port and, when wanted, a TLS port for fal."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
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


def plain_server(app: ASGIApp, settings: SimulatorSettings) -> Server:
    """All four vendors, on the plain port."""
    return Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def tls_server(app: ASGIApp, settings: SimulatorSettings) -> Server:
    """fal at the root, on the TLS port."""
    context = certificate(settings.ca_file)
    return Server(
        uvicorn.Config(
            FalAtRoot(app),
            host=settings.host,
            port=DEFAULT_TLS_PORT if settings.tls_port is None else settings.tls_port,
            ssl_context_factory=lambda _config, _default: context,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            lifespan="off",
        )
    )


async def serve(settings: SimulatorSettings) -> None:
    """Serve until SIGINT or SIGTERM. OSError when a port cannot be had."""
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    app = create_app(settings)
    servers = [plain_server(app, settings)]
    if settings.tls_port is not None or settings.ca_file is not None:
        servers.append(tls_server(app, settings))

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    running = [asyncio.create_task(server.serve()) for server in servers]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        stop()
        await asyncio.gather(*running)
        for task in done:
            task.result()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def announcement(settings: SimulatorSettings) -> str:
    """What is served where, in a few lines for a person."""
    origin = f"http://{settings.host}:{settings.port}"
    lines = [
        (f"Simulated vendors: no real model answers here, and nothing is paid. Time runs {settings.time_scale:g} times"
        f" as fast as at the vendors (time scale {settings.time_scale:g}); seed {settings.seed}."),
        f"  Gemini API  {origin}/gemini",
        f"  Vertex AI   {origin}/vertex   (token_uri {origin}/vertex/token)",
        f"  fal         {origin}/fal      (direct calls {origin}/fal-run)",
        f"  Replicate   {origin}/replicate",
        f"  control     {origin}/_control/faults, settings, books, requests, reset",
    ]
    if settings.tls_port is not None or settings.ca_file is not None:
        host = f"localhost:{settings.tls_port or DEFAULT_TLS_PORT}"
        lines.append(f"  fal, TLS    https://{host}   (FAL_QUEUE_RUN_HOST={host} FAL_RUN_HOST={host}/fal-run)")
        if settings.ca_file is not None:
            lines.append(f"              SSL_CERT_FILE={settings.ca_file}")
    return "\n".join(lines)
