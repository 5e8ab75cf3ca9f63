"""Canary keys and a canary prompt, sent through every failure of every provider: none shows up anywhere."""

from __future__ import annotations

import logging

import httpx
import pytest
from pydantic import SecretStr

from app.settings import Settings
from providers.registry import Access, connect
from routing.knobs import BreakerKnobs
from simulator.faults import Kind
from tests.e2e import patient
from tests.e2e.asking import ask
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors

CALLER_KEY = "canary-caller-3f9c"
METRICS_KEY = "canary-metrics-77d0"
VENDOR_KEYS = {
    "gemini_api_key": SecretStr("canary-gemini-a81b"),
    "vertex_api_key": SecretStr("canary-vertex-52ce"),
    "fal_key": SecretStr("canary-fal-id:canary-fal-0d4e"),
    "replicate_api_token": SecretStr("r8_canary-replicate-91aa"),
}
PROMPT = "zebra-canary-prompt on a bicycle"


def test_no_key_and_no_prompt_appears_in_any_log_error_or_metric(
    start: StartGateway, vendors: Vendors, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    url = start(
        vendor_keys=VENDOR_KEYS,
        gateway_api_keys=CALLER_KEY,
        gateway_metrics_key=METRICS_KEY,
        attempt_limit_s=1.0,
        policy={
            "out_probe_s": 0.001,
            "out_long_s": 0.001,
            "max_block_s": 0.001,
            "max_tries_per_offer": 1,
            "breaker": BreakerKnobs(trip=1000.0),
        },
    )
    caller = {"Authorization": f"Bearer {CALLER_KEY}"}
    for kind in Kind:
        vendors.recover()
        vendors.fail("*", kind.value)
        said += [
            ask(url, headers=caller, model=f"{provider}/{NANO_BANANA_2}", prompt=PROMPT, timeout=2)
            for provider in ("gemini", "vertex", "fal", "replicate")
        ]
    vendors.recover()
    said.append(ask(url, headers={"Authorization": "Bearer canary-wrong-key"}, prompt=PROMPT))
    said.append(ask(url, headers=caller, prompt=PROMPT, size="nonsense"))
    said.append(patient.get(f"{url}/metrics", headers={"Authorization": f"Bearer {METRICS_KEY}"}))
    assert {response.status_code for response in said} >= {200, 400, 401, 429, 502, 503, 504}
    captured = capfd.readouterr()
    places = {
        "log": captured.out + captured.err + caplog.text,
        "answers": "".join(str(response.headers) + _without_picture(response) for response in said),
    }
    for place, text in places.items():
        assert len(text) > 1000, place
        for canary in ("canary", "zebra"):
            assert canary not in text, f"{canary} in {place}: {_around(text, canary)}"


def _without_picture(response: httpx.Response) -> str:
    head, _, tail = response.text.partition('"b64_json"')
    return head + tail[-3000:]


def _around(text: str, canary: str) -> str:
    at = text.index(canary)
    return text[max(at - 200, 0) : at + 60]


def test_vendors_keys_reach_their_own_vendor_and_nobody_else(start: StartGateway, vendors: Vendors) -> None:
    url = start(vendor_keys=VENDOR_KEYS)
    assert ask(url, model=f"replicate/{NANO_BANANA_2}").status_code == 200
    assert {entry["vendor"] for entry in vendors.requests() if not entry["path"].startswith("/_control")} == {
        "replicate"
    }


def test_no_repr_shows_a_key() -> None:
    settings = Settings(
        _env_file=None, gateway_api_keys=SecretStr(CALLER_KEY), redis_url=SecretStr("redis://:canary@h")
    )
    settings = settings.model_copy(update=VENDOR_KEYS)
    shown = [repr(settings), str(settings)]
    for name in ("gemini", "vertex", "fal", "replicate"):
        access = settings.access(name)
        provider = connect(name, access)
        shown += [repr(access), repr(provider), repr(provider.credential), str(provider)]
    assert "canary" not in "".join(shown)
    assert "canary" not in repr(Access(api_key="canary"))
