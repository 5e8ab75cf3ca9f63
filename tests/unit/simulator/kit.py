"""What the simulator's tests share: a caller of the application, and the calls it makes at each vendor."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

import httpx
from PIL import Image

from simulator.server import create_app
from simulator.settings import SimulatorSettings

FAST = SimulatorSettings(time_scale=10_000.0)
MODEL = "gemini-3.1-flash-image-preview"
VENDORS = ("gemini", "vertex", "fal", "replicate")


def caller(settings: SimulatorSettings = FAST) -> httpx.AsyncClient:
    """A client of a fresh simulator, in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(settings)), base_url="http://simulator.test")


def picture(size: tuple[int, int] = (640, 480), colour: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    """A plain PNG."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def data_uri(data: bytes) -> str:
    """As fal and Replicate take input images."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def decoded(data: bytes) -> Image.Image:
    """Every pixel is read: a cut file raises."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def google_body(prompt: str = "a red fox", image: dict[str, Any] | None = None, **generation: Any) -> dict[str, Any]:
    """A generateContent body."""
    config = {"responseModalities": ["IMAGE"], **generation}
    if image is not None:
        config["imageConfig"] = image
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}], "generationConfig": config}


def google_path(vendor: str, model: str = MODEL, method: str = "generateContent") -> str:
    """Where a Google vendor is called."""
    root = "/gemini/v1beta" if vendor == "gemini" else "/vertex/v1/projects/p/locations/global/publishers/google"
    return f"{root}/models/{model}:{method}"


async def google(client: httpx.AsyncClient, vendor: str, body: dict[str, Any], model: str = MODEL) -> httpx.Response:
    """One generateContent call."""
    return await client.post(google_path(vendor, model), json=body, headers={"x-goog-api-key": "test-key"})


KEY = {"authorization": "Key id:secret"}
TOKEN = {"authorization": "Bearer token"}


async def fal(
    client: httpx.AsyncClient, body: dict[str, Any], endpoint: str = "fal-ai/nano-banana-2"
) -> httpx.Response:
    """Submit, follow the status to its end, answer the result; or the submit when it was refused."""
    submitted = await client.post(f"/fal/{endpoint}", json=body, headers=KEY)
    if submitted.status_code != 200:
        return submitted
    told = submitted.json()
    async with asyncio.timeout(20):
        while (await client.get(told["status_url"], headers=KEY)).json()["status"] != "COMPLETED":  # noqa: ASYNC110 - the simulator is asked over HTTP; there is no event to wait for
            await asyncio.sleep(0)
    return await client.get(told["response_url"], headers=KEY)


async def replicate(
    client: httpx.AsyncClient, given: dict[str, Any], model: str = "google/nano-banana-2"
) -> httpx.Response:
    """Create and wait for the end."""
    return await client.post(
        f"/replicate/v1/models/{model}/predictions", json={"input": given}, headers=TOKEN | {"prefer": "wait=5"}
    )


async def generate(client: httpx.AsyncClient, vendor: str, prompt: str = "a red fox") -> httpx.Response:
    """The simplest generation at a vendor, at 1K."""
    if vendor == "fal":
        return await fal(client, {"prompt": prompt})
    if vendor == "replicate":
        return await replicate(client, {"prompt": prompt})
    return await google(client, vendor, google_body(prompt))


async def image_of(client: httpx.AsyncClient, vendor: str, answer: httpx.Response) -> Image.Image:
    """The picture in a successful answer."""
    assert answer.is_success, answer.text
    body = answer.json()
    if vendor in ("gemini", "vertex"):
        parts = body["candidates"][0]["content"]["parts"]
        return decoded(base64.b64decode(parts[-1]["inlineData"]["data"], validate=True))
    link = body["images"][0]["url"] if vendor == "fal" else body["output"]
    return decoded((await client.get(link)).content)


async def fault(client: httpx.AsyncClient, vendor: str, kind: str, **more: Any) -> dict[str, Any]:
    """Order a fault."""
    answer = await client.post("/_control/faults", json={"provider": vendor, "kind": kind, **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def books(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The vendors' books."""
    rows: list[dict[str, Any]] = (await client.get("/_control/books")).json()
    return rows
