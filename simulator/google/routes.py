"""generateContent and its neighbours, on the paths of the Gemini API and of Vertex AI."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.bodies import TooLarge, Unreadable, read_bytes, read_json
from simulator.books import Account, Operation
from simulator.delivery import FOREVER, ClientGone, Endpoint, Nothing, travelling, wait_or_gone
from simulator.faults import Kind
from simulator.google import errors
from simulator.google.answer import EMPTY_HANDED, answer, bill, events
from simulator.google.errors import GoogleError
from simulator.google.files import GeminiFiles
from simulator.google.models import MODELS, GoogleModel
from simulator.google.order import Order, no_files, read_order
from simulator.google.stream import MEDIA_TYPE, Paced, is_picture_thought, worded
from simulator.origin import origin
from simulator.vendors import Vendor
from simulator.world import Turn, World

VERSIONS = {Vendor.GEMINI: ("v1", "v1beta"), Vendor.VERTEX: ("v1", "v1beta1")}
METHODS = ("generateContent", "streamGenerateContent")
GEMINI_BODY = 20 * 1024 * 1024
"""Bytes of a Gemini request with all that is inline: what Google's guide long stated. It is said to be more by now."""
UNPACED = EMPTY_HANDED | {Kind.HANG, Kind.DRIP, Kind.RESET}
"""Faults that show no thoughts early: there is no picture, or the answer travels badly as a whole."""


class GoogleRoutes:
    """The two Google vendors."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files = GeminiFiles(world)

    def routes(self) -> list[Route]:
        """All paths, most particular first."""
        publisher = "publishers/google/models/{call:path}"
        project = "/vertex/{version}/projects/{project}/locations/{location}/"
        return [
            *[
                Route(path, self._guarded(Vendor.GEMINI, endpoint), methods=[method])
                for method, path, endpoint in self._files.table()
            ],
            Route("/gemini/{version}/models", self._guarded(Vendor.GEMINI, self._list), methods=["GET"]),
            Route("/gemini/{version}/models/{model:path}", self._guarded(Vendor.GEMINI, self._get), methods=["GET"]),
            Route("/gemini/{version}/models/{call:path}", self._guarded(Vendor.GEMINI, self._gemini), methods=["POST"]),
            *[
                Route(root + "publishers/google/models", self._guarded(Vendor.VERTEX, self._garden), methods=["GET"])
                for root in (project, "/vertex/{version}/")
            ],
            Route(project + publisher, self._guarded(Vendor.VERTEX, self._vertex), methods=["POST"]),
            Route("/vertex/{version}/" + publisher, self._guarded(Vendor.VERTEX, self._vertex), methods=["POST"]),
            Route("/vertex/token", self._token, methods=["POST"]),
        ]

    def _guarded(self, vendor: Vendor, endpoint: Endpoint) -> Endpoint:
        """Checks version and credentials; makes an answer of a GoogleError."""

        async def guarded(request: Request) -> Response:
            in_list = "streamGenerateContent" in request.url.path and request.query_params.get("alt") != "sse"
            try:
                if request.path_params["version"] not in VERSIONS[vendor]:
                    raise GoogleError(404, "NOT_FOUND", "The requested URL was not found on this server.")
                if not _has_credentials(vendor, request) and "upload_id" not in request.query_params:
                    raise errors.no_key(vendor)
                return await endpoint(request)
            except GoogleError as error:
                return error.response(in_list=in_list)
            except ClientGone:
                return Nothing()

        return guarded

    async def _gemini(self, request: Request) -> Response:
        return await self._generate(Vendor.GEMINI, request)

    async def _vertex(self, request: Request) -> Response:
        return await self._generate(Vendor.VERTEX, request)

    async def _generate(self, vendor: Vendor, request: Request) -> Response:
        world = self._world
        version = request.path_params["version"]
        name, _, method = request.path_params["call"].rpartition(":")
        model_id = name.removeprefix("models/")
        try:
            if method not in METHODS or model_id not in MODELS:
                raise errors.not_found(vendor, model_id or method, version)
            model = MODELS[model_id]
            files = partial(self._files.content, own_origin=origin(request)) if vendor is Vendor.GEMINI else no_files
            order = await asyncio.to_thread(read_order, vendor, model, await _body(vendor, request), files)
        except GoogleError:
            world.remains(request)
            if world.denied(vendor, model_id):
                raise errors.bad_key(vendor) from None
            raise
        account = Account(vendor, model_id, order.tier, Operation.EDIT if order.references else Operation.GENERATE)
        world.received(vendor, order.references)
        turn = world.turn(request, account)
        paced = method == METHODS[1] and _as_events(request) and order.thoughts and turn.kind not in UNPACED
        late = paced and turn.strike is not None and bool(turn.strike.params.get("mid_stream"))
        refused = errors.at_the_door(vendor, turn.strike, model_id, version)
        if late and isinstance(refused, GoogleError):
            return await self._paced(vendor, model_id, order, turn, account, refused)
        if isinstance(refused, GoogleError):
            raise refused
        if refused is not None:
            return refused
        if world.full(vendor):
            raise errors.too_many(vendor, None, model_id)
        if paced:
            return await self._paced(vendor, model_id, order, turn, account)
        with world.busy(vendor):
            await wait_or_gone(request, FOREVER if turn.kind is Kind.HANG else turn.seconds)
            body = await answer(world.media, vendor, model_id, model, order, turn)
        world.bill(turn, account, *bill(vendor, model, order, turn.kind))
        return travelling(turn.strike, _told(request, method, body))

    async def _paced(
        self, vendor: Vendor, model_id: str, order: Order, turn: Turn, account: Account, late: GoogleError | None = None
    ) -> Response:
        """Thoughts while the work goes on; ``late`` ends the stream in the picture's place, and nothing is billed."""
        world, model = self._world, MODELS[model_id]
        told = events(await answer(world.media, vendor, model_id, model, order, turn))
        paid = bill(vendor, model, order, turn.kind)
        if late is None:
            return Paced(told, turn.seconds, lambda: world.bill(turn, account, *paid), world.busy(vendor))
        after = max(place for place, event in enumerate(told) if is_picture_thought(event)) + 1
        return Paced([*told[:after], late.body], turn.seconds, lambda: None, world.busy(vendor))

    async def _list(self, _request: Request) -> Response:
        models = [_described(model_id, model) for model_id, model in MODELS.items()]
        return JSONResponse({"models": models})

    async def _garden(self, _request: Request) -> Response:
        """Vertex's list of a publisher's models."""
        named = [{"name": f"publishers/google/models/{model_id}", "versionId": "default"} for model_id in MODELS]
        return JSONResponse({"publisherModels": named})

    async def _get(self, request: Request) -> Response:
        model_id = request.path_params["model"]
        if model_id not in MODELS:
            raise errors.not_found(Vendor.GEMINI, model_id, request.path_params["version"])
        return JSONResponse(_described(model_id, MODELS[model_id]))

    async def _token(self, request: Request) -> Response:
        """A service account's token endpoint: point ``token_uri`` here. Checks neither signature nor audience."""
        try:
            form = (await read_bytes(request)).decode("utf-8", "replace")
        except TooLarge:
            form = ""
        if "assertion=" not in form:
            return JSONResponse({"error": "invalid_request", "error_description": "No assertion."}, 400)
        return JSONResponse({"access_token": "simulated-token", "expires_in": 3599, "token_type": "Bearer"})


def _has_credentials(vendor: Vendor, request: Request) -> bool:
    if request.headers.get("x-goog-api-key") or request.query_params.get("key"):
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return vendor is Vendor.VERTEX and scheme.lower() == "bearer" and bool(token.strip())


def _as_events(request: Request) -> bool:
    return request.query_params.get("alt") == "sse"


async def _body(vendor: Vendor, request: Request) -> Any:
    try:
        if vendor is Vendor.GEMINI:
            return await read_json(request, largest=GEMINI_BODY)
        return await read_json(request)
    except TooLarge:
        if vendor is Vendor.GEMINI:
            raise errors.invalid(f"Request payload size exceeds the limit: {GEMINI_BODY} bytes.") from None
        raise GoogleError(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit.") from None
    except Unreadable as error:
        raise errors.invalid(f"Invalid JSON payload received: {error}.") from None


def _told(request: Request, method: str, body: dict[str, Any]) -> Response:
    """The answer at once, as server-sent events, or as the list that a stream without ``alt=sse`` is."""
    if method == "generateContent":
        return JSONResponse(body)
    if not _as_events(request):
        return JSONResponse(events(body))
    return Response(b"".join(map(worded, events(body))), media_type=MEDIA_TYPE)


def _described(model_id: str, model: GoogleModel) -> dict[str, Any]:
    return {
        "name": f"models/{model_id}",
        "version": "1",
        "displayName": model.display,
        "inputTokenLimit": 131072,
        "outputTokenLimit": 32768,
        "supportedGenerationMethods": list(METHODS),
    }
