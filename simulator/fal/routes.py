"""fal's queue, its direct call and its uploads, over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.bodies import TooLarge, Unreadable, read_json
from simulator.books import Account, Operation
from simulator.delivery import FOREVER, ClientGone, Endpoint, Nothing, travelling, wait_or_gone
from simulator.fal import errors
from simulator.fal.queue import Failure, Job, Queue
from simulator.fal.result import billable_units, billed, delivered, keep, output
from simulator.fal.schema import MODELS, Order, Rejected, links, read_order
from simulator.fal.uploads import Uploads
from simulator.faults import Kind
from simulator.inputs import Unfetchable, fetched
from simulator.origin import fal_root, origin
from simulator.vendors import Tier, Vendor
from simulator.world import World

LOOK_EVERY = 0.05
"""Real seconds between looks at a job that somebody waits for."""
REFUSED_AFTER = 0.5
"""Vendor seconds until an input that does not fit is refused."""


class FalRoutes:
    """The vendor fal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue = Queue(lambda: world.tempers[Vendor.FAL].concurrency, self._ended)
        world.on_reset.append(self._queue.clear)
        world.on_reading.append(lambda: self._queue.advance(world.clock()))

    def routes(self) -> list[Route]:
        """All paths, most particular first."""
        job = "/fal/{owner}/{alias}/requests/{id}"
        return [
            *Uploads(self._world).routes(),
            Route(f"{job}/status/stream", _keyed(self._stream), methods=["GET"]),
            Route(f"{job}/status", _keyed(self._status), methods=["GET"]),
            Route(f"{job}/cancel", _keyed(self._cancel), methods=["PUT"]),
            Route(f"{job}/response", _keyed(self._result), methods=["GET"]),
            Route(job, _keyed(self._result), methods=["GET"]),
            Route("/fal/{endpoint:path}", _keyed(self._submit), methods=["POST"]),
            Route("/fal/{endpoint:path}", _not_allowed, methods=["GET", "PUT", "DELETE", "PATCH"]),
            Route("/fal-run/{endpoint:path}", _keyed(self._run), methods=["POST"]),
        ]

    def _ended(self, job: Job) -> None:
        keep(job, self._world.media)
        self._world.bill(job.turn, job.account, delivered(job), billed(job))

    async def _submit(self, request: Request) -> Response:
        made = await self._made(request)
        if isinstance(made, Response):
            return made
        most = request.query_params.get("fal_max_queue_length", "")
        if re.fullmatch("[0-9]{1,9}", most) and self._queue.waiting() > int(most):
            return errors.plain(429, "The queue is longer than the caller allows.")
        self._queue.submit(made, self._world.clock())
        root = f"{fal_root(request)}/{made.app}/requests/{made.id}"
        return JSONResponse(
            {
                "status": "IN_QUEUE",
                "request_id": made.id,
                "gateway_request_id": made.id,
                "response_url": root,
                "status_url": f"{root}/status",
                "cancel_url": f"{root}/cancel",
                "queue_position": self._queue.ahead(made),
                "logs": None,
                "metrics": {},
            },
            headers={"x-fal-request-id": made.id},
        )

    async def _made(self, request: Request) -> Job | Response:
        """A job from the request, not yet in the queue, or the answer that refuses it."""
        endpoint = request.path_params["endpoint"].strip("/")
        body = await _object(request, endpoint)
        world = self._world
        if isinstance(body, Response):
            world.remains(request)
            return errors.bad_key() if world.denied(Vendor.FAL, endpoint) else body
        order, failure = await self._order(endpoint, body)
        operation = Operation.EDIT if endpoint.endswith("/edit") else Operation.GENERATE
        account = Account(Vendor.FAL, endpoint, order.tier if order else Tier.ONE, operation)
        world.received(Vendor.FAL, order.references if order else ())
        turn = world.turn(request, account, quick=MODELS[endpoint].flux)
        if refused := errors.at_submit(turn.strike, endpoint):
            return refused
        now = world.clock()
        working = turn.working
        if failure is not None:
            working = min(working, REFUSED_AFTER / world.tempers[Vendor.FAL].time_scale)
        elif turn.kind is Kind.HANG:
            working = FOREVER
        made = Job(
            id=turn.dice.uuid(),
            app="/".join(endpoint.split("/")[:2]),
            endpoint=endpoint,
            turn=turn,
            account=account,
            order=order,
            failure=failure or errors.of_job(turn.strike, body),
            ready=now + turn.waiting,
            working=working,
            start_by=_start_by(request, now),
        )
        if made.failure is not None or turn.kind is Kind.HANG:
            made.lighten()
        return made

    async def _order(self, endpoint: str, body: dict[str, Any]) -> tuple[Order | None, Failure | None]:
        try:
            urls = links(endpoint, body)
            try:
                inputs = [await fetched(url, self._world.media, self._world.files) for url in urls]
            except Unfetchable:
                raise Rejected("image_urls", "file_download_error", "A file could not be fetched.", urls) from None
            return await asyncio.to_thread(read_order, endpoint, body, inputs), None
        except Rejected as rejected:
            return None, errors.rejection(rejected)

    def _find(self, request: Request) -> Job | None:
        self._queue.advance(self._world.clock())
        job = self._queue.find(request.path_params["id"])
        app = f"{request.path_params['owner']}/{request.path_params['alias']}"
        return job if job is not None and job.app == app else None

    async def _status(self, request: Request) -> Response:
        job = self._find(request)
        if job is None:
            return JSONResponse({"status": "NOT_FOUND"}, 404)
        told = self._told(request, job)
        code = 200 if told["status"] == "COMPLETED" else 202
        return JSONResponse(told, code, {"x-fal-request-id": job.id})

    def _told(self, request: Request, job: Job) -> dict[str, Any]:
        """The status object. The queue position stands in it while the job waits; logs always, as clients expect."""
        root = f"{fal_root(request)}/{job.app}/requests/{job.id}"
        wants_logs = request.query_params.get("logs", "0").lower() in ("1", "true")
        told: dict[str, Any] = {
            "status": "COMPLETED"
            if job.ended is not None
            else "IN_PROGRESS"
            if job.started is not None
            else "IN_QUEUE",
            "request_id": job.id,
            "response_url": root,
            "status_url": f"{root}/status",
            "cancel_url": f"{root}/cancel",
            "logs": _logs(job) if wants_logs else None,
            "metrics": {},
        }
        if told["status"] == "IN_QUEUE":
            told["queue_position"] = self._queue.ahead(job)
        if job.ended is not None:
            told["metrics"] = {"inference_time": None if job.started is None else round(job.ended - job.started, 3)}
            if job.failure is not None and job.failure.error_type is not None:
                told |= {"error": job.failure.error, "error_type": job.failure.error_type}
        return told

    async def _stream(self, request: Request) -> Response:
        job = self._find(request)
        if job is None:
            return JSONResponse({"status": "NOT_FOUND"}, 404)

        async def events() -> AsyncIterator[str]:
            last = ""
            while last != "COMPLETED":
                self._queue.advance(self._world.clock())
                told = self._told(request, job)
                if told["status"] != last:
                    last = told["status"]
                    yield f"data: {json.dumps(told)}\n\n"
                else:
                    await asyncio.sleep(LOOK_EVERY)

        return StreamingResponse(events(), media_type="text/event-stream", headers={"x-fal-request-id": job.id})

    async def _cancel(self, request: Request) -> Response:
        job = self._find(request)
        if job is None:
            return JSONResponse({"status": "NOT_FOUND"}, 404)
        if not self._withdraw(job):
            return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202, {"x-fal-request-id": job.id})

    def _withdraw(self, job: Job) -> bool:
        if not self._queue.cancel(job, self._world.clock()):
            return False
        self._world.books.entry(job.account).cancelled += 1
        job.failure = Failure(
            499,
            {"detail": "Request was cancelled", "error_type": "client_cancelled"},
            {},
            "Cancelled",
            "client_cancelled",
        )
        return True

    async def _result(self, request: Request) -> Response:
        job = self._find(request)
        if job is None:
            return errors.plain(404, "Request not found")
        if job.ended is None:
            return errors.plain(400, "Request is still in progress", {"x-fal-request-id": job.id})
        return await self._outcome(request, job)

    async def _outcome(self, request: Request, job: Job) -> Response:
        headers = {"x-fal-request-id": job.id}
        if job.failure is not None or job.order is None:
            failure = job.failure or Failure(500, {"detail": "Internal Server Error"})
            return JSONResponse(failure.body, failure.status, headers | failure.headers)
        body = await output(job, job.order, self._world.media, origin(request))
        plain = JSONResponse(body, headers=headers | {"x-fal-billable-units": billable_units(job)})
        return travelling(job.turn.strike, plain) if job.order.sync else plain

    async def _run(self, request: Request) -> Response:
        """The direct call: the same job, waited for on one connection. Past the concurrency it is refused."""
        made = await self._made(request)
        if isinstance(made, Response):
            return made
        limit = self._world.tempers[Vendor.FAL].concurrency
        if limit is not None and self._queue.running() >= limit:
            return errors.concurrency_limit()
        self._queue.submit(made, self._world.clock())
        try:
            while made.ended is None:
                await wait_or_gone(request, LOOK_EVERY)
                self._queue.advance(self._world.clock())
        except ClientGone:
            self._withdraw(made)
            return Nothing()
        self._world.remains(request)
        return await self._outcome(request, made)


async def _object(request: Request, endpoint: str) -> dict[str, Any] | Response:
    """The body of a call to a model, or the answer that refuses it."""
    if endpoint not in MODELS:
        return errors.plain(404, f'Application "{endpoint.partition("/")[2] or endpoint}" not found')
    try:
        body = await read_json(request, empty="{}")
    except TooLarge:
        return errors.plain(413, "Request entity too large.")
    except Unreadable as error:
        return errors.plain(400, f"The body cannot be read: {error}.")
    return body if isinstance(body, dict) else errors.plain(400, "The body must be a JSON object.")


def _keyed(endpoint: Endpoint) -> Endpoint:
    """Demands ``Authorization: Key ...``."""

    async def keyed(request: Request) -> Response:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return errors.plain(401, "Authorization header is required")
        if scheme.lower() != "key" or not key.strip():
            return errors.plain(401, "invalid key credentials")
        return await endpoint(request)

    return keyed


async def _not_allowed(_request: Request) -> Response:
    return errors.plain(405, "Method Not Allowed", {"allow": "POST"})


def _start_by(request: Request, now: float) -> float | None:
    """The caller's deadline for the start, in real seconds from now."""
    try:
        seconds = float(request.headers["x-fal-request-timeout"])
    except (KeyError, ValueError):
        return None
    return now + seconds if 0 <= seconds < FOREVER else None


def _logs(job: Job) -> list[dict[str, str]]:
    if job.started is None:
        return []
    return [{"message": "Generating", "level": "INFO", "source": "USER", "timestamp": "2026-01-01T00:00:00.000Z"}]
