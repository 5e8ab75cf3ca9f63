"""The entrance: who is told to come back, in which words, and whoever hangs up in the queue."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from app.admission.limits import AdmissionLimits
from app.admission.visit import Admission, NotAdmittedError, Reason, Visit
from app.doors.openai_images.entrance import admitted, not_admitted
from app.doors.openai_images.errors import ApiError


def admission(**limits: Any) -> Admission:
    return Admission(AdmissionLimits(**{"max_in_flight": 1, "queue_limit": 1, **limits}), draw=lambda: 0.0)


def request(visit: Visit | None, key: bytes = b"anna", hangs_up: asyncio.Event | None = None) -> Request:
    async def receive() -> Message:
        await (hangs_up or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    headers = [(b"authorization", b"Bearer " + key)]
    return Request({"type": "http", "method": "POST", "headers": headers, "visit": visit}, receive)


async def test_where_there_is_room_or_no_admission_nobody_waits() -> None:
    assert await admitted(request(admission().visit()), timeout_s=60) == 0.0
    assert await admitted(request(None), timeout_s=60) == 0.0


async def test_past_the_queue_it_is_a_429_in_the_envelope() -> None:
    of = admission(queue_limit=0)
    await admitted(request(of.visit()), timeout_s=60)
    with pytest.raises(ApiError) as refused:
        await admitted(request(of.visit()), timeout_s=60)
    error = json.loads(refused.value.body())["error"]
    assert (refused.value.status, error["type"], error["code"], error["param"]) == (
        429,
        "rate_limit_error",
        "slow_down",
        None,
    )
    assert refused.value.headers["retry-after"] == "20"
    assert "come back in 20 s" in error["message"]


async def test_a_hang_up_in_the_queue_leaves_it() -> None:
    of, hangs_up = admission(), asyncio.Event()
    await admitted(request(of.visit()), timeout_s=60)
    waiting = asyncio.create_task(admitted(request(of.visit(), hangs_up=hangs_up), timeout_s=60))
    await asyncio.sleep(0.01)
    assert of.gate.waiting == 1
    hangs_up.set()
    with pytest.raises(ClientDisconnect):
        await waiting
    assert of.gate.waiting == 0


async def test_keys_are_told_apart() -> None:
    of = admission(max_in_flight=10, max_in_flight_per_key=1, queue_limit=0)
    await admitted(request(of.visit(), b"anna"), timeout_s=60)
    await admitted(request(of.visit(), b"bert"), timeout_s=60)
    with pytest.raises(ApiError) as refused:
        await admitted(request(of.visit(), b"anna"), timeout_s=60)
    assert refused.value.code == "rate_limit_exceeded"
    assert "1 image requests in flight" in refused.value.message


async def test_in_the_queue_keys_take_turns() -> None:
    of = admission(queue_limit=10)
    first = of.visit()
    await admitted(request(first, b"anna"), timeout_s=60)
    served: list[str] = []

    async def one(key: str) -> None:
        visit = of.visit()
        await admitted(request(visit, key.encode()), timeout_s=60)
        served.append(key)
        visit.close()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for key in ("anna", "anna", "anna", "bert"):
            group.create_task(one(key))
            await asyncio.sleep(0.001)
        first.close()
    assert served == ["anna", "bert", "anna", "anna"]


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_says_what_was_wrong_and_when_to_come_back(reason: Reason) -> None:
    error = not_admitted(NotAdmittedError(reason, 7), AdmissionLimits(max_in_flight_per_key=3))
    assert error.status == 429
    assert error.headers["retry-after"] == "7"
    assert error.message.endswith("come back in 7 s.")
    assert error.code == ("rate_limit_exceeded" if reason is Reason.KEY_LIMIT else "slow_down")
