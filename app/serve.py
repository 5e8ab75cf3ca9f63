"""Serve: the application on a socket, until a signal asks it to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from app.main import StartError, create_app
from app.settings import Settings
from app.wire import BoundedProtocol

GRACE_SECONDS = 30
"""How long requests under way may still finish after a stop signal."""


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartError or CatalogError when that is not possible."""
    app = create_app(settings)
    listener = _listener(settings.gateway_host, settings.gateway_port)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        access_log=False,
        log_level="warning",
        lifespan="on",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    say(f"Serving the OpenAI Images API on http://{shown}:{port}/v1")
    try:
        # uvicorn raises the signal again once it has shut down: SystemExit passes on, an interrupt has done its work.
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        raise StartError(f"GATEWAY_HOST={host} is not an address of this machine.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as refused:
        listener.close()
        raise StartError(
            f"The gateway cannot listen on {host}:{port} ({refused.strerror}): set GATEWAY_PORT or GATEWAY_HOST."
        ) from None
    return listener
