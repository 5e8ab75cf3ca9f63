"""fal's storage: ask where to put a file, put it, use its link."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.fal.errors import plain
from simulator.inputs import File
from simulator.origin import fal_root
from simulator.world import World


class Uploads:
    """Routes of the storage host, under the same root as the queue."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made = 0

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
            asked = json.loads(await request.body() or b"{}")
        except ValueError:
            return plain(422, "The body must be JSON.")
        self._made += 1
        name = str(asked.get("file_name") or "file").rpartition("/")[2]
        file_id = f"{self._world.seed}-{self._made}-{name}"
        root = f"{fal_root(request)}/storage"
        return JSONResponse({"upload_url": f"{root}/upload/{file_id}", "file_url": f"{root}/files/{file_id}"})

    async def _put(self, request: Request) -> Response:
        file_id = request.path_params["id"]
        media_type = request.headers.get("content-type", "application/octet-stream")
        self._world.files.keep(file_id, File(await request.body(), media_type, file_id))
        return Response(status_code=200)

    async def _get(self, request: Request) -> Response:
        file = self._world.files.find(request.path_params["id"])
        return Response(file.data, media_type=file.media_type) if file else plain(404, "Not found")
