"""Over a real connection: bodies that drip, break off or never come, and callers who leave."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from simulator.server import create_app
from simulator.settings import SimulatorSettings
from tests.servers import running
from tests.unit.simulator.kit import KEY, TOKEN, VENDORS, google_body, google_path
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A caller of a fresh simulator behind a real socket."""
    app = create_app(SimulatorSettings(time_scale=10_000.0))
    with running(app) as base, httpx.Client(base_url=base, timeout=PATIENCE_S) as client:
        yield client


def order(client: httpx.Client, vendor: str, kind: str, **params: Any) -> None:
    body = {"provider": vendor, "kind": kind, "params": params}
    client.post("/_control/faults", json=body).raise_for_status()


def image_request(client: httpx.Client, vendor: str) -> httpx.Request:
    """The request whose body holds the picture: the call itself at Google, the download elsewhere."""
    if vendor in ("gemini", "vertex"):
        headers = {"x-goog-api-key": "test-key"}
        return client.build_request("POST", google_path(vendor), json=google_body(), headers=headers)
    if vendor == "fal":
        told = client.post("/fal-run/fal-ai/nano-banana-2", json={"prompt": "a red fox"}, headers=KEY).json()
        return client.build_request("GET", told["images"][0]["url"])
    path = "/replicate/v1/models/google/nano-banana-2/predictions"
    told = client.post(path, json={"input": {"prompt": "a red fox"}}, headers=TOKEN | {"prefer": "wait"}).json()
    return client.build_request("GET", told["output"])


@contextmanager
def working(client: httpx.Client, vendor: str) -> Iterator[socket.socket]:
    """The connection of a first caller of Google for whom the simulator works by now. At the block's end they leave."""
    body = json.dumps(google_body()).encode()
    lines = (
        f"POST {google_path(vendor)} HTTP/1.1",
        f"host: {client.base_url.host}",
        "x-goog-api-key: test-key",
        "connection: close",
        f"content-length: {len(body)}",
    )
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
        until(lambda: client.get("/_control/books").json())
        yield connection


def row(client: httpx.Client) -> dict[str, Any]:
    (only,) = client.get("/_control/books").json()
    return dict(only)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_reset_breaks_off_in_the_middle_of_the_body_and_is_billed(client: httpx.Client, vendor: str) -> None:
    order(client, vendor, "reset")
    with pytest.raises(httpx.RemoteProtocolError):
        client.send(image_request(client, vendor))
    assert (row(client)["images"], row(client)["requests"]) == (1, 1)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_drip_sends_a_byte_at_a_time(client: httpx.Client, vendor: str) -> None:
    order(client, vendor, "drip", interval_s=0.02)
    begun = time.monotonic()
    answer = client.send(image_request(client, vendor), stream=True)
    chunks = answer.iter_raw()
    read = b"".join(next(chunks) for _ in range(5))
    assert 5 <= len(read) < 1000
    assert time.monotonic() - begun >= 0.06
    answer.close()


@pytest.mark.parametrize("vendor", ["gemini", "vertex"])
def test_a_hang_never_answers_and_is_not_billed_when_the_caller_leaves(client: httpx.Client, vendor: str) -> None:
    order(client, vendor, "hang")
    with working(client, vendor) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert (row(client)["requests"], row(client)["images"], row(client)["cancelled"]) == (1, 0, 0)


def test_a_hanging_fal_job_stays_in_progress_until_it_is_cancelled(client: httpx.Client) -> None:
    order(client, "fal", "hang")
    told = client.post("/fal/fal-ai/nano-banana-2", json={"prompt": "a red fox"}, headers=KEY).json()
    until(lambda: client.get(told["status_url"], headers=KEY).json()["status"] == "IN_PROGRESS")
    assert client.put(told["cancel_url"], headers=KEY).status_code == 202
    assert (row(client)["images"], row(client)["cancelled"]) == (0, 1)


def test_a_hanging_prediction_stays_processing(client: httpx.Client) -> None:
    order(client, "replicate", "hang")
    path = "/replicate/v1/models/google/nano-banana-2/predictions"
    told = client.post(path, json={"input": {"prompt": "a"}}, headers=TOKEN | {"prefer": "wait=1"}).json()
    assert client.get(told["urls"]["get"], headers=TOKEN).json()["status"] == "processing"


def test_a_google_caller_who_leaves_early_pays_nothing_and_frees_the_place(client: httpx.Client) -> None:
    settings = {"provider": "gemini", "latency_s": 1_000_000, "concurrency": 1}
    client.post("/_control/settings", json=settings).raise_for_status()
    headers = {"x-goog-api-key": "test-key"}
    with working(client, "gemini"):
        pass
    client.post("/_control/settings", json={"provider": "gemini", "latency_s": 0})
    codes: list[int] = []

    def free() -> bool:
        codes.append(client.post(google_path("gemini"), json=google_body(), headers=headers).status_code)
        return codes[-1] != 429

    until(free)
    assert codes[-1] == 200
    assert row(client)["images"] == 1


def test_beyond_its_concurrency_google_says_429(client: httpx.Client) -> None:
    client.post("/_control/settings", json={"provider": "gemini", "latency_s": 20_000, "concurrency": 1})
    headers = {"x-goog-api-key": "test-key"}
    with working(client, "gemini") as connection:
        assert client.post(google_path("gemini"), json=google_body(), headers=headers).status_code == 429
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_links_lead_back_to_the_host_the_caller_used(client: httpx.Client) -> None:
    port = client.base_url.port
    told = client.post(
        f"http://localhost:{port}/fal-run/fal-ai/flux/schnell", json={"prompt": "a red fox"}, headers=KEY
    ).json()
    assert told["images"][0]["url"].startswith(f"http://localhost:{port}/media/fal/")
