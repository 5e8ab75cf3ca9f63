"""Bodies: malformed ones are answered in the vendor's own shape, and long ones are not kept."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from simulator import bodies
from simulator.bodies import abridged, weight
from simulator.server import create_app
from tests.unit.simulator.kit import FAST, KEY, MODEL, TOKEN, VENDORS, caller, fault, google, google_body, google_path

REPLICATE = "/replicate/v1/models/google/nano-banana-2/predictions"
CALLS = {
    "gemini": (google_path("gemini"), {"x-goog-api-key": "test-key"}),
    "vertex": (google_path("vertex"), {"x-goog-api-key": "test-key"}),
    "fal": ("/fal/fal-ai/nano-banana-2", KEY),
    "replicate": (REPLICATE, TOKEN),
    "upload": ("/fal/storage/upload/initiate", KEY),
    "control": ("/_control/faults", {}),
}


def assert_in_the_shape_of(vendor: str, answer: httpx.Response) -> None:
    body = answer.json()
    if vendor in ("gemini", "vertex"):
        assert body["error"]["code"] == answer.status_code
        assert {"message", "status"} <= set(body["error"])
    elif vendor in ("fal", "upload"):
        assert body["detail"]
    elif vendor == "replicate":
        assert body["status"] == answer.status_code
        assert body["title"]
    else:
        assert isinstance(body["error"], str)


@pytest.mark.parametrize("where", sorted(CALLS))
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"3",
        b"NaN",
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"prompt": "a \\uDFFF"}',
        b'{"x": "\xed\xa0\x80"}',
        b'{"x": 1e999}',
        b'{"x": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 150 + b"1" + b"}" * 150,
    ],
    ids=lambda content: repr(content[:16]),
)
async def test_a_body_that_is_no_good_json_is_refused_in_the_vendors_shape(where: str, content: bytes) -> None:
    path, headers = CALLS[where]
    async with caller() as client:
        answer = await client.post(path, content=content, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text
        assert_in_the_shape_of(where, answer)


@pytest.mark.parametrize("where", sorted(CALLS))
async def test_a_body_beyond_the_limit_is_refused(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST", 1000)
    path, headers = CALLS[where]
    async with caller() as client:
        answer = await client.post(path, content=b'{"prompt": "' + b"x" * 1000 + b'"}', headers=headers)
        assert 400 <= answer.status_code < 500
        assert_in_the_shape_of(where, answer)


@pytest.mark.parametrize("vendor", ["gemini", "vertex"])
@pytest.mark.parametrize("value", [[], {}, 3, [["1K"]], None])
async def test_google_takes_no_lists_for_words(vendor: str, value: Any) -> None:
    async with caller() as client:
        for image in (
            {"imageSize": value},
            {"aspectRatio": value},
            {"imageOutputOptions": {"mimeType": value}},
            {"imageOutputOptions": value},
        ):
            answer = await google(client, vendor, google_body(image=image))
            absent = value is None or image == {"imageOutputOptions": {}}
            assert answer.status_code in ((200, 400) if absent else (400,))
        body = google_body()
        for blob in ({"mimeType": value, "data": "AAAA"}, {"mimeType": "image/png", "data": "é"}):
            body["contents"][0]["parts"] = [{"inlineData": blob}]
            assert (await google(client, vendor, body)).status_code == 400


@pytest.mark.parametrize("order", [{"provider": []}, {"provider": {}}, {"provider": "fal", "kind": ["hang"]}])
async def test_the_control_interface_takes_no_lists_for_words(order: dict[str, Any]) -> None:
    async with caller() as client:
        answer = await client.post("/_control/faults", json={"kind": "hang", **order})
        assert answer.status_code == 400
        assert "unknown" in answer.json()["error"]


async def test_numbers_without_end_are_refused_or_taken_for_nothing() -> None:
    async with caller() as client:
        for field in ("rate", "count", "seconds"):
            order = {"provider": "fal", "kind": "hang", field: 10**400}
            assert (await client.post("/_control/faults", json=order)).status_code == 400
        answer = await client.post("/_control/settings", json={"provider": "fal", "latency_s": 10**400})
        assert answer.status_code == 400
        await fault(client, "gemini", "429", params={"retry_after": 10**400})
        assert (await google(client, "gemini", google_body())).status_code == 429


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (REPLICATE, TOKEN | {"cancel-after": "9" * 400 + "h"}),
        (REPLICATE, TOKEN | {"cancel-after": "999999999h"}),
        ("/fal/fal-ai/nano-banana-2", KEY | {"x-fal-request-timeout": "nan"}),
        ("/fal/fal-ai/nano-banana-2?fal_max_queue_length=" + "9" * 5000, KEY),
        ("/fal/fal-ai/nano-banana-2?fal_max_queue_length=%C2%B2", KEY),
    ],
)
async def test_odd_headers_and_queries_do_no_harm(path: str, headers: dict[str, str]) -> None:
    async with caller() as client:
        body = {"input": {"prompt": "a fox"}} if path == REPLICATE else {"prompt": "a fox"}
        assert (await client.post(path, json=body, headers=headers)).status_code in (200, 201)


async def test_a_link_that_is_none_cannot_be_fetched() -> None:
    async with caller() as client:
        body = {"input": {"prompt": "a fox", "image_input": ["http://["]}}
        answer = await client.post(REPLICATE, json=body, headers=TOKEN | {"prefer": "wait"})
        assert answer.json()["status"] == "failed"


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_failure_of_the_simulator_itself_has_the_vendors_shape_and_is_told_on_standard_error(
    vendor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ArithmeticError("canary")

    monkeypatch.setattr("simulator.world.World.turn", broken)
    path, headers = CALLS[vendor]
    good = google_body() if vendor in ("gemini", "vertex") else {"prompt": "a fox", "input": {"prompt": "a fox"}}
    transport = httpx.ASGITransport(create_app(FAST))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator.test") as client:
        answer = await client.post(path, json=good, headers=headers)
    assert answer.status_code == 500
    assert_in_the_shape_of(vendor, answer)
    assert answer.headers["x-image-gateway-simulator"] == vendor
    assert "ArithmeticError: canary" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/gemini/nowhere", 404),
        ("GET", "/gemini", 404),
        ("DELETE", f"/gemini/v1/models/{MODEL}", 405),
        ("GET", "/vertex/v1/projects", 404),
        ("GET", google_path("vertex"), 405),
        ("GET", "/fal-run/fal-ai/nano-banana-2", 405),
        ("GET", "/replicate/v1/nowhere", 404),
        ("DELETE", "/replicate/v1/predictions", 405),
    ],
)
async def test_a_path_or_method_nobody_takes_is_refused_in_the_vendors_shape(method: str, path: str, code: int) -> None:
    async with caller() as client:
        answer = await client.request(method, path, headers={"x-goog-api-key": "test-key"} | TOKEN)
        assert answer.status_code == code
        vendor = path.split("/")[1].removesuffix("-run")
        assert_in_the_shape_of(vendor, answer)


def test_long_texts_are_abridged_and_say_so_and_short_ones_are_left_alone() -> None:
    body = {"prompt": "a fox", "image": "data:image/png;base64," + "A" * 1_000_000, "more": ["x" * 100_000] * 1000}
    short = abridged(body)
    assert short["prompt"] == "a fox"
    assert short["image"].startswith("data:image/png;base64,AAA")
    assert "1000022 characters" in short["image"]
    assert len(json.dumps(short)) < 200_000
    assert weight(body) > 1_000_000 > weight(short)
