"""fal's storage: ask where to put a file, put it, use its link."""

from __future__ import annotations

from collections import deque
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.bodies import TooLarge, Unreadable, read_bytes, read_json
from simulator.fal.errors import plain
from simulator.inputs import File
from simulator.origin import fal_root
from simulator.world import World

ISSUED = 1000
"""Places that wait for their file; the oldest go first, as signed links expire."""
LONGEST_NAME = 100
"""Characters of a file's own name that are kept in its link."""


class Uploads:
    """Routes of the storage host, under the same root as the queue."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made = 0
        self._issued: deque[str] = deque(maxlen=ISSUED)
        world.on_reset.append(self._restart)

    def _restart(self) -> None:
        self._made = 0
        self._issued.clear()

    def routes(self) -> list[Route]:
        """Ask, put, get."""
        return [
            Route("/fal/storage/upload/initiate", self._initiate, methods=["POST"]),
            Route("/fal/storage/upload/{id}", self._put, methods=["PUT"]),
            Route("/fal/storage/files/{id}", self._get, methods=["GET"]),
        ]

    async def _initiate(self, request: Request) -> Response:
        if not request.headers.get("authorization", "").lower().startswith("key "):
            return plain(401, "Authorization header is required")
        try:
            asked = await read_json(request, empty="{}")
        except Unreadable as error:
            return plain(422, f"The body cannot be read: {error}.")
        if not isinstance(asked, dict):
            return plain(422, "The body must be a JSON object.")
        self._world.remains(request)
        self._made += 1
        given = asked.get("file_name")
        name = given.rpartition("/")[2][-LONGEST_NAME:] if isinstance(given, str) else ""
        own = f"{self._world.seed}-{self._made}-{name or 'file'}"
        self._issued.append(own)
        file_id = quote(own)
        root = f"{fal_root(request)}/storage"
        return JSONResponse({"upload_url": f"{root}/upload/{file_id}", "file_url": f"{root}/files/{file_id}"})

    async def _put(self, request: Request) -> Response:
        """The link itself is the permission: no key is looked at."""
        file_id = request.path_params["id"]
        if file_id not in self._issued:
            return plain(403, "The link is not valid.")
        media_type = request.headers.get("content-type", "application/octet-stream")
        try:
            data = await read_bytes(request)
        except TooLarge:
            return plain(413, "Request entity too large.")
        self._world.remains(request)
        self._world.files.keep(file_id, File(data, media_type, file_id))
        return Response(status_code=200)

    async def _get(self, request: Request) -> Response:
        file = self._world.files.find(request.path_params["id"])
        return Response(file.data, media_type=file.media_type) if file else plain(404, "Not found")
