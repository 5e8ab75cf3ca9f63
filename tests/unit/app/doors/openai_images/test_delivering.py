"""Delivering: what the caller is told when images that were made cannot be handed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from app.doors.openai_images.delivering import answered
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.orders import Order
from app.fan_out import make_all
from app.fitting import Fitting
from providers.blobs import MemoryBlob
from providers.workers import Workers
from routing.wishes import RouteWishes
from tests.unit.app.vendors import scene


class Gone(MemoryBlob):
    """A picture that was there when it was looked at."""

    def base64(self) -> bytes:
        raise OSError("the disk is gone")


async def test_images_that_nobody_gets_cost_the_caller_nothing_and_are_told_with_the_attempts() -> None:
    here = scene({"gemini": "0.067"})
    here.vendors.answers.set()
    choice = here.choice(RouteWishes())
    made = await make_all(here.gateway, [choice], Fitting(cast("Workers", None)))
    (part,) = made.parts
    lost = replace(made, parts=(replace(part, images=(replace(part.images[0], blob=Gone(b"")),)),))
    with pytest.raises(ApiError) as failed:
        await answered(cast("Any", None), cast("Any", None), Order((choice,), None, dry_run=False), lost)
    told: Any = failed.value.metadata
    assert (told["cost_usd"], told["images"]) == ("0", [])
    assert [(attempt["spend"], attempt["cost_usd"]) for attempt in told["attempts"]] == [("charged", "0.067")]
    assert (failed.value.status, failed.value.headers["x-should-retry"]) == (500, "false")
