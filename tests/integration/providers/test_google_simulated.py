"""Google's adapters, driver and transport against the simulator: uploads that arrive, interim images that are early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from providers.blobs import MemoryBlob
from providers.converse import Driver, Provider, Trace
from providers.credentials import StaticKey
from providers.gemini.adapter import GeminiAdapter
from providers.gemini.files import INLINE_BASE64
from providers.spec.adapter import Adapter, ProviderModel
from providers.spec.blob import Blob
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Safety
from providers.spec.result import ImageResult
from providers.transport import Transport
from providers.vertex.adapter import VertexAdapter
from simulator.server import create_app
from simulator.settings import SimulatorSettings
from tests.servers import running

MODEL = ProviderModel("gemini-3.1-flash-image", "gemini-3-image")
PLAIN = ImageRequest("public", "a red fox")
BOTH = pytest.mark.parametrize("vendor", ["gemini", "vertex"])


@pytest.fixture
def simulator() -> Iterator[str]:
    with running(create_app(SimulatorSettings(time_scale=10_000.0))) as url:
        yield url


def adapter(vendor: str, url: str) -> Adapter:
    return GeminiAdapter(f"{url}/gemini") if vendor == "gemini" else VertexAdapter(f"{url}/vertex", project="p")


class Scene:
    def __init__(self, url: str, driver: Driver) -> None:
        self.url = url
        self.driver = driver
        self.interims: list[Blob] = []

    async def made(self, vendor: str, request: ImageRequest, *, limit_s: float = 30.0) -> ImageResult:
        speaking = adapter(vendor, self.url)
        provider = Provider(speaking, StaticKey("x-goog-api-key", "test-key"))
        conversation = speaking.converse(request, MODEL)
        return await self.driver.converse(
            conversation, provider, Trace(), limit_s=limit_s, on_interim=self.interims.append
        )

    async def failure(self, vendor: str, request: ImageRequest) -> ProviderError:
        with pytest.raises(ProviderError) as raised:
            await self.made(vendor, request)
        return raised.value

    async def told(self, what: str) -> Any:
        async with httpx.AsyncClient(base_url=self.url, timeout=30.0) as client:
            return (await client.get(f"/_control/{what}")).json()

    async def order(self, what: str, **fields: Any) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=30.0) as client:
            assert (await client.post(f"/_control/{what}", json=fields)).is_success


@asynccontextmanager
async def stage(url: str) -> AsyncIterator[Scene]:
    transport = Transport()
    driver = Driver(transport)
    yield Scene(url, driver)
    await driver.close(20.0)
    await transport.close()


def noise(edge: int) -> bytes:
    """A PNG that cannot be compressed: three bytes a pixel."""
    out = BytesIO()
    Image.frombytes("RGB", (edge, edge), random.Random(1).randbytes(edge * edge * 3)).save(out, "PNG")
    return out.getvalue()


def opened(blob: Blob) -> Image.Image:
    return Image.open(BytesIO(blob.read()))


async def test_large_images_are_uploaded_small_ones_sent_and_all_of_them_arrive(simulator: str) -> None:
    large, small = noise(2100), noise(64)
    assert len(large) * 4 // 3 > INLINE_BASE64
    images = tuple(MemoryBlob(data, "image/png") for data in (large, small))
    async with stage(simulator) as scene:
        await scene.made("gemini", replace(PLAIN, operation=Operation.EDIT, images=images))
        received = [(each["bytes"], each["format"]) for each in await scene.told("inputs")]
        journal = await scene.told("requests")
        books = await scene.told("books")
    assert received == [(len(large), "png"), (len(small), "png")]
    assert [each["path"].partition("?")[0] for each in journal] == [
        "/gemini/upload/v1beta/files",
        "/gemini/upload/v1beta/files",
        "/gemini/v1beta/models/gemini-3.1-flash-image:generateContent",
    ]
    assert [(row["operation"], row["images"]) for row in books] == [("edit", 1)]


@BOTH
async def test_interim_images_come_before_the_image_and_differ_from_it(simulator: str, vendor: str) -> None:
    async with stage(simulator) as scene:
        result = await scene.made(vendor, replace(PLAIN, partial_images=2))
    assert [opened(blob).size for blob in scene.interims] == [(512, 512)] * 2
    assert [opened(blob).size for blob in result.images] == [(1024, 1024)]
    assert result.usage is not None
    assert result.usage.output_image_tokens == 1120


async def test_an_interim_image_is_there_while_the_vendor_still_works(simulator: str) -> None:
    async with stage(simulator) as scene:
        await scene.order("settings", provider="gemini", latency_s=7200, time_scale=1800)
        making = asyncio.create_task(scene.made("gemini", replace(PLAIN, partial_images=1)))
        async with asyncio.timeout(30):
            while not scene.interims:  # noqa: ASYNC110 - the driver calls back; there is no event to wait for
                await asyncio.sleep(0.01)
        assert not making.done()
        assert len((await making).images) == 1
    assert len(scene.interims) == 1


@BOTH
async def test_an_error_in_the_middle_of_a_stream_is_the_vendors_fault(simulator: str, vendor: str) -> None:
    async with stage(simulator) as scene:
        await scene.order("faults", provider=vendor, kind="503", params={"mid_stream": True})
        failed = await scene.failure(vendor, replace(PLAIN, partial_images=1))
    assert (failed.fault, failed.spend) == (Fault.OVERLOADED, Spend.POSSIBLE)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("429", Fault.RATE_LIMITED),
        ("503", Fault.OVERLOADED),
        ("refusal", Fault.CONTENT_REFUSED),
        ("no_image", Fault.BAD_REPLY),
        ("short_count", Fault.BAD_REPLY),
        ("reset", Fault.UNREACHABLE),
        ("html_502", Fault.OVERLOADED),
    ],
)
async def test_what_goes_wrong_goes_wrong_alike_with_and_without_interim_images(
    simulator: str, kind: str, fault: Fault
) -> None:
    async with stage(simulator) as scene:
        await scene.order("faults", provider="gemini", kind=kind)
        for wanted in (0, 2):
            assert (await scene.failure("gemini", replace(PLAIN, partial_images=wanted))).fault is fault


@BOTH
async def test_every_wish_is_worded_as_the_vendor_reads_it(simulator: str, vendor: str) -> None:
    options = {"generation_config": {"temperature": 0.3, "top_p": 0.9}}
    request = replace(
        PLAIN,
        web_search=True,
        image_search=True,
        safety=Safety.STRICT,
        system_prompt="Flat vector style.",
        thinking="high",
        output_format=OutputFormat.JPEG if vendor == "vertex" else None,
        output_compression=40 if vendor == "vertex" else None,
        provider_options={vendor: options},
    )
    async with stage(simulator) as scene:
        for each in (request, replace(request, safety=Safety.RELAXED, partial_images=1)):
            assert opened((await scene.made(vendor, each)).images[0]).format == "JPEG"


async def test_an_option_the_vendor_does_not_know_is_unsupported(simulator: str) -> None:
    async with stage(simulator) as scene:
        failed = await scene.failure("gemini", replace(PLAIN, provider_options={"gemini": {"labels": {"a": "b"}}}))
    assert (failed.fault, failed.spend) == (Fault.UNSUPPORTED, Spend.NONE)
