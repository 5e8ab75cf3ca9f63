"""Streams: interim images, which may fail without anybody noticing, and images that are paid for, none of which may be
lost."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from app.doors.openai_images.orders import Order
from app.doors.openai_images.sse import Event, Kind
from app.doors.openai_images.streaming import events_of, interim
from app.draining import Draining
from app.services import Services
from providers.blobs import MemoryBlob
from providers.spec.request import ImageRequest, OutputFormat
from providers.workers import Workers
from routing.wishes import RouteWishes
from tests.base64_text import joined
from tests.unit.app.test_attempting import Unreadable
from tests.unit.app.test_fan_out import here_with
from tests.unit.app.vendors import ticks

REQUEST = ImageRequest("banana", "fox", output_format=OutputFormat.WEBP)


def picture() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 32), 60).save(out, "PNG")
    return out.getvalue()


def test_an_interim_image_comes_in_the_callers_format() -> None:
    shown = interim(MemoryBlob(picture()), REQUEST)
    assert shown is not None
    assert (shown.format, shown.width, shown.height) == (OutputFormat.WEBP, 64, 32)


@pytest.mark.parametrize("blob", [MemoryBlob(b"none"), MemoryBlob(picture()[:-40]), Unreadable()])
def test_one_that_is_damaged_or_cannot_be_read_is_left_out(blob: MemoryBlob) -> None:
    assert interim(blob, REQUEST) is None


def told(event: Event) -> dict[str, Any]:
    text = joined(event).decode()
    found: dict[str, Any] = json.loads(text.partition("data: ")[2])
    return found


@pytest.mark.parametrize("stopping", [True, False])
async def test_an_image_held_for_the_end_is_sent_when_the_gateway_stops_and_not_when_the_caller_leaves(
    *, stopping: bool
) -> None:
    here = here_with({"gemini": "0.067"})
    here.vendors.silent_at = 3
    choice = here.choice(RouteWishes())
    choice = replace(choice, request=replace(choice.request, n=3))
    order = cast("Order", SimpleNamespace(choices=(choice,), timeout_s=None))
    draining, workers = Draining(), Workers()
    own = cast("Services", SimpleNamespace(gateway=here.gateway, workers=workers, spool_dir=None, draining=draining))
    got: list[dict[str, Any]] = []

    async def taken() -> None:
        async for event in events_of(own, order, Kind.GENERATION):
            got.append(told(event))  # noqa: PERF401 - looked at while it goes on

    taking = asyncio.create_task(taken())
    while not got:
        await ticks(1)
    await ticks(50)
    assert len(got) == 1
    draining.cancelling = stopping
    taking.cancel()
    await asyncio.wait({taking})
    workers.close()
    assert here.left_over() == {}
    if not stopping:
        assert taking.cancelled()
        assert len(got) == 1
        return
    assert len(got) == 2
    assert "stopped" in got[1]["metadata"]["warnings"][-1]["message"]
    assert got[1]["metadata"]["cost_usd"] == "0.134"
