"""A client that hangs up: jobs are cancelled with their vendor, nothing stays behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import patient
from tests.e2e.asking import ask, connection, head
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors


def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def leave_when(seen: Callable[[], bool], url: str, **fields: Any) -> None:
    """Ask for a generation, and hang up as soon as ``seen`` is true."""
    body = json.dumps({"model": NANO_BANANA_2, "prompt": "a fox", **fields}).encode()
    with connection(url) as caller:
        caller.sendall(head("/v1/images/generations", len(body)) + body)
        assert until(seen)


def in_flight(url: str) -> float:
    for line in patient.get(f"{url}/metrics").text.splitlines():
        if line.startswith("gateway_in_flight "):
            return float(line.split()[1])
    raise AssertionError("no such metric")


@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_a_hang_up_in_mid_generation_cancels_the_job(start: StartGateway, vendors: Vendors, provider: str) -> None:
    url = start()
    vendors.settle(provider=provider, latency_s=20 * 150)  # 20 s of real time
    # Calls that are answered: at fal the submit and a look at the job; at replicate the submit itself waits for it.
    answered = {"fal": 2, "replicate": 0}[provider]
    leave_when(
        lambda: vendors.sums(provider)["requests"] == 1 and len(vendors.requests()) >= answered,
        url,
        model=f"{provider}/{NANO_BANANA_2}",
    )
    assert until(lambda: vendors.sums(provider)["cancelled"] == 1)
    assert vendors.sums(provider)["images"] == 0
    assert until(lambda: in_flight(url) == 0)
    metrics = patient.get(f"{url}/metrics").text
    assert 'outcome="abandoned"' in metrics


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
def test_a_hang_up_closes_the_call_to_a_vendor_that_has_no_jobs(
    start: StartGateway, vendors: Vendors, provider: str
) -> None:
    url = start()
    vendors.settle(provider=provider, latency_s=3 * 150)
    leave_when(lambda: vendors.sums(provider)["requests"] == 1, url, model=f"{provider}/{NANO_BANANA_2}")
    assert until(lambda: in_flight(url) == 0)
    time.sleep(3.5)
    assert vendors.sums(provider)["images"] == 0


def test_a_hang_up_says_nothing_against_the_provider(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.settle(provider="replicate", latency_s=20 * 150)
    leave_when(lambda: vendors.sums("replicate")["requests"] == 1, url)
    assert until(lambda: vendors.sums("replicate")["cancelled"] == 1)
    vendors.reset()
    assert ask(url).json()["metadata"]["provider"] == "replicate"
