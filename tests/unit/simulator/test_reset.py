"""A reset while work is under way: it ends, and leaves no trace in the new books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from simulator.settings import SimulatorSettings
from tests.unit.simulator.kit import KEY, TOKEN, VENDORS, books, caller, google, google_body, picture

REAL = SimulatorSettings(time_scale=1.0)
"""With ``latency_s`` the tests say how long work takes."""
FOX = {"prompt": "a red fox"}
Call = Callable[[httpx.AsyncClient], Coroutine[Any, Any, httpx.Response]]


async def settle(client: httpx.AsyncClient, **settings: Any) -> None:
    (await client.post("/_control/settings", json={"provider": "*", **settings})).raise_for_status()


async def begun(client: httpx.AsyncClient) -> None:
    """Return when a generation is in the books."""
    async with asyncio.timeout(20):
        while not await books(client):  # noqa: ASYNC110 - the simulator is asked over HTTP; there is no event to wait for
            await asyncio.sleep(0.005)


async def reset(client: httpx.AsyncClient) -> None:
    (await client.post("/_control/reset", json={"seed": 1})).raise_for_status()


@pytest.mark.parametrize("vendor", ["gemini", "vertex"])
async def test_a_generation_under_way_is_not_written_into_the_new_books(vendor: str) -> None:
    async with caller(REAL) as client:
        await settle(client, latency_s=0.2)
        call = asyncio.create_task(google(client, vendor, google_body()))
        await begun(client)
        await reset(client)
        await call
        assert await books(client) == []


async def direct(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/fal-run/fal-ai/nano-banana-2", json=FOX, headers=KEY)


async def followed(client: httpx.AsyncClient) -> httpx.Response:
    told = (await client.post("/fal/fal-ai/nano-banana-2", json=FOX, headers=KEY)).json()
    return await client.get(told["status_url"] + "/stream", headers=KEY)


async def waited(client: httpx.AsyncClient) -> httpx.Response:
    path = "/replicate/v1/models/google/nano-banana-2/predictions"
    return await client.post(path, json={"input": FOX}, headers=TOKEN | {"prefer": "wait=60"})


@pytest.mark.parametrize("call", [direct, followed, waited])
async def test_whoever_waits_for_a_job_is_answered(call: Call) -> None:
    async with caller(REAL) as client:
        await settle(client, latency_s=3600)
        waiting = asyncio.create_task(call(client))
        await begun(client)
        await reset(client)
        async with asyncio.timeout(20):
            answer = await waiting
        assert answer.status_code == (200 if call is followed else 503)
        assert await books(client) == []


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
async def test_uploads_are_named_from_the_beginning(vendor: str) -> None:
    async def name(client: httpx.AsyncClient) -> str:
        if vendor == "fal":
            answer = await client.post("/fal/storage/upload/initiate", json={"file_name": "a.png"}, headers=KEY)
            return str(answer.json()["file_url"])
        files = {"content": ("in.png", picture(), "image/png")}
        return str((await client.post("/replicate/v1/files", files=files, headers=TOKEN)).json()["id"])

    async with caller() as client:
        first = await name(client)
        assert await name(client) != first
        await reset(client)
        assert await name(client) == first


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_request_whose_body_was_still_coming_does_not_count_in_the_new_world(vendor: str) -> None:
    paths = {
        "gemini": "/gemini/v1/models/gemini-2.5-flash-image:generateContent",
        "vertex": "/vertex/v1/publishers/google/models/gemini-2.5-flash-image:generateContent",
        "fal": "/fal/fal-ai/nano-banana-2",
        "replicate": "/replicate/v1/models/google/nano-banana-2/predictions",
    }
    body = {
        "gemini": b'{"contents": {"role": "user", "parts": {"text": "a red fox"}}}',
        "vertex": b'{"contents": {"role": "user", "parts": {"text": "a red fox"}}}',
        "fal": b'{"prompt": "a red fox"}',
        "replicate": b'{"input": {"prompt": "a red fox"}}',
    }[vendor]
    headers = TOKEN if vendor == "replicate" else KEY if vendor == "fal" else {"x-goog-api-key": "k"}
    async with caller() as client:

        async def slowly() -> Any:
            yield body[:5]
            await reset(client)
            yield body[5:]

        answer = await client.post(paths[vendor], content=slowly(), headers=headers)
        assert answer.status_code == 503
        assert await books(client) == []
