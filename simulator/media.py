"""Pictures waiting to be fetched: kept as recipes and painted when somebody asks."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from simulator.damage import spoiled_bytes
from simulator.delivery import travelling
from simulator.faults import Strike
from simulator.paint import Painter, Recipe
from simulator.vendors import Vendor

MOST = 2000
"""Pictures that can be fetched at a time; the oldest go first, as vendors' links die too."""
WEIGHT = 64_000_000
"""Bytes of reduced input images that recipes may hold together."""
WORKERS = 2
"""Pictures painted at a time; a 4K canvas takes 50 MB."""


@dataclass(frozen=True, slots=True)
class Medium:
    """A picture, and what goes wrong when it is fetched."""

    recipe: Recipe
    strike: Strike | None = None


class Media:
    """The pictures of all vendors, by name."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._turn = asyncio.Semaphore(WORKERS)
        self._media: OrderedDict[str, Medium] = OrderedDict()
        self._weight = 0

    async def paint(self, recipe: Recipe) -> bytes:
        """Paint in a worker thread, so that other requests go on."""
        async with self._turn:
            return await asyncio.to_thread(self._painter.paint, recipe)

    def keep(self, name: str, medium: Medium) -> str:
        """Make a picture fetchable; answers its path below the origin."""
        path = f"{medium.recipe.vendor}/{name}.{medium.recipe.format.extension}"
        self._media[path] = medium
        self._weight += medium.recipe.weight
        while len(self._media) > MOST or self._weight > WEIGHT:
            _, gone = self._media.popitem(last=False)
            self._weight -= gone.recipe.weight
        return f"/media/{path}"

    def find(self, path: str) -> Medium | None:
        """The picture at a path that ``keep`` answered, without ``/media/``."""
        return self._media.get(path)

    def clear(self) -> None:
        """Forget all pictures."""
        self._media.clear()
        self._weight = 0

    async def serve(self, request: Request) -> Response:
        """GET of a picture: no credentials needed, as on the vendors' own media hosts."""
        path = f"{request.path_params['vendor']}/{request.path_params['name']}"
        medium = self.find(path)
        if medium is None:
            return Response("No such file.", 404, media_type="text/plain")
        data = await self.paint(medium.recipe)
        kind = medium.strike.kind if medium.strike else None
        plain = Response(spoiled_bytes(kind, data), media_type=medium.recipe.format.value)
        return travelling(medium.strike, plain)


def vendor_of(path: str) -> Vendor | None:
    """Which vendor a request path belongs to."""
    parts = path.split("/", 3)
    name = parts[2] if len(parts) > 2 and parts[1] == "media" else parts[1] if len(parts) > 1 else ""
    name = {"fal-run": "fal"}.get(name, name)
    return Vendor(name) if name in set(Vendor) else None
