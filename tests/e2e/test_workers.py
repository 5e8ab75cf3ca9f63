"""Several workers behind one socket: they are one gateway to callers, vendors, metrics and whoever stops them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo import SIMULATED_KEY
from tests.e2e import patient
from tests.e2e.command import run
from tests.e2e.conftest import NANO_BANANA_2, TIME_SCALE, Vendors
from tests.e2e.serving import Serving
from tests.redis_server import RedisServer, own_redis
from tests.waiting import until

FAL = f"fal/{NANO_BANANA_2}"
WORKERS = 2
FOREVER = 60 * TIME_SCALE
A_WHILE = 1.5 * TIME_SCALE
LONGER = 6 * TIME_SCALE
"""So long that figures which are written down once a second are read before it is over, on the slowest machine."""
AT_ONCE = 8


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


def workers(vendors: Vendors, folder: Path, redis: RedisServer, **environment: str) -> Serving:
    return Serving(vendors.url, folder, GATEWAY_WORKERS=str(WORKERS), REDIS_URL=redis.url, **environment)


@pytest.fixture(scope="module")
def shared(simulator: Vendors, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with workers(simulator, tmp_path_factory.mktemp("workers"), redis) as gateway:
        until(lambda: len(serving(gateway)) == WORKERS and gateway.total("gateway_replicas") == WORKERS)
        yield gateway


@pytest.fixture
def gateway(vendors: Vendors, shared: Serving) -> Serving:
    return shared


def serving(gateway: Serving) -> dict[int, int]:
    """The process at each worker's place, as last told."""
    return {line["worker"]: line["pid"] for line in gateway.events("worker_serves")}


def samples(gateway: Serving, provider: str) -> int:
    """Tries that it knows of."""
    rows = patient.get(f"{gateway.url}/v1/stats").raise_for_status().json()["data"]
    return sum(row["windows"]["1h"]["samples"] for row in rows if row["provider"] == provider)


def who_served(gateway: Serving) -> set[int]:
    return {line["worker"] for line in gateway.events("request")}


def folder_of(gateway: Serving) -> Path:
    """Where the workers' metrics lie: their last argument."""
    line = Path(f"/proc/{serving(gateway)[0]}/cmdline").read_bytes()
    assert SIMULATED_KEY.encode() not in line, "anybody on the machine can read it"
    return Path(line.split(b"\0")[-2].decode())


def test_every_scrape_shows_what_all_workers_did(gateway: Serving, vendors: Vendors) -> None:
    before = gateway.total("gateway_requests_total")
    asked = 0
    while asked < AT_ONCE or who_served(gateway) != set(range(WORKERS)):
        assert gateway.ask().status_code == httpx.codes.OK
        asked += 1
        assert asked < 200
    pages = {gateway.total("gateway_requests_total") - before for _ in range(6)}
    assert pages == {asked}
    assert {gateway.total("gateway_request_seconds_count") - before for _ in range(6)} == {asked}
    assert vendors.sums("gemini")["requests"] + vendors.sums("vertex")["requests"] + vendors.sums("fal")["requests"]
    vendors.settle(provider="fal", latency_s=LONGER)
    waiting = [gateway.asking(FAL) for _ in range(AT_ONCE)]
    for _ in range(3):
        until(lambda: gateway.total("gateway_offer_in_flight") == AT_ONCE)
        assert gateway.total("gateway_in_flight") == AT_ONCE
    assert {asked.result().status_code for asked in waiting} == {200}
    until(lambda: gateway.total("gateway_offer_in_flight") == 0)
    for name in ("gateway_replicas", "gateway_stats_store_up"):
        assert {gateway.total(name) for _ in range(6)} == {WORKERS if name == "gateway_replicas" else 1}


def test_any_worker_has_the_images_of_all(gateway: Serving) -> None:
    # All at once, in a folder in which nobody has made the signing key yet.
    asked = [gateway.asking(response_format="url") for _ in range(AT_ONCE)]
    for answer in asked:
        url = answer.result().json()["data"][0]["url"]
        assert [patient.get(url).status_code for _ in range(4)] == [200] * 4


def test_a_killed_worker_costs_its_own_requests_and_nothing_else(gateway: Serving, vendors: Vendors) -> None:
    vendors.settle(provider="fal", latency_s=LONGER)
    counted = gateway.total("gateway_attempts_total")
    victim, started = serving(gateway)[0], len(gateway.events("worker_serves"))
    asked = [gateway.asking(FAL) for _ in range(AT_ONCE)]
    until(lambda: gateway.total("gateway_offer_in_flight") == AT_ONCE)
    os.kill(victim, signal.SIGKILL)
    assert [gateway.ask(f"gemini/{NANO_BANANA_2}").status_code for _ in range(6)] == [200] * 6
    delivered = lost = 0
    for future in asked:
        try:
            assert future.result().status_code == httpx.codes.OK
            delivered += 1
        except httpx.TransportError:
            lost += 1
    # Nobody is left who could cancel: their jobs are billed. Others are delivered, each bought once.
    until(lambda: vendors.sums("fal")["images"] == AT_ONCE)
    assert vendors.sums("fal")["requests"] == delivered + lost == AT_ONCE
    until(lambda: len(gateway.events("worker_serves")) == started + 1)
    (told,) = gateway.events("worker_ended")
    assert (told["level"], told["pid"], told["reason"]) == ("error", victim, "it was ended by SIGKILL")
    until(lambda: gateway.total("gateway_offer_in_flight") == gateway.total("gateway_in_flight") == 0)
    for _ in range(6):
        assert gateway.total("gateway_attempts_total") == counted + delivered + 6
        assert gateway.ask(f"vertex/{NANO_BANANA_2}").status_code == httpx.codes.OK
        counted += 1
    os.kill(serving(gateway)[0], signal.SIGKILL)
    until(lambda: len(gateway.events("worker_ended")) == 2)
    assert [line["again_in_s"] for line in gateway.events("worker_ended")] == [0.5, 1.0]
    until(lambda: len(gateway.events("worker_serves")) == started + 2)
    assert gateway.total("gateway_worker_starts_total") == WORKERS + 2


def test_a_reload_replaces_the_workers_one_by_one_and_costs_nobody_anything(gateway: Serving) -> None:
    before = serving(gateway)
    gateway.process.send_signal(signal.SIGHUP)
    asked = []
    while not gateway.events("workers_replaced"):
        asked.append(gateway.ask().status_code)
    assert set(asked) == {200}
    assert not set(serving(gateway).values()) & set(before.values())


def test_a_stop_drains_all_workers_and_what_they_learned_goes_to_others(
    gateway: Serving, vendors: Vendors, redis: RedisServer, tmp_path: Path
) -> None:
    others = gateway
    vendors.settle(provider="fal", latency_s=FOREVER)
    vendors.settle(provider="gemini", latency_s=A_WHILE)
    with workers(vendors, tmp_path, redis, GATEWAY_DRAIN_SECONDS="5") as gateway:
        until(lambda: len(serving(gateway)) == WORKERS)
        late = [gateway.asking(FAL) for _ in range(AT_ONCE)]
        in_time = [gateway.asking(f"gemini/{NANO_BANANA_2}") for _ in range(AT_ONCE)]
        until(lambda: [vendors.sums(name)["requests"] for name in ("fal", "gemini")] == [AT_ONCE, AT_ONCE])
        folder = folder_of(gateway)
        assert folder.is_dir()
        gateway.terminate()
        assert {asked.result().status_code for asked in in_time} == {200}
        assert {asked.result().json()["error"]["code"] for asked in late} == {"shutting_down"}
        assert gateway.ended() == 0
        assert sum(line["cancelled"] for line in gateway.events("drained")) == AT_ONCE
        assert gateway.events("worker_ended") == []
        assert not folder.exists()
    assert vendors.sums("fal")["cancelled"] == AT_ONCE
    assert vendors.sums("gemini")["images"] == AT_ONCE
    tries = others.total("gateway_attempts_total", provider="gemini") + AT_ONCE
    until(lambda: samples(others, "gemini") == tries)


def test_workers_whose_supervisor_is_killed_drain(gateway: Serving, vendors: Vendors) -> None:
    """The last one: it ends the gateway that the others share."""
    vendors.settle(provider="fal", latency_s=A_WHILE)
    asked = [gateway.asking(FAL) for _ in range(AT_ONCE)]
    until(lambda: vendors.sums("fal")["requests"] == AT_ONCE)
    folder = folder_of(gateway)
    gateway.process.kill()
    assert {answer.result().status_code for answer in asked} == {200}
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in serving(gateway).values()))
    with pytest.raises(httpx.ConnectError):
        patient.get(f"{gateway.url}/healthz")
    assert not folder.exists()


def test_several_workers_need_a_store_to_share(tmp_path: Path) -> None:
    done = run("serve", cwd=tmp_path, environment={"FAL_KEY": "k", "GATEWAY_WORKERS": "2"}, code=1)
    assert (done.stdout + done.stderr).startswith("GATEWAY_WORKERS=2 needs REDIS_URL, because without it every worker")


def test_what_keeps_a_worker_from_serving_is_told_once(tmp_path: Path) -> None:
    environment: dict[str, Any] = {"GATEWAY_WORKERS": "2", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = run("serve", cwd=tmp_path, environment=environment, code=1)
    (sentence,) = (done.stdout + done.stderr).strip().splitlines()
    assert sentence.startswith("No provider has a key, so there is nothing to offer")
