"""One try: what a call for several images brought is kept, whatever happens to one of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest
from PIL import Image

from app.attempting import Job, _delivered
from app.fitting import Fitted, Fitting
from app.gateway import NotMadeError
from app.media.verify import NotDeliveredError
from providers.blobs import MemoryBlob
from providers.spec.blob import Blob
from providers.spec.capability import Capability
from providers.spec.errors import Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult
from providers.workers import Workers
from routing.wishes import RouteWishes
from tests.unit.app.public_models import NANO_BANANA_2
from tests.unit.app.vendors import Scene, scene

REQUEST = ImageRequest(NANO_BANANA_2.name, "fox", n=2)


@dataclass(frozen=True)
class Unreadable:
    """A blob on a disk that fails."""

    length: int = 10
    media_type: str = "image/png"
    ends: None = None

    def read(self) -> bytes:
        raise OSError("the disk is gone")

    def pieces(self) -> Iterator[bytes]:
        yield self.read()

    def base64(self) -> bytes:
        raise OSError("the disk is gone")


def good() -> Blob:
    out = io.BytesIO()
    Image.effect_noise((1024, 1024), 60).save(out, "PNG")
    return MemoryBlob(out.getvalue())


def delivered(*blobs: Blob) -> int:
    job = Job(REQUEST, NANO_BANANA_2, Fitting(cast("Workers", None)))
    return len(_delivered(ImageResult(blobs), job, Fitted(REQUEST)))


def test_an_image_that_we_fail_to_handle_does_not_take_the_others_along() -> None:
    assert delivered(good(), Unreadable()) == delivered(Unreadable(), good()) == 1


def test_our_own_failure_is_told_as_such_and_not_as_the_vendors() -> None:
    with pytest.raises(OSError, match="disk"):
        delivered(MemoryBlob(b"no image"), Unreadable())
    with pytest.raises(NotDeliveredError):
        delivered(MemoryBlob(b"no image"), MemoryBlob(b"nor this"))


@dataclass
class Slow(Fitting):
    """Takes so many seconds of the scene's clock over the input images."""

    here: Scene
    seconds: float

    async def fitted(self, request: ImageRequest, capability: Capability) -> Fitted:
        self.here.now += self.seconds
        return Fitted(request)


async def test_nothing_is_bought_once_the_time_is_over_before_the_input_images_are_ready() -> None:
    here = scene({"gemini": "0.067", "fal": "0.08"})
    with pytest.raises(NotMadeError) as failed:
        await here.gateway.make([here.choice(RouteWishes())], timeout_s=5.0, fitting=Slow(here, 6.0))
    assert here.vendors.asked == []
    assert failed.value.verdict.code == "provider_timeout"
    (attempt,) = failed.value.attempts
    assert (attempt.spend, attempt.deadline_hit) == (Spend.NONE, True)
    assert here.left_over() == {}


async def test_a_try_whose_images_took_their_time_still_ends_with_the_request() -> None:
    here = scene({"gemini": "0.067"})
    here.vendors.answers.set()
    await here.gateway.make([here.choice(RouteWishes())], timeout_s=5.0, fitting=Slow(here, 2.0))
    (limits,) = here.vendors.limits
    assert limits["limit_s"] == pytest.approx(3.0)
    assert limits["ends_at_deadline"]
