"""The request as each offer is to be asked for it, and that work on its images is done once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from app.fitting import Fitting
from providers.blobs import MemoryBlob
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest, Operation
from providers.workers import Workers
from tests.unit.providers.spec.test_capability import PLAIN

REQUEST = ImageRequest("m", "a fox", seed=7)


class Counted(Workers):
    """Workers that count what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    async def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.done.append(work.__name__)
        return await super().run(work, *args, **kwargs)


def picture(size: tuple[int, int] = (64, 48), *, noise: bool = False, mode: str = "RGB") -> MemoryBlob:
    image = Image.effect_noise(size, 90) if noise else Image.new("L", size, 90)
    out = io.BytesIO()
    image.convert(mode).save(out, "PNG")
    return MemoryBlob(out.getvalue(), "image/png")


def hole(size: tuple[int, int] = (64, 48)) -> MemoryBlob:
    out = io.BytesIO()
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (10, 10, 20, 20))
    mask.save(out, "PNG")
    return MemoryBlob(out.getvalue(), "image/png")


async def test_a_request_that_fits_is_handed_on_without_work() -> None:
    workers = Counted()
    fitted = await Fitting(workers).fitted(REQUEST, replace(PLAIN, seed=True))
    assert (fitted.request, fitted.warnings, fitted.emulation, workers.done) == (REQUEST, (), None, [])


async def test_what_an_offer_ignores_is_told() -> None:
    fitted = await Fitting(Workers()).fitted(REQUEST, PLAIN)
    assert fitted.request.seed is None
    assert [warning.parameter for warning in fitted.warnings] == ["seed"]


async def test_a_mask_an_offer_takes_not_becomes_one_more_image_and_is_drawn_once() -> None:
    workers = Counted()
    request = replace(REQUEST, operation=Operation.EDIT, images=(picture(),), mask=hole(), aspect_ratio="3:2")
    fitting = Fitting(workers)
    first, second = await asyncio.gather(*(fitting.fitted(request, PLAIN) for _ in range(2)))
    assert first.emulation is second.emulation is not None
    assert (len(first.request.images), first.request.mask) == (2, None)
    assert first.request.prompt.startswith("a fox")
    assert workers.done == ["emulated"]


async def test_an_image_larger_than_an_offer_takes_is_made_smaller_once_and_told() -> None:
    workers = Counted()
    large = picture((800, 800), noise=True)
    request = replace(REQUEST, operation=Operation.EDIT, images=(picture(), large))
    fitting = Fitting(workers)
    limit = large.length // 4
    fitted, again = [await fitting.fitted(request, replace(PLAIN, max_input_image_bytes=limit)) for _ in range(2)]
    assert fitted.request.images[0] is request.images[0]
    assert fitted.request.images[1].length <= limit
    assert again.request.images[1] is fitted.request.images[1]
    assert workers.done == ["shrunk"]
    assert [warning.parameter for warning in fitted.warnings] == ["seed", "image"]
    assert (await fitting.fitted(request, PLAIN)).request.images == request.images


async def test_a_try_that_is_given_up_leaves_the_work_to_the_others() -> None:
    request = replace(REQUEST, operation=Operation.EDIT, images=(picture(),), mask=hole())
    fitting = Fitting(Workers())
    given_up = asyncio.create_task(fitting.fitted(request, PLAIN))
    other = asyncio.create_task(fitting.fitted(request, PLAIN))
    await asyncio.sleep(0)
    given_up.cancel()
    assert (await other).emulation is not None


async def test_an_image_that_turns_out_to_be_damaged_is_the_callers_to_mend() -> None:
    damaged = MemoryBlob(picture((200, 200), noise=True).data[:2000], "image/png")
    request = replace(REQUEST, operation=Operation.EDIT, images=(damaged,), mask=hole((200, 200)))
    with pytest.raises(ProviderError) as failed:
        await Fitting(Workers()).fitted(request, PLAIN)
    assert (failed.value.fault, failed.value.parameter) == (Fault.INVALID_REQUEST, "image")
