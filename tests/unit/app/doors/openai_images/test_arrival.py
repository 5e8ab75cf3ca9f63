"""A body on its way: how fast it must come, and what becomes of it while the budget has no room."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.admission.limits import AdmissionLimits
from app.admission.visit import Admission, Visit
from app.doors.openai_images.arrival import Arrival
from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.errors import ApiError
from tests.own_clock import on_its_own_clock

KIB = 1024
LIMITS = BodyLimits()


class Sender:
    """A client that sends so many KiB, one at a time; ``pause_s``: seconds between them."""

    def __init__(self, count: int, *, pause_s: float = 0.0) -> None:
        self.left = count
        self._pause_s = pause_s

    async def receive(self) -> Message:
        await asyncio.sleep(self._pause_s)
        self.left -= 1
        return {"type": "http.request", "body": bytes(KIB), "more_body": self.left > 0}


def admission(budget: int, *, queue_s: float = 60.0) -> Admission:
    limits = AdmissionLimits(body_budget=budget, queue_s=queue_s)
    return Admission(limits, clock=asyncio.get_running_loop().time, draw=lambda: 0.0)


async def arrived(
    sender: Sender, limits: BodyLimits = LIMITS, visit: Visit | None = None, stated: int | None = None
) -> int:
    """How many bytes came; what comes is held by the visit."""
    headers = [] if stated is None else [(b"content-length", str(stated).encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers, "visit": visit}, sender.receive)
    count = 0
    arrival = Arrival(request, limits)
    arrival.begin(limits.json_bytes)
    while piece := await arrival.piece():
        count += len(piece)
        if visit is not None:
            visit.took(len(piece))
    return count


@on_its_own_clock
async def test_a_body_that_comes_steadily_and_too_slowly_is_refused() -> None:
    limits = replace(LIMITS, grace_s=0.02, bytes_per_s=10_000_000)
    with pytest.raises(ApiError) as refused:
        await arrived(Sender(10_000, pause_s=0.002), limits)
    assert (refused.value.status, refused.value.code) == (408, "request_timeout")
    assert "10,000,000 bytes a second" in refused.value.message


@on_its_own_clock
async def test_what_has_come_quickly_may_be_followed_by_a_pause_that_it_is_worth() -> None:
    limits = replace(LIMITS, grace_s=0.02, bytes_per_s=100 * KIB)  # 100 KiB are worth a second
    sender = Sender(100)

    async def pausing() -> Message:
        if sender.left == 1:
            await asyncio.sleep(0.1)
        return await Sender.receive(sender)

    sender.receive = pausing  # type: ignore[method-assign]
    assert await arrived(sender, limits) == 100 * KIB


@on_its_own_clock
async def test_an_upload_waits_for_room_and_the_time_is_not_held_against_it() -> None:
    limits = replace(LIMITS, grace_s=0.05, seconds=0.1)
    of = admission(1024 * KIB)
    paid, visit = of.visit(), of.visit()
    assert paid.enter(1)
    paid.took(5000 * KIB)
    arriving = asyncio.create_task(arrived(Sender(200), limits, visit))
    await asyncio.sleep(0.2)
    assert visit.held == 64 * KIB
    paid.close()
    assert await arriving == 200 * KIB


@on_its_own_clock
async def test_an_upload_for_which_no_room_comes_is_a_429_and_says_when_to_come_back() -> None:
    of = admission(1024 * KIB, queue_s=0.01)
    paid, visit = of.visit(), of.visit()
    assert paid.enter(1)
    paid.took(5000 * KIB)
    sender = Sender(200)
    with pytest.raises(ApiError) as refused:
        await arrived(sender, visit=visit)
    assert (refused.value.status, refused.value.code, refused.value.type) == (429, "slow_down", "rate_limit_error")
    assert int(refused.value.headers["retry-after"]) >= 1
    assert sender.left == 200 - 64  # nothing more was read


@on_its_own_clock
async def test_a_body_that_has_come_whole_waits_for_no_room() -> None:
    of = admission(1024 * KIB, queue_s=0.01)
    paid, visit = of.visit(), of.visit()
    assert paid.enter(1)
    paid.took(5000 * KIB)
    assert await arrived(Sender(64), visit=visit, stated=64 * KIB) == 64 * KIB


@pytest.mark.parametrize("stated", [None, 300 * KIB])
async def test_a_body_larger_than_the_whole_budget_is_a_413(stated: int | None) -> None:
    of = admission(200 * KIB)
    sender = Sender(300)
    with pytest.raises(ApiError) as refused:
        await arrived(sender, visit=of.visit(), stated=stated)
    assert refused.value.status == 413
    assert f"{200 * KIB:,} bytes" in refused.value.message
    assert sender.left == (300 if stated else 300 - 201)
