"""Serve: the application on a socket, until a signal asks it to stop."""

from __future__ import annotations

import asyncio
import importlib
import signal
import socket
from collections.abc import Callable

from app.admission.descriptors import raise_limit
from app.admission.limits import too_few_descriptors
from app.draining import Draining
from app.main import StartError, create_app
from app.serving.garbage import settle_down
from app.serving.heap import hold_on
from app.serving.supervisor import Supervisor
from app.settings import Settings
from app.shared_metrics import stay_alone

BACKLOG = 2048
"""Connections that may wait to be accepted; the system allows no more than net.core.somaxconn."""
_NEEDED = ("uvloop", "httptools")


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartError or CatalogError when that is not possible."""
    demand_fast_parts()
    from app.serving.server import WIND_UP_SECONDS, DrainingServer  # imports what was just asked for

    descriptors = raise_limit()  # workers inherit it

    def serving(address: str, how: str = "") -> None:
        if (too_few := too_few_descriptors(settings.gateway_max_in_flight, descriptors)) is not None:
            say(too_few)
        say(f"Serving the OpenAI Images API on {address}/v1{how}")

    if settings.gateway_workers > 1:
        _serve_with_workers(settings, serving, WIND_UP_SECONDS)
        return
    stay_alone()
    hold_on(settings.gateway_reply_memory)
    draining = Draining()
    app = create_app(settings, draining=draining)
    listener = listening(settings.gateway_host, settings.gateway_port)
    serving(address_of(listener))
    server = DrainingServer(app, draining, settings, on_ready=settle_down)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, server.handle_exit)  # else a closed terminal would leave jobs with vendors running
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()


def _serve_with_workers(settings: Settings, serving: Callable[[str, str], None], wind_up_s: float) -> None:
    if settings.redis_url is None:
        raise StartError(
            f"GATEWAY_WORKERS={settings.gateway_workers} needs REDIS_URL, because without it every worker would learn, "
            "limit and break circuits by itself: set REDIS_URL, or GATEWAY_WORKERS=1."
        )
    listener = listening(settings.gateway_host, settings.gateway_port)
    address = address_of(listener)

    def all_serve() -> None:
        serving(address, f" with {settings.gateway_workers} workers")

    limit_s = settings.gateway_drain_delay_s + settings.gateway_drain_seconds + wind_up_s
    with listener:
        if not asyncio.run(Supervisor(settings, listener, leave_limit_s=limit_s).run(all_serve)):
            raise SystemExit(1)


def demand_fast_parts() -> None:
    """Raises StartError when what serving is fast with is missing: without it a request costs up to four times as much,
    which nobody would notice before the bill."""
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            raise StartError(
                f"{name} cannot be imported, and the gateway does not serve without it, for it would be several times "
                f"slower: install what requirements.lock lists (pip install {name})."
            ) from None


def address_of(listener: socket.socket) -> str:
    """The URL a listening socket is reached by."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises StartError."""
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
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as refused:
        listener.close()
        raise StartError(
            f"The gateway cannot listen on {host}:{port} ({refused.strerror}): set GATEWAY_PORT or GATEWAY_HOST."
        ) from None
    return listener
