"""Delivering: what the caller is told when images that were made cannot be handed over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.doors.openai_images.delivering import answered
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.orders import Order
from app.fan_out import make_all
from app.fitting import Fitting
from providers.workers import Workers
from routing.wishes import RouteWishes
from tests.unit.app.vendors import scene


class Broken:
    """Workers on whom nothing can be run."""

    async def run(self, *work: object, **more: object) -> object:
        raise OSError("the disk is gone")


async def test_images_that_nobody_gets_cost_the_caller_nothing_and_are_told_with_the_attempts() -> None:
    here = scene({"gemini": "0.067"})
    here.vendors.answers.set()
    choice = here.choice(RouteWishes())
    made = await make_all(here.gateway, [choice], Fitting(cast("Workers", None)))
    own: Any = SimpleNamespace(workers=Broken())
    with pytest.raises(ApiError) as failed:
        await answered(own, cast("Any", None), Order((choice,), None, dry_run=False), made)
    told: Any = failed.value.metadata
    assert (told["cost_usd"], told["images"]) == ("0", [])
    assert [(attempt["spend"], attempt["cost_usd"]) for attempt in told["attempts"]] == [("charged", "0.067")]
    assert (failed.value.status, failed.value.headers["x-should-retry"]) == (500, "false")
