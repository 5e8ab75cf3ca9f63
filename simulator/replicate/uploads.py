"""Replicate's files: an upload whose link can stand in a prediction's input."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.bodies import TooLarge, read_bytes
from simulator.delivery import Endpoint
from simulator.inputs import File
from simulator.origin import origin
from simulator.replicate import errors
from simulator.replicate.predictions import now_by_the_calendar
from simulator.world import World


class Uploads:
    """POST and GET of files."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made = 0
        world.on_reset.append(self._restart)

    def _restart(self) -> None:
        self._made = 0

    def table(self) -> Iterator[tuple[str, str, Endpoint]]:
        """Method, path and endpoint of each route."""
        yield "POST", "/files", self._create
        yield "GET", "/files/{id}", self._get

    async def _create(self, request: Request) -> Response:
        try:
            body = await read_bytes(request)
        except TooLarge as error:
            return errors.problem(413, "Request Entity Too Large", str(error))
        file = await asyncio.to_thread(multipart_file, request.headers.get("content-type", ""), body)
        self._world.remains(request)
        if file is None:
            return errors.problem(422, "Input validation failed", "The part 'content' is missing.")
        self._made += 1
        digest = hashlib.sha256(file.data).hexdigest()
        file_id = f"{digest[:20]}{self._made:06d}"
        self._world.files.keep(file_id, file)
        return JSONResponse(_told(file_id, file, request), 201)

    async def _get(self, request: Request) -> Response:
        file_id = request.path_params["id"]
        file = self._world.files.find(file_id)
        return JSONResponse(_told(file_id, file, request)) if file else errors.not_found()


def multipart_file(content_type: str, body: bytes) -> File | None:
    """The part named ``content`` of a multipart body; ``None`` when there is none. Slow: 0.3 s for 10 MB."""
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        return None
    for part in message.walk():
        if part.get_param("name", header="content-disposition") == "content":
            data = part.get_payload(decode=True)
            if isinstance(data, bytes):
                return File(data, part.get_content_type(), part.get_filename() or "file")
    return None


def _told(file_id: str, file: File, request: Request) -> dict[str, Any]:
    """The file object. A lifetime of 24 hours is unverified, and not kept to here."""
    now = now_by_the_calendar()
    digest = hashlib.sha256(file.data).hexdigest()
    return {
        "id": file_id,
        "name": file.name,
        "content_type": file.media_type,
        "size": len(file.data),
        "etag": digest[:32],
        "checksums": {"sha256": digest},
        "metadata": {},
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=24)).isoformat(),
        "urls": {"get": f"{origin(request)}/replicate/v1/files/{file_id}"},
    }
