"""Replicate's predictions and files over HTTP."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.bodies import Unreadable, abridged, read_json
from simulator.books import Account, Operation
from simulator.delivery import ClientGone, Endpoint, Nothing, wait_or_gone
from simulator.faults import Kind
from simulator.inputs import Unfetchable, fetched
from simulator.origin import origin
from simulator.paint import NotAPicture
from simulator.replicate import errors
from simulator.replicate.predictions import Prediction, Predictions, now_by_the_calendar
from simulator.replicate.result import billed, delivered, keep, outlines, outputs, told
from simulator.replicate.schema import MODELS, Order, Rejected, checked, is_flux, links, read_order
from simulator.replicate.uploads import Uploads
from simulator.vendors import Tier, Vendor
from simulator.world import World

LOOK_EVERY = 0.05
"""Real seconds between looks at a prediction that a create waits for."""
LONGEST_WAIT = 60.0
"""Seconds ``Prefer: wait`` holds the connection at most, and when no number is given."""

LONGEST_DEADLINE = 86_400.0
"""Seconds after which a longer ``Cancel-After`` strikes all the same."""


class ReplicateRoutes:
    """The vendor Replicate."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._predictions = Predictions(self._made, self._cancelled)
        world.on_reset.append(self._predictions.clear)
        world.on_reading.append(lambda: self._predictions.advance(world.clock()))

    def routes(self) -> list[Route]:
        """All paths."""
        root = "/replicate/v1"
        return [
            Route(f"{root}/models/{{owner}}/{{name}}/predictions", authorised(self._create_official), methods=["POST"]),
            Route(f"{root}/predictions", authorised(self._create_by_version), methods=["POST"]),
            Route(f"{root}/predictions", authorised(self._list), methods=["GET"]),
            Route(f"{root}/predictions/{{id}}", authorised(self._get), methods=["GET"]),
            Route(f"{root}/predictions/{{id}}/cancel", authorised(self._cancel), methods=["POST"]),
            *[
                Route(f"{root}{path}", authorised(endpoint), methods=[method])
                for method, path, endpoint in Uploads(self._world).table()
            ],
        ]

    def _made(self, prediction: Prediction) -> None:
        keep(prediction, self._world.media)
        self._world.bill(prediction.turn, prediction.account, delivered(prediction), billed(prediction))

    def _cancelled(self, prediction: Prediction) -> None:
        self._world.books.entry(prediction.account).cancelled += 1

    async def _create_official(self, request: Request) -> Response:
        return await self._create(request, f"{request.path_params['owner']}/{request.path_params['name']}")

    async def _create_by_version(self, request: Request) -> Response:
        """``version`` names an official model; hashes of other versions are not known here."""
        return await self._create(request, None)

    async def _create(self, request: Request, model: str | None) -> Response:
        read = await _asked(request, model)
        if isinstance(read, Response):
            self._world.remains(request)
            return errors.bad_key() if self._world.denied(Vendor.REPLICATE, model or "") else read
        model, given, values, urls = read
        order, error = await self._order(model, values, urls)
        operation = Operation.EDIT if urls else Operation.GENERATE
        account = Account(Vendor.REPLICATE, model, order.tier if order else Tier.ONE, operation)
        self._world.received(Vendor.REPLICATE, order.references if order else ())
        turn = self._world.turn(request, account, quick=is_flux(model))
        if refused := errors.at_create(turn.strike):
            return refused
        now = self._world.clock()
        self._predictions.advance(now)
        limit = self._world.tempers[Vendor.REPLICATE].concurrency
        if limit is not None and self._predictions.running() >= limit:
            return errors.throttled(None)
        after = _seconds(request.headers.get("cancel-after", ""))
        prediction = Prediction(
            id=turn.dice.token(26),
            model=model,
            input=abridged(given),
            order=order,
            error=error or errors.of_job(turn.strike),
            turn=turn,
            account=account,
            created=now,
            born=now_by_the_calendar(),
            deadline=None if after is None else now + after,
        )
        if prediction.error is not None or turn.kind is Kind.HANG:
            prediction.lighten()
        self._predictions.add(prediction)
        patience = _patience(request.headers.get("prefer", ""))
        try:
            await self._wait(request, prediction, patience)
        except ClientGone:
            return Nothing()
        self._world.remains(request)
        answer = await self._answer(request, prediction, 201)
        answer.headers["location"] = f"{origin(request)}/replicate/v1/predictions/{prediction.id}"
        return answer

    async def _order(self, model: str, values: dict[str, Any], urls: list[str]) -> tuple[Order | None, str | None]:
        """The order, or the sentence with which the prediction will fail."""
        try:
            inputs = [await fetched(url, self._world.media, self._world.files) for url in urls]
            return await asyncio.to_thread(read_order, model, values, inputs), None
        except Unfetchable:
            return None, "An input file could not be downloaded."
        except NotAPicture:
            return None, "An input image could not be read."

    async def _wait(self, request: Request, prediction: Prediction, patience: float) -> None:
        clock = self._world.clock
        until = clock() + patience
        while True:
            self._predictions.advance(clock())
            left = until - clock()
            if prediction.ended is not None or prediction.made or left <= 0:
                return
            await wait_or_gone(request, min(LOOK_EVERY, left))

    async def _answer(self, request: Request, prediction: Prediction, code: int = 200) -> Response:
        """The prediction. A create says ``starting`` until there is an output, which the SDKs rely on."""
        links = await outputs(prediction, self._world.media, origin(request))
        body = told(prediction, origin(request), links)
        if code == 201 and body["status"] == "processing" and body["output"] is None:
            body["status"] = "starting"
        return JSONResponse(body, code)

    def _find(self, request: Request) -> Prediction | None:
        self._predictions.advance(self._world.clock())
        return self._predictions.find(request.path_params["id"])

    async def _get(self, request: Request) -> Response:
        prediction = self._find(request)
        return await self._answer(request, prediction) if prediction else errors.not_found()

    async def _list(self, request: Request) -> Response:
        self._predictions.advance(self._world.clock())
        root = origin(request)
        results = [told(each, root, outlines(each, root)) for each in self._predictions.newest()]
        return JSONResponse({"next": None, "previous": None, "results": results})

    async def _cancel(self, request: Request) -> Response:
        prediction = self._find(request)
        if prediction is None:
            return errors.not_found()
        self._predictions.cancel(prediction, self._world.clock())
        return await self._answer(request, prediction)


def authorised(endpoint: Endpoint) -> Endpoint:
    """Demands a token, under either of the two words Replicate takes."""

    async def guarded(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "token") or not token.strip():
            return errors.unauthenticated()
        return await endpoint(request)

    return guarded


async def _asked(
    request: Request, model: str | None
) -> tuple[str, dict[str, Any], dict[str, Any], list[str]] | Response:
    """Model, input as given, input with defaults and links of a create; or the answer that refuses it."""
    try:
        body = await read_json(request)
    except Unreadable as error:
        return errors.unreadable(str(error))
    if not isinstance(body, dict):
        body = {}
    try:
        if model is None:
            version = body.get("version")
            if not isinstance(version, str):
                raise Rejected("version", "required", "version is required")
            model = version.partition(":")[0]
        if model not in MODELS:
            return errors.not_found()
        values = checked(model, body.get("input"))
        return model, body["input"], values, links(values)
    except Rejected as rejected:
        return JSONResponse(rejected.body, 422, media_type=errors.PROBLEM)


def _patience(prefer: str) -> float:
    """Seconds to hold a create: none without ``wait``, 60 without a number, 1 to 60 with one. Real seconds."""
    match = re.search(r"\bwait\b(?:\s*=\s*(\d+(?:\.\d+)?))?", prefer)
    if match is None:
        return 0.0
    return min(max(float(match.group(1) or LONGEST_WAIT), 1.0), LONGEST_WAIT)


def _seconds(text: str) -> float | None:
    """``1h30m``, ``90s`` or a bare number of seconds; ``None`` for anything else. Real seconds."""
    match = re.fullmatch(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9}(?:\.[0-9]+)?)s?)?", text.strip())
    if match is None or not text.strip():
        return None
    hours, minutes, seconds = match.groups()
    return min(int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0), LONGEST_DEADLINE)
