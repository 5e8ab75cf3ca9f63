"""More than there is room for: who is served, who is told to come back, and that nothing stays behind of either."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from tests.e2e import patient
from tests.e2e.asking import ask, connection, edit, error_of, head, metric
from tests.e2e.conftest import NANO_BANANA_2, TIME_SCALE, StartGateway, Vendors
from tests.e2e.gateway_process import NOTHING_SET, PROGRAM, Process
from tests.e2e.pictures import data_url, encoded, scene
from tests.e2e.serving import Serving
from tests.e2e.test_hang_up import until
from tests.e2e.test_streams import streaming

GENERATIONS = "/v1/images/generations"
PICTURE = encoded(scene(600, 430, noise=120), "PNG")
MIB = 1024 * 1024


def latency(vendors: Vendors, seconds: float) -> None:
    """Every vendor takes so long, in real seconds."""
    vendors.settle(provider="*", latency_s=seconds * TIME_SCALE)


def requests(vendors: Vendors) -> int:
    """How many have reached a vendor."""
    return sum(int(row["requests"]) for row in vendors.books())


def inside(url: str) -> dict[str, float]:
    """Everything admission holds."""
    names = ("gateway_admitted", "gateway_queue_depth", "gateway_uploads_waiting", "gateway_body_bytes")
    return {name: metric(url, name) for name in names} | {"in_flight": metric(url, "gateway_in_flight")}


def all_gone(url: str) -> bool:
    """Whether nothing is held any more."""
    if until(lambda: not any(inside(url).values())):
        return True
    print(inside(url))
    return False


def body_of(**fields: Any) -> bytes:
    return json.dumps({"model": NANO_BANANA_2, "prompt": "a red fox", "size": "1376x768", **fields}).encode()


@contextlib.contextmanager
def one_in_flight(
    url: str, vendors: Vendors, *, path: str = GENERATIONS, body: bytes = b"", key: str = "none"
) -> Iterator[None]:
    """A request that a vendor takes its time for, as long as the block runs; those that come after it are quick."""
    latency(vendors, 60)
    body = body or body_of()
    asked = requests(vendors)
    with connection(url) as waiting:
        waiting.sendall(head(path, len(body), key) + body)
        assert until(lambda: requests(vendors) > asked)
        latency(vendors, 0.05)
        yield


async def all_at_once(url: str, count: int, **fields: Any) -> list[httpx.Response]:
    """So many requests in the same moment, each on its own connection."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        body = json.loads(body_of(**fields))
        return await asyncio.gather(*(client.post(GENERATIONS, json=body) for _ in range(count)))


def test_ten_times_as_many_as_there_is_room_for_are_all_answered_and_memory_stays(
    simulator: Vendors, vendors: Vendors, tmp_path: Path
) -> None:
    latency(vendors, 0.5)
    room = {"GATEWAY_MAX_IN_FLIGHT": "20", "GATEWAY_QUEUE_LIMIT": "30", "GATEWAY_QUEUE_SECONDS": "20"}
    with Serving(simulator.url, tmp_path, **room) as serving:
        process = Process(serving.url, serving.process.pid)
        asyncio.run(all_at_once(process.url, 20))
        before = process.peak_mib()
        vendors.reset()
        latency(vendors, 0.5)
        answers = asyncio.run(all_at_once(process.url, 200))
        counted = Counter(answer.status_code for answer in answers)
        assert set(counted) == {200, 429}
        assert counted[200] >= 50
        for answer in answers:
            if answer.status_code == 429:
                error = error_of(answer, 429)
                assert (error["type"], error["code"]) == ("rate_limit_error", "slow_down")
                assert 1 <= int(answer.headers["retry-after"]) <= 60
                assert f"come back in {answer.headers['retry-after']} s" in error["message"]
        assert sum(row["images"] for row in vendors.books()) == counted[200]
        assert metric(process.url, "gateway_admission_refused_total", reason="queue_full") == counted[429]
        assert metric(process.url, "gateway_queue_seconds_count", outcome="admitted") >= 30
        assert all_gone(process.url)
        print(f"{counted}, peak {before:.0f} MiB before and {process.peak_mib():.0f} MiB after")
        assert process.peak_mib() < before + 40


def test_what_does_not_get_its_turn_in_time_is_told_so(start: StartGateway, vendors: Vendors) -> None:
    url = start(gateway_max_in_flight=1, gateway_queue_seconds=0.3)
    with one_in_flight(url, vendors):
        error = error_of(ask(url), 429)
    assert "1 image requests at once" in error["message"]
    assert "0.3 s" in error["message"]
    assert metric(url, "gateway_admission_refused_total", reason="queue_time") == 1
    assert all_gone(url)


def test_time_in_the_queue_is_time_of_the_request(start: StartGateway, vendors: Vendors) -> None:
    url = start(gateway_max_in_flight=1)
    latency(vendors, 3)
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(ask, url)
        assert until(lambda: metric(url, "gateway_admitted") == 1)
        # It waits for most of three seconds, and what is left does not do for three more.
        assert error_of(ask(url, timeout=4), 504)["code"] == "provider_timeout"
        assert first.result().status_code == 200
    assert all_gone(url)


def test_a_key_with_many_requests_does_not_keep_another_waiting_behind_them(
    start: StartGateway, vendors: Vendors
) -> None:
    url = start(gateway_api_keys=SecretStr("anna,bert"), gateway_max_in_flight=2, gateway_queue_seconds=60)
    body = body_of()
    served: list[str] = []

    def one(key: str) -> None:
        assert ask(url, headers={"authorization": f"Bearer {key}"}).status_code == 200
        served.append(key)

    def waiting(count: int) -> bool:
        return until(lambda: inside(url)["gateway_queue_depth"] == count)

    with ThreadPoolExecutor(40) as callers:
        # Nobody's turn comes before all of them wait: both places are held until then.
        latency(vendors, 60)
        with connection(url) as one_place, connection(url) as other_place:
            for place in (one_place, other_place):
                place.sendall(head(GENERATIONS, len(body), "anna") + body)
            assert until(lambda: requests(vendors) == 2)
            latency(vendors, 0.1)
            annas = [callers.submit(one, "anna") for _ in range(30)]
            assert waiting(30)
            berts = [callers.submit(one, "bert") for _ in range(3)]
            assert waiting(33)
        for call in (*annas, *berts):
            call.result()
    after = served[: max(place for place, key in enumerate(served) if key == "bert")]
    assert after.count("anna") < 28, served
    assert all_gone(url)


def test_a_key_has_no_more_in_flight_than_it_may(start: StartGateway, vendors: Vendors) -> None:
    keys = SecretStr("anna,bert")
    url = start(gateway_api_keys=keys, gateway_max_in_flight_per_key=1, gateway_queue_limit=0)
    with one_in_flight(url, vendors, key="anna"):
        assert error_of(ask(url, headers={"api-key": "anna"}), 429)["code"] == "rate_limit_exceeded"
        assert ask(url, headers={"api-key": "bert"}).status_code == 200
    assert all_gone(url)


def test_pages_plans_and_downloads_are_served_while_nobody_is_admitted(start: StartGateway, vendors: Vendors) -> None:
    url = start(gateway_max_in_flight=1, gateway_queue_limit=0)
    hosted = ask(url, response_format="url").json()["data"][0]["url"]
    with one_in_flight(url, vendors):
        assert ask(url).status_code == 429
        for page in ("/healthz", "/readyz", "/metrics", "/v1/models", "/v1/stats"):
            assert patient.get(f"{url}{page}").status_code == 200
        assert patient.get(hosted).status_code == 200
        assert patient.post(f"{url}/v1/route", content=body_of()).status_code == 200
        assert patient.post(f"{url}{GENERATIONS}?dry_run=true", content=body_of()).status_code == 200
    assert all_gone(url)


def test_a_slow_upload_takes_nobodys_place(start: StartGateway) -> None:
    url = start(gateway_max_in_flight=1, gateway_queue_limit=0)
    body = body_of()
    with connection(url) as slow:
        slow.sendall(head(GENERATIONS, len(body)) + body[:10])
        assert until(lambda: inside(url)["in_flight"] == 1)
        assert ask(url).status_code == 200
        slow.sendall(body[10:])
        assert slow.recv(20).startswith(b"HTTP/1.1 200")
    assert all_gone(url)


def test_images_that_are_paid_for_are_delivered_however_much_is_held(start: StartGateway, vendors: Vendors) -> None:
    url = start(gateway_body_budget=MIB)
    latency(vendors, 0.5)
    with ThreadPoolExecutor(6) as callers:
        answers = list(callers.map(lambda _: ask(url, model=f"fal/{NANO_BANANA_2}", resolution="4K"), range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sum(len(answer.content) for answer in answers) > 2 * MIB
    assert sum(row["images"] for row in vendors.books()) == 6
    assert all_gone(url)


def test_an_upload_finds_no_room_while_others_hold_it_and_small_requests_are_served(
    start: StartGateway, vendors: Vendors
) -> None:
    held = {"model": NANO_BANANA_2, "prompt": "make it night", "images": [{"image_url": data_url(PICTURE)}]}
    body = json.dumps(held).encode()
    assert 0.6 * MIB < len(PICTURE) < len(body) < MIB
    url = start(gateway_body_budget=MIB, gateway_queue_seconds=0.3)
    with one_in_flight(url, vendors, path="/v1/images/edits", body=body):
        refused = edit(url, PICTURE)
        assert error_of(refused, 429)["code"] == "slow_down"
        assert int(refused.headers["retry-after"]) >= 1
        assert ask(url).status_code == 200
    assert metric(url, "gateway_admission_refused_total", reason="body_budget") == 1
    assert all_gone(url)
    assert edit(url, PICTURE).status_code == 200
    assert error_of(edit(url, PICTURE, PICTURE), 413)["code"] == "request_too_large"
    assert all_gone(url)


def test_hang_ups_at_every_stage_leave_nothing(start: StartGateway, vendors: Vendors) -> None:
    url = start(gateway_max_in_flight=1)
    latency(vendors, 20)
    body = body_of()

    def stage(name: str) -> bool:
        return until(lambda: inside(url)[name] >= 1)

    with connection(url) as uploading:
        uploading.sendall(head(GENERATIONS, len(body)) + body[:10])
        assert stage("in_flight")
    assert all_gone(url), "while uploading"
    with connection(url) as waiting, connection(url) as queued:
        waiting.sendall(head(GENERATIONS, len(body)) + body)
        assert stage("gateway_admitted")
        queued.sendall(head(GENERATIONS, len(body)) + body)
        assert stage("gateway_queue_depth")
        queued.close()
        assert until(lambda: inside(url)["gateway_queue_depth"] == 0), "in the queue"
        assert inside(url)["gateway_admitted"] == 1
    assert all_gone(url), "while a provider was asked"
    with contextlib.suppress(httpx.HTTPError), streaming(url):
        assert stage("gateway_admitted")
    assert all_gone(url), "in a stream"
    latency(vendors, 0.1)
    assert metric(url, "gateway_queue_seconds_count", outcome="left") == 1
    assert ask(url).status_code == 200


def test_the_start_says_when_descriptors_are_too_few(simulator: Vendors, tmp_path: Path) -> None:
    environment = {**NOTHING_SET, "GEMINI_API_KEY": "k", "GEMINI_BASE_URL": f"{simulator.url}/gemini"}
    program = f"ulimit -n 700; exec '{PROGRAM}' serve"
    process = subprocess.Popen(
        ["/bin/sh", "-c", program],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline() + process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=40)
    assert "The limit of open files is 700, so at most 148 requests are in flight at once instead of 10,000" in said
    assert "/v1" in said
