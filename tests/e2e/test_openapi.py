"""The OpenAPI document as it is served, and real answers of every kind held against it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from simulator.faults import Kind
from tests.e2e import patient
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.described import Answers
from tests.e2e.pictures import encoded, scene

PATHS = ("/openapi.json", "/v1/openapi.json", "/openai/v1/openapi.json")
FOX = {"model": "nano-banana-2", "prompt": "a fox"}


@pytest.fixture
def answers(plain: str) -> Answers:
    return Answers(patient.get(f"{plain}/openapi.json").raise_for_status().json())


def test_it_is_served_under_every_prefix_as_the_same_bytes(plain: str) -> None:
    served = [patient.get(plain + path) for path in PATHS]
    assert len({each.content for each in served}) == 1
    assert served[0].headers["content-type"] == "application/json"
    head = patient.head(f"{plain}/openapi.json")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(served[0].content)


def test_it_asks_for_a_key_like_every_path_that_is_not_listed(start: StartGateway) -> None:
    url = start(gateway_api_keys="a-key-of-a-caller")
    for path in PATHS:
        refused = patient.get(url + path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert patient.get(url + path, headers={"api-key": "a-key-of-a-caller"}).status_code == 200


def test_answers_are_as_described(plain: str, answers: Answers) -> None:
    with httpx.Client(base_url=plain, timeout=60) as client:
        model = f"/v1/models/{NANO_BANANA_2}"
        told = {
            "ModelList": client.get("/v1/models"),
            "Model": client.get(model),
            "RankingList": client.get("/v1/stats"),
            "RoutePlan": client.post("/v1/route", json={**FOX, "models": ["gemini-3-pro-image-preview"]}),
            "Health": client.get("/healthz"),
            "Readiness": client.get("/readyz"),
            "Images": client.post("/v1/images/generations", json={**FOX, "n": 2, "seed": 7, "size": "1000x700"}),
        }
        told_again = {
            "RankingList": client.get(f"{model}/providers"),
            "RoutePlan": client.post("/v1/images/generations?dry_run", json=FOX),
            "Images": client.post("/v1/images/generations", json={**FOX, "response_format": "url"}),
        }
        edited = client.post("/v1/images/edits", data=FOX, files={"image": encoded(scene(640, 480), "PNG")})
    for name, response in [*told.items(), *told_again.items(), ("Images", edited)]:
        assert response.status_code == 200, response.text
        assert answers.fault(name, response.json()) is None, name


def test_errors_are_as_described(vendors: Vendors, start: StartGateway) -> None:
    url = start()
    answers = Answers(patient.get(f"{url}/openapi.json").json())
    vendors.fail("*", Kind.INTERNAL)
    with httpx.Client(base_url=url, timeout=60) as client:
        refused = [
            client.post("/v1/images/generations", json={"prompt": ""}),
            client.post("/v1/images/generations", json={**FOX, "model": "nobody"}),
            client.post("/v1/images/variations"),
            client.get("/v1/nothing"),
            client.put("/v1/models"),
            client.get("/v1/images/files/x/y"),
            client.post("/v1/images/generations", json={**FOX, "timeout": 20}),
        ]
    assert [each.status_code for each in refused[:-1]] == [400, 404, 404, 404, 405, 404]
    assert refused[-1].status_code >= 500
    assert "metadata" in refused[-1].json()
    for response in refused:
        assert answers.fault("Error", response.json()) is None, response.text


def test_events_are_as_described(plain: str, answers: Answers) -> None:
    body = {**FOX, "stream": True, "partial_images": 2, "thinking_level": "high", "n": 2}
    lines = httpx.post(f"{plain}/v1/images/generations", json=body, timeout=60).text.splitlines()
    events: list[dict[str, Any]] = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    kinds = {"partial_image": "PartialImageEvent", "completed": "CompletedImageEvent", "error": "ErrorEvent"}
    assert {"image_generation.partial_image", "image_generation.completed"} == {event["type"] for event in events}
    for event in events:
        assert answers.fault(kinds[event["type"].rpartition(".")[2]], event) is None


def test_an_error_in_a_stream_is_as_described(vendors: Vendors, start: StartGateway) -> None:
    url = start()
    answers = Answers(patient.get(f"{url}/openapi.json").json())
    vendors.fail("*", Kind.INTERNAL)
    text = httpx.post(f"{url}/v1/images/generations", json={**FOX, "stream": True, "timeout": 20}, timeout=60).text
    (event,) = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert answers.fault("ErrorEvent", event) is None


def test_a_member_nobody_described_is_a_fault(answers: Answers) -> None:
    assert answers.fault("Health", {"status": "ok"}) is None
    assert answers.fault("Health", {"status": "ok", "more": 1}) is not None
    assert answers.fault("Health", {}) is not None
