"""However a request ends, all it held goes at once: what is left to the collector may be images of many megabytes."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from providers.spec.request import ImageRequest
from tests.e2e.conftest import TIME_SCALE, StartGateway, Vendors
from tests.e2e.test_hang_up import until

BODY = {"model": "nano-banana-2", "prompt": "a fox", "resolution": "1K"}
FAULTS = ("503", "truncated_image", "refusal", "no_image", "reset", "hang", "html_502")


def held() -> int:
    """Requests that somebody still knows of."""
    return sum(isinstance(each, ImageRequest) for each in gc.get_objects())


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ask(url: str, **fields: Any) -> int:
    with httpx.Client() as client:
        return client.post(f"{url}/v1/images/generations", json={**BODY, **fields}, timeout=30).status_code


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_of_a_request_that_fails_is_kept(
    start: StartGateway, vendors: Vendors, fault: str, stream: bool
) -> None:
    url = start(attempt_limit_s=0.5)
    before = held()
    vendors.fail("*", fault)
    assert (ask(url, stream=stream, timeout=3) == 200) is stream
    assert until(lambda: held() <= before)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", ["gemini", "replicate"])
def test_nothing_of_a_request_is_kept_whose_caller_hangs_up(
    start: StartGateway, vendors: Vendors, provider: str, stream: bool
) -> None:
    url = start()
    before = held()
    vendors.settle(provider=provider, latency_s=5 * TIME_SCALE)
    body = {**BODY, "provider": {"only": [provider]}, "stream": stream, "partial_images": 2}
    with contextlib.suppress(httpx.TimeoutException), httpx.Client() as client:
        client.post(f"{url}/v1/images/generations", json=body, timeout=0.8)
    assert until(lambda: held() <= before)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"n": 3}, {"output_format": "webp"}])
def test_nothing_of_a_request_that_was_served_is_kept(
    start: StartGateway, vendors: Vendors, fields: dict[str, Any]
) -> None:
    url = start()
    before = held()
    assert ask(url, **fields) == 200
    assert until(lambda: held() <= before)
