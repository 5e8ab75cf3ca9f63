"""Worker: one of several processes that serve side by side. The supervisor starts it, as
``python -m app.serving.worker PLACE DESCRIPTOR FOLDER``, hands it its settings and keeps a pipe to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import socket
import sys
from pathlib import Path

from app.log import set_up_logging
from app.serving.garbage import set_aside, settle_down
from app.settings import Settings
from app.shared_metrics import join

BEAT_S = 1.0
"""Between two signs of life."""
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main() -> int:
    """Serve until the pipe ends or a signal comes; the exit code."""
    place, descriptor, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    set_up_logging(worker=place)
    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301 - the supervisor wrote it
    shared = join(folder, place)  # before anything makes a metric

    with set_aside():
        from app.catalog.files import CatalogError
        from app.draining import Draining
        from app.main import StartError, create_app
        from app.serving.heap import hold_on
        from app.serving.server import DrainingServer

    hold_on(settings.gateway_reply_memory)
    draining = Draining()
    try:
        app = create_app(settings, draining=draining, shared=shared)
    except (StartError, CatalogError) as failed:
        _report(str(failed))
        return 1

    def ready() -> None:
        asyncio.get_running_loop().add_reader(_STDIN, supervisor_left)
        settle_down()
        _beat(_report(None))

    def supervisor_left() -> None:
        # Nothing more is ever written into the pipe: this is its end.
        asyncio.get_running_loop().remove_reader(_STDIN)
        server.all_leave()

    supervisor = os.getppid()
    server = DrainingServer(app, draining, settings, one_of_several=True, on_ready=ready)
    with socket.socket(fileno=descriptor) as listener:
        server.run(sockets=[listener])
    if os.getppid() != supervisor:
        shared.leave()
    return 0 if server.started else 1


def _report(failure: str | None) -> int:
    """Tell the supervisor, and keep its pipe for it alone: what else is written to standard output goes to the log."""
    pipe = os.dup(_STDOUT)
    os.set_blocking(pipe, False)
    os.dup2(_STDERR, _STDOUT)
    os.write(pipe, json.dumps({"failure": failure}).encode() + b"\n")
    return pipe


def _beat(pipe: int) -> None:
    """Say every second that the event loop runs."""
    with contextlib.suppress(OSError):  # the supervisor is gone, or does not read
        os.write(pipe, b".")
    asyncio.get_running_loop().call_later(BEAT_S, _beat, pipe)


if __name__ == "__main__":
    sys.exit(main())
