"""Streamed answers: thoughts early, the rest after the work, errors where they are ordered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from simulator.server import create_app
from simulator.settings import SimulatorSettings
from tests.servers import running
from tests.unit.simulator.kit import MODEL, books, caller, fault, google_body, google_path

KEY = {"x-goog-api-key": "test-key"}
SHOWN = google_body(thinkingConfig={"includeThoughts": True})
BOTH = pytest.mark.parametrize("vendor", ["gemini", "vertex"])


def path(vendor: str) -> str:
    return f"{google_path(vendor, MODEL, 'streamGenerateContent')}?alt=sse"


def kind(event: dict[str, Any]) -> str:
    if "error" in event:
        return "error"
    (part,) = event["candidates"][0]["content"]["parts"]
    what = "picture" if "inlineData" in part else "text"
    return f"thought {what}" if part.get("thought") else what


def told(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\r\n\r\n") if line]


@BOTH
async def test_thoughts_that_are_pictures_come_as_events_before_the_picture(vendor: str) -> None:
    async with caller() as client:
        answer = await client.post(path(vendor), json=SHOWN, headers=KEY)
        events = told(answer.text)
        assert answer.headers["content-type"].startswith("text/event-stream")
        kinds = ["thought text", "thought picture", "thought picture", "picture", "text"]
        assert [kind(event) for event in events] == kinds
        assert [event["candidates"][0].get("finishReason") for event in events] == [None] * 4 + ["STOP"]
        assert [row["images"] for row in await books(client)] == [1]


def lines_of(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line:
            yield json.loads(line.removeprefix("data: "))


def test_a_thought_is_shown_while_the_work_still_goes_on() -> None:
    """The work takes four and a half seconds: what is seen before its end is seen early."""
    with (
        running(create_app(SimulatorSettings(time_scale=1.0))) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        client.post("/_control/settings", json={"provider": "gemini", "latency_s": 45_000, "time_scale": 10_000})
        with client.stream("POST", path("gemini"), json=SHOWN, headers=KEY) as answer:
            client.post("/_control/settings", json={"provider": "gemini", "concurrency": 1})
            events = lines_of(answer)
            assert kind(next(events)) == "thought text"
            assert kind(next(events)) == "thought picture"
            assert client.get("/_control/books").json()[0]["images"] == 0
            assert client.post(path("gemini"), json=SHOWN, headers=KEY).status_code == 429
            assert [kind(event) for event in events] == ["thought picture", "picture", "text"]
        assert client.get("/_control/books").json()[0]["images"] == 1


def test_a_client_that_leaves_after_a_thought_is_not_billed_and_frees_its_place() -> None:
    with (
        running(create_app(SimulatorSettings(time_scale=1.0))) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        client.post("/_control/settings", json={"provider": "gemini", "latency_s": 45_000, "time_scale": 10_000})
        with client.stream("POST", path("gemini"), json=SHOWN, headers=KEY) as answer:
            events = lines_of(answer)
            assert [kind(next(events)) for _ in range(2)] == ["thought text", "thought picture"]
        client.post("/_control/settings", json={"provider": "gemini", "latency_s": 0, "concurrency": 1})
        give_up = time.monotonic() + 20
        while client.post(path("gemini"), json=SHOWN, headers=KEY).status_code != 200:
            assert time.monotonic() < give_up
        assert client.get("/_control/books").json()[0]["images"] == 1


@pytest.mark.parametrize(("ordered", "code"), [("503", 503), ("500", 500), ("429", 429)])
@BOTH
async def test_an_error_ordered_for_the_middle_comes_after_a_thought_and_is_not_billed(
    vendor: str, ordered: str, code: int
) -> None:
    async with caller() as client:
        await fault(client, vendor, ordered, params={"mid_stream": True})
        answer = await client.post(path(vendor), json=SHOWN, headers=KEY)
        events = told(answer.text)
        assert answer.status_code == 200
        assert [kind(event) for event in events] == ["thought text", "thought picture", "thought picture", "error"]
        assert events[-1]["error"]["code"] == code
        assert [row["images"] for row in await books(client)] == [0]
        plain = await client.post(google_path(vendor), json=google_body(), headers=KEY)
        assert plain.status_code == code


@pytest.mark.parametrize("ordered", ["no_image", "refusal", "short_count", "flagged_black"])
@BOTH
async def test_a_stream_without_a_picture_tells_why_and_is_not_billed(vendor: str, ordered: str) -> None:
    async with caller() as client:
        await fault(client, vendor, ordered)
        answer = await client.post(path(vendor), json=SHOWN, headers=KEY)
        assert answer.status_code == 200
        assert told(answer.text)
        assert [row["images"] for row in await books(client)] == [0]
