"""Every request that may bring a body pays a visit, which ends with it in whatever way it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from app.admission.budget import Phase
from app.admission.limits import AdmissionLimits
from app.admission.visit import Admission, Visit
from app.doors.admitting import Admitting, visit_of
from providers.spool import Spool, holder


async def nothing_comes() -> Message:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


async def nobody_reads(message: Message) -> None:
    pass


def start(media_type: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type)]}


def scope(method: str = "POST") -> Scope:
    return {"type": "http", "method": method, "path": "/v1/images/generations", "headers": []}


async def test_bodies_of_a_request_are_its_visits_and_gone_with_it(tmp_path: Path) -> None:
    of = Admission(AdmissionLimits())
    seen: list[tuple[int, int]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(Request(scope))
        assert visit is not None
        assert visit.enter(1)
        spool = Spool(tmp_path, limit=1000)
        await asyncio.create_task(written(spool))
        spool.finish()
        seen.append((of.gate.in_flight, of.budget.held(Phase.IN_FLIGHT)))
        await send(start(b"application/json"))
        seen.append((of.gate.in_flight, of.budget.held(Phase.ANSWERING)))

    async def written(spool: Spool) -> None:
        spool.write(b"x" * 100)

    await Admitting(app, of)(scope(), nothing_comes, nobody_reads)
    assert seen == [(1, 100), (0, 100)]
    assert [of.budget.held(phase) for phase in Phase] == [0, 0, 0]
    assert holder.get() is None


@pytest.mark.parametrize("admitted", [False, True])
async def test_a_stop_sends_elsewhere_who_was_not_admitted_and_nobody_else(admitted: bool) -> None:
    of = Admission(AdmissionLimits())
    waiting = asyncio.Event()
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(Request(scope))
        assert visit is not None
        assert not admitted or visit.enter(1)
        waiting.set()
        await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    request = asyncio.create_task(Admitting(app, of)(scope(), nothing_comes, send))
    await waiting.wait()
    request.cancel()
    (ended,) = await asyncio.gather(request, return_exceptions=True)
    if admitted:  # what it bought the edge cannot know, and says so
        assert isinstance(ended, asyncio.CancelledError)
        assert sent == []
    else:
        assert ended is None
        assert sent[0]["status"] == 503
        assert (b"x-should-retry", b"true") in sent[0]["headers"]
    assert of.gate.in_flight == 0


async def test_a_stream_is_in_flight_until_its_end() -> None:
    of = Admission(AdmissionLimits())
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(Request(scope))
        assert visit is not None
        assert visit.enter(1)
        await send(start(b"text/event-stream; charset=utf-8"))
        seen.append(of.gate.in_flight)

    await Admitting(app, of)(scope(), nothing_comes, nobody_reads)
    assert seen == [1]
    assert of.gate.in_flight == 0


@pytest.mark.parametrize("end", [ValueError("a bug"), asyncio.CancelledError()])
async def test_whatever_ends_a_request_ends_its_visit(end: BaseException) -> None:
    of = Admission(AdmissionLimits())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(Request(scope))
        assert visit is not None
        assert visit.enter(1)
        visit.took(10)
        raise end

    with pytest.raises(type(end)):
        await Admitting(app, of)(scope(), nothing_comes, nobody_reads)
    assert of.gate.in_flight == of.budget.held(Phase.IN_FLIGHT) == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_pages_and_downloads_pay_none(method: str) -> None:
    seen: list[Visit | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(visit_of(Request(scope)))

    await Admitting(app, Admission(AdmissionLimits()))(scope(method), nothing_comes, nobody_reads)
    assert seen == [None]
