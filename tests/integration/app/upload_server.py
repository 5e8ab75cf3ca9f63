"""A program for tests: the reading of bodies behind a real server. Prints its port; ends when its input does."""

from __future__ import annotations

import hashlib
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.doors.openai_images.bodies import read
from app.doors.openai_images.errors import ApiError
from app.doors.reply import error_response
from app.serving.wire import BoundedProtocol
from providers.workers import Workers


def told(value: Any) -> Any:
    """A document with length and digest in place of each blob."""
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return {"length": value.length, "sha256": hashlib.sha256(value.read()).hexdigest()}


async def echo(request: Request) -> Response:
    """What was read, or the refusal."""
    workers: Workers = request.app.state.workers
    try:
        body = await read(request, workers, Path(sys.argv[1]))
    except ApiError as refused:
        return error_response(refused)
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse({"multipart": body.multipart, "document": await workers.run(told, body.document)})


async def state(request: Request) -> Response:
    """KiB of memory, now and at its peak, and the number of open files of this process."""
    return JSONResponse(_state())


def _state() -> dict[str, int]:
    lines = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    kib = {name: int(value.split()[0]) for name, _, value in lines if name in ("VmHWM", "RssAnon")}
    return {**kib, "files": len(list(Path("/proc/self/fd").iterdir()))}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.workers = Workers()
    yield
    app.state.workers.close()


def main() -> None:
    """Serve as the gateway does."""
    app = Starlette(routes=[Route("/", echo, methods=["POST"]), Route("/state", state)], lifespan=lifespan)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        loop="app.serving.coarse_timers:CoarseLoop",
        http=BoundedProtocol,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    def until_input_ends() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=until_input_ends, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
