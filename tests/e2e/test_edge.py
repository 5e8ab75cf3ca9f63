"""What every route keeps to: keys, the envelope, request ids, health, metrics."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from app.main import StartError, create_app
from app.settings import Settings
from tests.e2e import patient
from tests.e2e.asking import ask
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors

KEY = "caller-key-one"
BEARER = {"Authorization": f"Bearer {KEY}"}


def assert_envelope(response: httpx.Response, status: int, *, param: str | None = None) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert body["error"]["param"] == param
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    return body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/", 404),
        ("GET", "/v1/images/generations", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/healthz", 405),
        ("POST", "/v1/images/variations", 404),
        ("POST", "/v1/images/generations/", 404),
        ("POST", "/v1/chat/completions", 404),
        ("GET", "/docs", 404),
    ],
)
def test_every_error_is_the_envelope(start: StartGateway, method: str, path: str, status: int) -> None:
    response = patient.request(method, start() + path)
    assert_envelope(response, status)
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("prefix", ["/v1", "", "/openai/v1"])
def test_the_door_answers_under_every_prefix_people_configure(start: StartGateway, prefix: str) -> None:
    url = start()
    response = httpx.post(f"{url}{prefix}/images/generations", json={"prompt": "a fox"}, timeout=30)
    assert response.status_code == 200
    assert patient.get(f"{url}{prefix}/models").json()["object"] == "list"
    edited = patient.post(f"{url}{prefix}/images/edits", data={"prompt": "a fox"}, files={"image": b"x"})
    assert_envelope(edited, 400, param="image")


@pytest.mark.parametrize(
    ("body", "headers", "status", "param"),
    [
        (b"", {}, 400, "body"),
        (b"{", {"content-type": "application/json"}, 400, "body"),
        (b"[]", {"content-type": "application/json"}, 400, "body"),
        (b"\xff\xfe", {"content-type": "application/json"}, 400, "body"),
        (b'{"prompt": 5}', {"content-type": "application/json"}, 400, "prompt"),
        (b"{}", {"content-type": "application/json"}, 400, "prompt"),
        (b"prompt=fox", {"content-type": "application/x-www-form-urlencoded"}, 415, None),
        (b"--b--", {"content-type": "multipart/form-data; boundary=b"}, 400, "prompt"),
        (b"--b", {"content-type": "multipart/form-data; boundary=b"}, 400, "body"),
        (b"--b--", {"content-type": "multipart/form-data"}, 400, "body"),
        (b"--b--", {"content-type": "multipart/mixed; boundary=b"}, 415, None),
        (b"[" * 100_000, {"content-type": "application/json"}, 400, "body"),
    ],
)
def test_an_unreadable_body_is_told_so(
    start: StartGateway, body: bytes, headers: dict[str, str], status: int, param: str | None
) -> None:
    response = patient.post(f"{start()}/v1/images/generations", content=body, headers=headers)
    assert_envelope(response, status, param=param)


def test_json_without_a_content_type_is_read_as_curl_sends_it(start: StartGateway) -> None:
    response = httpx.post(
        f"{start()}/v1/images/generations",
        content=b'{"prompt": "a fox"}',
        headers={"content-type": "application/x-www-form-urlencoded"},
        timeout=30,
    )
    assert response.status_code == 200


def test_a_body_without_end_is_cut_off(start: StartGateway) -> None:
    url = start()
    chunk = b" " * (1024 * 1024)
    response = httpx.post(f"{url}/v1/images/generations", content=(chunk for _ in range(40)), timeout=30)
    assert_envelope(response, 413)


def test_unknown_fields_and_nulls_disturb_nobody(start: StartGateway) -> None:
    response = ask(start(), quality=None, n=None, seed=None, steps=4, loras=[{"path": "x"}], user="u", extra_headers={})
    assert response.status_code == 200


def test_without_the_key_nothing_is_served(start: StartGateway, vendors: Vendors) -> None:
    url = start(gateway_api_keys=f"other, {KEY}")
    for path in ("/v1/models", "/v1/images/generations", "//healthz", "/healthz/", "/nothing", "/openapi.json"):
        assert assert_envelope(patient.get(url + path), 401)["error"]["code"] == "invalid_api_key"
    assert_envelope(ask(url), 401)
    assert_envelope(ask(url, headers={"Authorization": "Bearer wrong"}), 401)
    assert vendors.books() == []
    assert ask(url, headers=BEARER).status_code == 200
    assert ask(url, headers={"x-api-key": KEY}).status_code == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        assert patient.get(url + path).status_code == 200


def test_forwarded_headers_and_absolute_targets_change_nothing(start: StartGateway) -> None:
    url = start(gateway_api_keys=KEY)
    for headers in (
        {"X-Forwarded-Path": "/healthz"},
        {"X-Original-URL": "/healthz"},
        {"Host": "localhost"},
        {"X-Forwarded-For": "127.0.0.1"},
    ):
        assert patient.get(f"{url}/v1/models", headers=headers).status_code == 401
    parts = urlsplit(url)
    for target in ("/healthz/../v1/models", "/%68ealthz/%2e%2e/v1/models", f"{url}/v1/models", "/v1/models?/healthz"):
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as raw:
            raw.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert answer.split(b" ")[1] in {b"401", b"400"}, target


def test_metrics_have_a_key_of_their_own_when_set(start: StartGateway) -> None:
    url = start(gateway_api_keys=KEY, gateway_metrics_key="metrics-key")
    assert_envelope(patient.get(f"{url}/metrics"), 401)
    assert_envelope(patient.get(f"{url}/metrics", headers=BEARER), 401)
    assert patient.get(f"{url}/metrics", headers={"Authorization": "Bearer metrics-key"}).status_code == 200
    assert_envelope(patient.get(f"{url}/v1/models", headers={"Authorization": "Bearer metrics-key"}), 401)


def test_without_keys_only_programs_of_this_machine_are_served(start: StartGateway) -> None:
    url = start()
    assert_envelope(patient.get(f"{url}/v1/models", headers={"Host": "rebound.example"}), 403)
    assert_envelope(patient.get(f"{url}/v1/models", headers={"Origin": "https://evil.example"}), 403)
    assert patient.get(f"{url}/v1/models", headers={"Origin": "http://localhost:3000"}).status_code == 200


def test_without_keys_no_other_bind_is_accepted(vendors: Vendors) -> None:
    settings = Settings(_env_file=None, gateway_host="0.0.0.0", fal_key="k")
    with pytest.raises(StartError, match="GATEWAY_API_KEYS is not set"):
        create_app(settings)


def test_with_no_offer_the_start_says_what_to_set() -> None:
    with pytest.raises(StartError, match=r"GEMINI_API_KEY.*REPLICATE_API_TOKEN"):
        create_app(Settings(_env_file=None))


def test_an_unknown_default_model_stops_the_start() -> None:
    with pytest.raises(StartError, match="GATEWAY_DEFAULT_MODEL=nonsense"):
        create_app(Settings(_env_file=None, gateway_default_model="nonsense", fal_key="k"))


def test_health_and_metrics_tell_what_happened(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", "503", count=1)
    assert ask(url).status_code == 200
    assert ask(url, size="nonsense").status_code == 400
    assert patient.post(f"{url}/v1/images/edits", files={"image": b"x"}).status_code == 400
    assert patient.get(f"{url}/healthz").json() == {"status": "ok"}
    assert patient.get(f"{url}/readyz").json()["status"] == "ready"
    page = patient.get(f"{url}/metrics").text
    offer = f'model="{NANO_BANANA_2}",operation="generate"'
    for line in (
        f'gateway_requests_total{{door="openai_images",model="{NANO_BANANA_2}",outcome="ok"}} 1.0',
        f'gateway_attempts_total{{{offer},outcome="overloaded",provider="replicate",resolution="1K"}} 1.0',
        f'gateway_attempts_total{{{offer},outcome="ok",provider="gemini",resolution="1K"}} 1.0',
        f'gateway_cost_usd_total{{model="{NANO_BANANA_2}",provider="gemini"}} 0.0672',
        'gateway_requests_total{door="openai_images",model="",outcome="missing_required_parameter"} 1.0',
        "gateway_in_flight 0.0",
    ):
        assert line in page
    assert 'outcome="invalid_value"' in page
    assert "gateway_request_seconds_bucket" in page
    assert "gateway_attempt_seconds_bucket" in page


def test_an_error_keeps_the_metadata_of_what_was_tried(start: StartGateway, vendors: Vendors) -> None:
    url = start(policy={"max_tries_per_offer": 1})
    vendors.fail("*", "500")
    body = assert_envelope(ask(url), 503)
    assert set(body) == {"error", "metadata"}
    assert len(body["metadata"]["attempts"]) == 4
    assert body["metadata"]["cost_usd"] == "0"
    assert json.dumps(body["metadata"]["attempts"]).count('"overloaded"') == 4


@pytest.mark.parametrize(("path", "key", "status"), [("edits", "wrong", b"401"), ("variations", KEY, b"404")])
def test_who_waits_to_be_told_to_send_a_body_is_told_at_once_that_it_is_not_wanted(
    start: StartGateway, path: str, key: str, status: bytes
) -> None:
    parts = urlsplit(start(gateway_api_keys=KEY))
    head = f"POST /v1/images/{path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n"
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as raw:
        raw.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n".encode())
        answer = bytearray()
        while piece := raw.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nconnection: close\r\n" in answer


def test_a_route_that_does_not_say_who_may_call_it_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(**options: Any) -> FastAPI:
        app = FastAPI(**options)
        app.mount("/v1/new", Starlette())
        return app

    monkeypatch.setattr("app.main.FastAPI", forgetful)
    with pytest.raises(StartError, match="The route /v1/new does not say who may call it"):
        create_app(Settings(_env_file=None, fal_key="k"))
