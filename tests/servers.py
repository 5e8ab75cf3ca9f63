"""Servers for tests: an ASGI application under uvicorn on a free loopback port, stopped cleanly afterwards."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn

START_S = 20.0
"""Seconds a server may take to start or to stop."""


@contextmanager
def running(
    app: Any, *, tls: ssl.SSLContext | None = None, http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> Iterator[str]:
    """Serve ``app`` while the block runs; yields its base URL, without a trailing slash.

    Connections still open at the end get one second, then are dropped. RuntimeError when it does not start or stop.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else answers on a kept connection take 40 ms
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        loop="app.serving.coarse_timers:CoarseLoop",
        http=http,
        timeout_keep_alive=75,  # as both servers have it; the default of 5 s closes under a client told to wait 5 s
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name=f"server-{port}")
    thread.start()
    try:
        give_up = time.monotonic() + START_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > give_up:
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_S)
        listener.close()
        if thread.is_alive():
            raise RuntimeError("the server did not stop")
