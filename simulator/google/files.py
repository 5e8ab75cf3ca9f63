"""The Gemini Files API: a resumable upload, and files that requests may name."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.bodies import TooLarge, Unreadable, read_bytes, read_json
from simulator.delivery import Endpoint
from simulator.google.errors import GoogleError, invalid
from simulator.inputs import UPLOADS
from simulator.origin import origin
from simulator.shelf import Shelf
from simulator.world import World

LIFETIME = timedelta(hours=48)
MOST_PENDING = 20
"""Uploads begun and not finished that are remembered; the oldest go first."""
GRANULARITY = 262144
"""Bytes of which a piece that is not the last must be a multiple, as the protocol states; not checked here."""


@dataclass(slots=True)
class Pending:
    """An upload that was begun."""

    length: int
    media_type: str
    title: str
    data: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file."""

    data: bytes
    media_type: str
    title: str
    made: datetime
    made_at: float
    """By the world's clock."""


class GeminiFiles:
    """Uploads and files. ``content`` may be called from any thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self._stored: Shelf[Stored] = Shelf(UPLOADS)
        self._made = 0
        world.on_reset.append(self._restart)

    def _restart(self) -> None:
        with self._lock:
            self._pending.clear()
            self._stored.clear()
            self._made = 0

    def table(self) -> Iterator[tuple[str, str, Endpoint]]:
        """Method, path and endpoint of each route."""
        yield "POST", "/gemini/upload/{version}/files", self._upload
        yield "PUT", "/gemini/upload/{version}/files", self._upload
        yield "GET", "/gemini/{version}/files/{id}", self._get

    def content(self, uri: str, own_origin: str) -> tuple[bytes, str]:
        """Bytes and type of the file a request names. GoogleError 403 for what is not ours, or is no more."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            raise invalid("Invalid value at 'file_data.file_uri'.") from None
        ours = f"{parts.scheme}://{parts.netloc}" == own_origin and parts.path.startswith("/gemini/")
        stored = self._find(parts.path.rpartition("/files/")[2]) if ours else None
        if stored is None:
            raise _not_yours(parts.path.rpartition("/")[2])
        return stored.data, stored.media_type

    def _find(self, file_id: str) -> Stored | None:
        with self._lock:
            stored = self._stored.get(file_id)
        if stored is None or self._world.clock() - stored.made_at > LIFETIME.total_seconds():
            return None
        return stored

    async def _upload(self, request: Request) -> Response:
        self._world.remains(request)
        command = request.headers.get("x-goog-upload-command", "")
        if "upload_id" in request.query_params:
            return await self._continue(request, {word.strip() for word in command.split(",")})
        if request.headers.get("x-goog-upload-protocol") != "resumable" or command != "start":
            raise invalid("An upload begins with the protocol 'resumable' and the command 'start'.")
        return await self._start(request)

    async def _start(self, request: Request) -> Response:
        length = request.headers.get("x-goog-upload-header-content-length", "")
        media_type = request.headers.get("x-goog-upload-header-content-type", "")
        if not length.isascii() or not length.isdigit() or not media_type:
            raise invalid("The length and the type of the file must be announced.")
        if len(length) > 12 or int(length) > UPLOADS:
            raise GoogleError(413, "INVALID_ARGUMENT", "The file is larger than the simulator keeps.")
        try:
            described = await read_json(request, empty="{}")
        except Unreadable as error:
            raise invalid(f"Invalid JSON payload received: {error}.") from None
        file = described.get("file", {}) if isinstance(described, dict) else {}
        title = (file.get("displayName") or file.get("display_name") or "") if isinstance(file, dict) else ""
        self._made += 1
        upload_id = hashlib.sha256(f"{self._world.seed}/{self._made}".encode()).hexdigest()[:24]
        with self._lock:
            self._pending[upload_id] = Pending(int(length), media_type, str(title)[:512])
            while len(self._pending) > MOST_PENDING:
                self._pending.popitem(last=False)
        url = f"{origin(request)}{request.url.path}?upload_id={upload_id}&upload_protocol=resumable"
        headers = {
            "x-goog-upload-url": url,
            "x-goog-upload-status": "active",
            "x-goog-upload-chunk-granularity": str(GRANULARITY),
        }
        return Response(headers=headers)

    async def _continue(self, request: Request, commands: set[str]) -> Response:
        upload_id = request.query_params["upload_id"]
        pending = self._pending.get(upload_id)
        if pending is None:
            raise GoogleError(404, "NOT_FOUND", "The upload was not begun, or is over.")
        if "upload" not in commands or request.headers.get("x-goog-upload-offset") != str(len(pending.data)):
            raise invalid("The command must be 'upload' and the offset what has arrived so far.")
        room = pending.length - len(pending.data)
        try:
            pending.data += await read_bytes(request, largest=room)
        except TooLarge:
            raise invalid("More bytes came than were announced.") from None
        self._world.remains(request)
        if "finalize" not in commands:
            return Response(headers={"x-goog-upload-status": "active"})
        if len(pending.data) != pending.length:
            raise invalid("Fewer bytes came than were announced.")
        file_id = upload_id[:12]
        stored = Stored(bytes(pending.data), pending.media_type, pending.title, datetime.now(UTC), self._world.clock())
        with self._lock:
            self._pending.pop(upload_id, None)
            self._stored.put(file_id, stored, len(stored.data))
        told = {"file": _told(request, file_id, stored)}
        return JSONResponse(told, headers={"x-goog-upload-status": "final"})

    async def _get(self, request: Request) -> Response:
        file_id = request.path_params["id"]
        stored = self._find(file_id)
        if stored is None:
            raise _not_yours(file_id)
        return JSONResponse(_told(request, file_id, stored))


def _not_yours(file_id: str) -> GoogleError:
    message = f"You do not have permission to access the File {file_id[:100]} or it may not exist."
    return GoogleError(403, "PERMISSION_DENIED", message)


def _told(request: Request, file_id: str, stored: Stored) -> dict[str, Any]:
    """The file object. Images are usable at once."""
    version = request.path_params["version"]
    digest = hashlib.sha256(stored.data).hexdigest()
    return {
        "name": f"files/{file_id}",
        "displayName": stored.title,
        "mimeType": stored.media_type,
        "sizeBytes": str(len(stored.data)),
        "createTime": _moment(stored.made),
        "updateTime": _moment(stored.made),
        "expirationTime": _moment(stored.made + LIFETIME),
        "sha256Hash": base64.b64encode(digest.encode("ascii")).decode("ascii"),
        "uri": f"{origin(request)}/gemini/{version}/files/{file_id}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
