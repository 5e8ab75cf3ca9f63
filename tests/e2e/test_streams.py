"""Streams end to end: interim pictures, completed ones, errors and silence, as they come over the wire."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.e2e.asking import FOUR, PROMPT, billed, error_of, metric
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import data_url, encoded, opened, scene
from tests.e2e.test_hang_up import in_flight, until

HEARTBEAT = ": heartbeat"
KNOWN = {f"{kind}.{what}" for kind in ("image_generation", "image_edit") for what in ("partial_image", "completed")} | {
    "error"
}
VENDOR_S = 3
"""What a vendor takes in real time, that something else is to come before it."""
SMALL = encoded(scene(160, 90), "PNG")


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its name and its document."""

    name: str
    document: dict[str, Any]


@contextmanager
def streaming(url: str, *, path: str = "generations", **fields: Any) -> Iterator[httpx.Response]:
    """The answer to a request for a stream, as it begins."""
    body = {"model": NANO_BANANA_2, "prompt": PROMPT, "size": "1376x768", "stream": True, **fields}
    with httpx.stream("POST", f"{url}/v1/images/{path}", json=body, timeout=60) as response:
        yield response


def events(url: str, *, seen: Any = None, **fields: Any) -> list[Told]:
    """All events of a stream, after checking that there is nothing in it but what clients know. ``seen`` is called with
    each event while the stream goes on."""
    told: list[Told] = []
    with streaming(url, **fields) as response:
        if response.status_code != 200:
            response.read()
        assert response.status_code == 200, response.text[:600]
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-request-id"].startswith("req_")
        name = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
                assert name in KNOWN
            elif line.startswith("data: "):
                document = json.loads(line.removeprefix("data: "))
                assert document["type"] == name
                told.append(Told(name, document))
                if seen is not None:
                    seen(told[-1])
            else:
                assert line in ("", HEARTBEAT)
    return told


def names(told: list[Told]) -> list[str]:
    return [each.name.partition(".")[2] or each.name for each in told]


def assert_whole(event: Told) -> None:
    """The event's picture decodes, and what is said of it is true."""
    picture = opened(event.document["b64_json"])
    assert event.document["size"] == f"{picture.width}x{picture.height}"
    assert event.document["output_format"] == (picture.format or "").lower()
    assert event.document["background"] == "opaque"
    assert isinstance(event.document["created_at"], int)


@pytest.mark.parametrize("provider", FOUR)
def test_every_provider_streams_its_image_and_what_the_gateway_did(plain: str, vendors: Vendors, provider: str) -> None:
    (completed,) = events(plain, model=f"{provider}/{NANO_BANANA_2}")
    assert completed.name == "image_generation.completed"
    assert_whole(completed)
    assert completed.document["size"] == "1376x768"
    usage = completed.document["usage"]
    assert {"input_tokens", "output_tokens", "total_tokens", "input_tokens_details"} <= set(usage)
    metadata = completed.document["metadata"]
    assert metadata["provider"] == provider
    assert Decimal(metadata["cost_usd"]) == vendors.sums(provider)["billed"]


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
def test_thoughts_are_partial_images_and_the_answer_comes_after_them(
    plain: str, vendors: Vendors, provider: str
) -> None:
    vendors.settle(provider=provider, latency_s=600)  # 4 s of real time, a third of it after the second partial image
    made: list[int] = []
    told = events(
        plain,
        seen=lambda _: made.append(vendors.sums(provider)["images"]),
        model=f"{provider}/{NANO_BANANA_2}",
        partial_images=3,
        thinking="high",
    )
    assert made == [0, 0, 1]  # they are shown while the vendor still works
    assert names(told) == ["partial_image", "partial_image", "completed"]
    assert [each.document["partial_image_index"] for each in told[:-1]] == [0, 1]
    for each in told:
        assert_whole(each)
    assert len({each.document["b64_json"] for each in told}) == 3
    assert all("metadata" not in each.document for each in told[:-1])


def test_no_more_partial_images_than_asked_for(plain: str) -> None:
    for most, expected in ((0, 0), (1, 1)):
        told = events(plain, model=f"gemini/{NANO_BANANA_2}", partial_images=most, thinking="high")
        assert names(told).count("partial_image") == expected
        assert names(told)[-1] == "completed"


@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_where_there_are_no_interim_images_none_are_made_up(plain: str, provider: str) -> None:
    assert names(events(plain, model=f"{provider}/{NANO_BANANA_2}", partial_images=3)) == ["completed"]


def test_partial_images_have_the_format_that_was_asked_for(plain: str) -> None:
    told = events(plain, model=f"gemini/{NANO_BANANA_2}", partial_images=2, thinking="high", output_format="webp")
    assert [each.document["output_format"] for each in told] == ["webp"] * 3
    for each in told:
        assert_whole(each)


@pytest.mark.parametrize("provider", FOUR)
def test_several_images_are_several_events_and_the_last_one_has_the_metadata(
    plain: str, vendors: Vendors, provider: str
) -> None:
    told = events(plain, model=f"{provider}/{NANO_BANANA_2}", n=3)
    assert names(told) == ["completed"] * 3
    assert ["metadata" in each.document for each in told] == [False, False, True]
    assert len({each.document["b64_json"] for each in told}) == 3
    assert len(told[-1].document["metadata"]["images"]) == 3
    assert vendors.sums(provider)["images"] == 3


def test_an_edit_streams_events_of_its_own_kind(plain: str) -> None:
    told = events(
        plain, path="edits", model=f"gemini/{NANO_BANANA_2}", images=[{"image_url": data_url(SMALL)}],
        partial_images=1, thinking="high",
    )  # fmt: skip
    assert [each.name for each in told] == ["image_edit.partial_image", "image_edit.completed"]


def test_a_form_may_ask_for_a_stream(plain: str) -> None:
    form = {"model": NANO_BANANA_2, "prompt": PROMPT, "stream": "true"}
    with httpx.stream("POST", f"{plain}/v1/images/edits", data=form, files={"image": SMALL}, timeout=60) as response:
        lines = list(response.iter_lines())
    assert "event: image_edit.completed" in lines


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"prompt": ""}, 400, "invalid_value"),
        ({"n": 11}, 400, "invalid_value"),
        ({"partial_images": 4}, 400, "invalid_value"),
        ({"response_format": "url"}, 400, "unsupported_value"),
        ({"model": "nobody/knows-this"}, 404, "model_not_found"),
        ({"background": "transparent"}, 400, "unsupported_value"),
        ({"provider": {"max_price": {"image": 0.000001}}}, None, None),
    ],
)
def test_what_is_known_before_the_stream_begins_is_a_status(
    plain: str, vendors: Vendors, fields: dict[str, Any], status: int | None, code: str | None
) -> None:
    with streaming(plain, **fields) as response:
        response.read()
        assert response.headers["content-type"] == "application/json"
        error = error_of(response, status or response.status_code)
        assert response.status_code >= 400
    assert code is None or error["code"] == code
    assert vendors.books() == []


def test_without_a_key_there_is_no_stream(start: StartGateway) -> None:
    with streaming(start(gateway_api_keys="a-key-of-a-caller")) as response:
        response.read()
        error_of(response, 401)


@pytest.mark.parametrize("kind", ["500", "wrong_size", "refusal", "truncated_image"])
def test_an_error_in_a_stream_is_its_last_event_and_says_what_was_tried(
    start: StartGateway, vendors: Vendors, kind: str
) -> None:
    url = start(providers=("gemini",), policy={"max_tries_per_offer": 1})
    vendors.fail("gemini", kind)
    (told,) = events(url)
    assert told.name == "error"
    error = told.document["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert (error["code"] == "moderation_blocked") == (kind == "refusal")
    (attempt,) = told.document["metadata"]["attempts"]
    assert attempt["spend"] == ("charged" if kind in ("wrong_size", "truncated_image") else "none")
    assert Decimal(attempt["cost_usd"]) == billed(vendors)
    assert until(lambda: in_flight(url) == 0)


def test_after_partial_images_an_error_is_still_nested(start: StartGateway, vendors: Vendors) -> None:
    url = start(providers=("gemini",), policy={"max_tries_per_offer": 1})
    vendors.fail("gemini", "wrong_ratio")
    told = events(url, partial_images=3, thinking="high")
    assert names(told)[-1] == "error"
    assert "completed" not in names(told)


@pytest.mark.parametrize(("first", "second"), [("gemini", "vertex"), ("vertex", "gemini"), ("gemini", "fal")])
def test_a_fallback_goes_on_counting_partial_images(
    start: StartGateway, vendors: Vendors, first: str, second: str
) -> None:
    vendors.fail(first, "wrong_size")
    url = start(providers=(first, second))
    told = events(url, partial_images=3, thinking="high", provider={"order": [first, second]})
    shown = [each.document["partial_image_index"] for each in told if each.name.endswith("partial_image")]
    assert shown == list(range(len(shown)))
    assert len(shown) >= 2
    assert names(told)[-1] == "completed"
    attempts = told[-1].document["metadata"]["attempts"]
    assert [attempt["provider"] for attempt in attempts] == [first, second]
    assert told[-1].document["size"] == "1376x768"


def test_fewer_images_than_asked_are_told_in_the_last_event(start: StartGateway, vendors: Vendors) -> None:
    url = start(providers=("gemini",), policy={"max_tries_per_offer": 1})
    vendors.fail("gemini", "500", count=1)
    told = events(url, n=3)
    assert names(told) == ["completed"] * 2
    warnings = {each["parameter"]: each["message"] for each in told[-1].document["metadata"]["warnings"]}
    assert warnings["n"].startswith("2 of 3 images")


def test_a_silent_vendor_is_bridged_by_heartbeats_from_the_first_second(plain: str, vendors: Vendors) -> None:
    vendors.settle(provider="replicate", latency_s=VENDOR_S * 150)
    began = time.monotonic()
    first_line: tuple[str, float] | None = None
    with streaming(plain, model=f"replicate/{NANO_BANANA_2}") as response:
        assert time.monotonic() - began < VENDOR_S  # the headers are there while the vendor still works
        for line in response.iter_lines():
            first_line = first_line or (line, time.monotonic() - began)
            last = line
    assert first_line is not None
    assert first_line[0] == HEARTBEAT
    assert first_line[1] < VENDOR_S
    assert last == ""


@pytest.mark.parametrize("provider", FOUR)
def test_a_hang_up_in_a_stream_ends_the_work_at_the_vendor(
    start: StartGateway, vendors: Vendors, provider: str
) -> None:
    vendors.settle(provider=provider, latency_s=20 * 150)  # 20 s of real time
    url = start()
    with streaming(url, model=f"{provider}/{NANO_BANANA_2}", n=2) as response:
        assert next(response.iter_lines()) == HEARTBEAT
    assert until(lambda: in_flight(url) == 0)
    if provider in ("fal", "replicate"):
        jobs = vendors.sums(provider)["requests"]
        assert jobs > 0
        assert until(lambda: vendors.sums(provider)["cancelled"] == jobs)
    assert vendors.sums(provider)["images"] == 0
    assert metric(url, "gateway_requests_total", outcome="abandoned") == 1


def test_names_whose_clients_read_url_stream_base64(plain: str) -> None:
    (completed,) = events(plain, model="dall-e-3")
    assert_whole(completed)
    assert "url" not in completed.document


def test_a_streams_request_counts_as_any_other(start: StartGateway) -> None:
    url = start()
    events(url)
    assert until(lambda: metric(url, "gateway_requests_total", outcome="ok") == 1)
    assert until(lambda: in_flight(url) == 0)
