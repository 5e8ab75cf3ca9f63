"""Rankings from outside: one row for everything that is sold, figures that follow traffic, keys, and the envelope."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.e2e import patient
from tests.e2e.asking import ask
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.test_edge import assert_envelope

KEY = "caller-key-one"
BEARER = {"Authorization": f"Bearer {KEY}"}
PATHS = ("/v1/stats", "/v1/models/nano-banana-2/providers", "/stats", "/openai/v1/models/flux-schnell/providers")
ROW = ["provider", "model", "operation", "resolution", "price_usd", "state", "rank", "windows"]
WINDOWS = ["5m", "1h", "24h", "30d"]
FIGURES = ["samples", "success", "success_low", "success_high", "p50_s", "p95_s", "p99_s", "ttfb_p50_s"]


def rows(url: str, path: str = "/v1/stats") -> list[dict[str, Any]]:
    response = httpx.get(url + path, timeout=30)
    assert response.status_code == 200, response.text
    document = response.json()
    assert list(document) == ["object", "data"]
    assert document["object"] == "list"
    data: list[dict[str, Any]] = document["data"]
    return data


def row(url: str, provider: str, *, resolution: str = "1K", operation: str = "generate") -> dict[str, Any]:
    found = [
        each
        for each in rows(url, f"/v1/models/{NANO_BANANA_2}/providers")
        if (each["provider"], each["resolution"], each["operation"]) == (provider, resolution, operation)
    ]
    assert len(found) == 1
    return found[0]


def test_without_traffic_there_are_prices_and_ranks_and_no_figures(start: StartGateway) -> None:
    for each in rows(start()):
        assert list(each) == ROW
        assert float(each["price_usd"]) > 0
        assert each["state"] == "serving"
        assert list(each["rank"]) == ["cheapest", "balanced", "fastest", "most_reliable"]
        assert all(rank >= 1 for rank in each["rank"].values())
        assert list(each["windows"]) == WINDOWS
        for window in each["windows"].values():
            assert list(window) == FIGURES
            assert window["samples"] == 0
            assert [window[name] for name in FIGURES[1:]] == [None] * 7


def test_a_models_rows_are_those_of_all_models_that_bear_its_name(start: StartGateway) -> None:
    url = start()
    everything = rows(url)
    assert len(everything) > 60
    named = [each for each in everything if each["model"] == NANO_BANANA_2]
    assert rows(url, f"/v1/models/{NANO_BANANA_2}/providers") == named
    assert rows(url, "/v1/models/nano-banana-2/providers") == named
    assert rows(url, "/v1/models/fal/nano-banana-2/providers") == [each for each in named if each["provider"] == "fal"]
    assert rows(url, "/v1/models/nano-banana-2-4k/providers") == [each for each in named if each["resolution"] == "4K"]


def test_the_route_for_one_model_still_answers(start: StartGateway) -> None:
    url = start()
    assert patient.get(f"{url}/v1/models/fal/nano-banana-2").json()["id"] == NANO_BANANA_2
    assert patient.head(f"{url}/v1/models/nano-banana-2/providers").status_code == 200
    assert_envelope(patient.delete(f"{url}/v1/stats"), 405)


@pytest.mark.parametrize("name", ["nano-banana-9", "replicate/gemini-2.5-flash-imag", "nano-banana-2:best", "%20"])
def test_an_unknown_model_is_a_404_in_the_envelope(start: StartGateway, name: str) -> None:
    assert_envelope(patient.get(f"{start()}/v1/models/{name}/providers"), 404, param="model")


@pytest.mark.parametrize("path", PATHS)
def test_figures_ask_for_the_key_where_keys_are_set(start: StartGateway, path: str) -> None:
    url = start(gateway_api_keys=SecretStr(KEY))
    assert_envelope(patient.get(url + path), 401)
    assert_envelope(patient.get(url + path, headers={"Authorization": "Bearer another"}), 401)
    assert patient.get(url + path, headers=BEARER).status_code == 200


def test_traffic_shows_at_its_operation_and_resolution_only(start: StartGateway, vendors: Vendors) -> None:
    url = start()
    vendors.settle(provider="*", latency_s=30.0)
    longest = 0.0
    for _ in range(3):
        began = time.monotonic()
        ask(url, model="gemini/nano-banana-2", size="512x512").raise_for_status()
        longest = max(longest, time.monotonic() - began)
    window = row(url, "gemini", resolution="512")["windows"]["5m"]
    assert window["samples"] == 3
    assert window["success"] == window["success_high"] == 1.0
    assert 0 < window["success_low"] < 1
    assert 0.2 <= window["ttfb_p50_s"] <= window["p50_s"] <= window["p95_s"] <= window["p99_s"] < 2 * longest
    told = [each for each in rows(url) if each["windows"]["30d"]["samples"]]
    assert [(each["provider"], each["operation"], each["resolution"]) for each in told] == [
        ("gemini", "generate", "512")
    ]


def test_a_provider_that_asks_to_be_left_alone_loses_its_rank(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", "429", count=1, params={"retry_after": 30})
    ask(url).raise_for_status()
    blocked = rows(url, "/v1/models/replicate/nano-banana-2/providers")
    assert {each["state"] for each in blocked} == {"blocked"}
    assert {rank for each in blocked for rank in each["rank"].values()} == {None}
    assert row(url, "gemini")["rank"]["balanced"] == 1


def test_a_provider_whose_key_is_refused_is_out(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="fal")
    vendors.fail("fal", "bad_key")
    ask(url).raise_for_status()
    assert row(url, "fal")["state"] == "out"
    assert sorted(row(url, each)["rank"]["balanced"] for each in ("gemini", "vertex", "replicate")) == [1, 2, 3]


def test_refusals_are_nobodys_failure(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="gemini")
    vendors.fail("gemini", "refusal")
    for _ in range(4):
        assert ask(url).status_code == 400
    gemini = row(url, "gemini")
    assert (gemini["state"], gemini["windows"]["5m"]["samples"]) == ("serving", 0)
