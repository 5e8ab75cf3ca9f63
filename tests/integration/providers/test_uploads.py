"""Input images on their way to fal and Replicate, over real sockets to the simulator: what arrives, and how."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from providers.blobs import MemoryBlob
from providers.converse import Driver, Provider, Trace
from providers.registry import Access, connect
from providers.spec.adapter import ProviderModel
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest, Operation
from providers.spec.result import ImageResult
from providers.transport import Transport
from simulator.server import create_app
from simulator.settings import SimulatorSettings
from tests.servers import running

FAST = SimulatorSettings(time_scale=1000.0)
MODELS = {
    "fal": ProviderModel("fal-ai/nano-banana-2", "nano-banana-2", edit_id="fal-ai/nano-banana-2/edit"),
    "replicate": ProviderModel("google/nano-banana-2", "nano-banana-2"),
}
BOTH = pytest.mark.parametrize("name", sorted(MODELS))
UPLOADS_AT = {"fal": "storage/upload/initiate", "replicate": "files"}


@pytest.fixture
def simulator() -> Iterator[str]:
    with running(create_app(FAST)) as url:
        yield url


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    transport = Transport()
    yield Driver(transport)
    await transport.close()


def noise(edge: int) -> MemoryBlob:
    """A PNG of 3 bytes a pixel, as no compression helps."""
    out = io.BytesIO()
    Image.frombytes("RGB", (edge, edge), os.urandom(edge * edge * 3)).save(out, "PNG")
    return MemoryBlob(out.getvalue(), "image/png")


async def edited(driver: Driver, simulator: str, name: str, *images: MemoryBlob) -> ImageResult:
    provider: Provider = connect(name, Access(api_key="id:secret", base_url=f"{simulator}/{name}"))
    request = ImageRequest("nano-banana-2", "make it night", Operation.EDIT, images)
    return await driver.converse(provider.adapter.converse(request, MODELS[name]), provider, Trace(), limit_s=30.0)


async def told(simulator: str, what: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(timeout=30.0) as client:
        found: list[dict[str, Any]] = (await client.get(f"{simulator}/_control/{what}")).json()
        return found


@BOTH
async def test_a_large_image_arrives_as_it_was_sent_and_outside_of_the_request(
    driver: Driver, simulator: str, name: str
) -> None:
    large, small = noise(1200), noise(8)
    result = await edited(driver, simulator, name, large, small)
    assert len(result.images) == 1
    arrived = await told(simulator, "inputs")
    assert [(each["width"], each["bytes"]) for each in arrived] == [(1200, large.length), (8, small.length)]
    sizes = {request["path"]: request["size"] for request in await told(simulator, "requests")}
    assert sum(size > large.length - 1 for size in sizes.values()) == 1, sizes
    assert not [path for path, size in sizes.items() if size > 100_000 and "upload" not in path and "files" not in path]


@BOTH
async def test_small_images_need_no_upload(driver: Driver, simulator: str, name: str) -> None:
    await edited(driver, simulator, name, noise(100))
    assert not [each for each in await told(simulator, "requests") if UPLOADS_AT[name] in each["path"]]


@BOTH
async def test_a_key_that_is_refused_at_the_upload_buys_nothing(driver: Driver, simulator: str, name: str) -> None:
    provider = connect(name, Access(api_key=" ", base_url=f"{simulator}/{name}"))
    request = ImageRequest("nano-banana-2", "make it night", Operation.EDIT, (noise(1200),))
    with pytest.raises(ProviderError) as caught:
        await driver.converse(provider.adapter.converse(request, MODELS[name]), provider, Trace(), limit_s=30.0)
    assert (caught.value.fault, caught.value.spend) == (Fault.CREDENTIALS, Spend.NONE)
    assert await told(simulator, "books") == []
