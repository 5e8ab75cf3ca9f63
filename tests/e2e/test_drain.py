"""A gateway that is asked to stop: what it finishes, what it cancels, what callers and load balancers are told."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.serving.server import WIND_UP_SECONDS
from benchmarks.rig.processes import SimulatorProcess
from tests.e2e import patient
from tests.e2e.conftest import NANO_BANANA_2, TIME_SCALE, Vendors
from tests.e2e.serving import Serving
from tests.redis_server import own_redis
from tests.waiting import until

FOREVER = 60 * TIME_SCALE
"""Of the simulator: a minute of real time."""
A_WHILE = 4 * TIME_SCALE
"""Longer than the delay before a drain, so that what is asked within the delay ends within the drain."""


def job(provider: str) -> str:
    return f"{provider}/{NANO_BANANA_2}"


def test_a_stop_delivers_what_ends_in_time_and_cancels_the_rest_with_their_vendors(
    vendors: Vendors, tmp_path: Path
) -> None:
    for provider, latency_s in (("gemini", A_WHILE), ("fal", FOREVER), ("replicate", FOREVER)):
        vendors.settle(provider=provider, latency_s=latency_s)
    limits = {"GATEWAY_DRAIN_DELAY_S": "3", "GATEWAY_DRAIN_SECONDS": "4.5"}
    with Serving(vendors.url, tmp_path, **limits) as gateway, httpx.Client(base_url=gateway.url, timeout=30) as kept:
        assert kept.get("/readyz").status_code == httpx.codes.OK
        late = [gateway.asking(job("fal")), gateway.asking(job("replicate"))]
        stream = gateway.asking(job("fal"), stream=True)
        until(lambda: gateway.total("gateway_offer_in_flight") == 3)
        gateway.terminate()
        # The load balancer sees it first; for the delay nothing else changes.
        unready = until(lambda: (found := kept.get("/readyz")).status_code != httpx.codes.OK and found)
        assert (unready.status_code, unready.json()["status"]) == (503, "not ready")
        in_time = gateway.asking(job("gemini"))
        until(lambda: refused(gateway.url))
        assert in_time.result().status_code == httpx.codes.OK
        for asked in late:
            answer = asked.result()
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutting_down")
            assert answer.headers["x-should-retry"] == "false"
        last = json.loads(stream.result().text.strip().rsplit("data: ", 1)[1])
        assert (last["type"], last["error"]["code"]) == ("error", "shutting_down")
        assert gateway.ended() == 0
    assert [vendors.sums(provider)["cancelled"] for provider in ("gemini", "fal", "replicate")] == [0, 2, 1]
    assert [vendors.sums(provider)["images"] for provider in ("gemini", "fal", "replicate")] == [1, 0, 0]
    assert [line["code"] for line in gateway.events("refused")] == ["shutting_down"] * 3
    (told,) = gateway.events("drained")
    assert told["cancelled"] == 3
    assert "Traceback" not in gateway.log()


def refused(url: str) -> bool:
    place = urlsplit(url)
    try:
        socket.create_connection((str(place.hostname), place.port or 0), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_waits_for_nobody_but_the_cancelling(vendors: Vendors, tmp_path: Path) -> None:
    vendors.settle(provider="fal", latency_s=FOREVER)
    with Serving(vendors.url, tmp_path, GATEWAY_DRAIN_SECONDS="600", GATEWAY_DRAIN_DELAY_S="600") as gateway:
        asked = gateway.asking(job("fal"))
        until(lambda: gateway.total("gateway_offer_in_flight") == 1)
        gateway.process.send_signal(signal.SIGHUP)  # a terminal that is closed
        until(lambda: patient.get(f"{gateway.url}/readyz").status_code == 503)
        gateway.process.send_signal(signal.SIGINT)
        assert asked.result().json()["error"]["code"] == "shutting_down"
        assert gateway.ended() == 0
    assert vendors.sums("fal")["cancelled"] == 1


@contextmanager
def stalled(simulator: SimulatorProcess) -> Iterator[None]:
    """It accepts connections, and answers nothing while the block runs."""
    process = simulator._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.mark.slow
def test_a_stop_comes_to_its_end_though_neither_vendors_nor_redis_answer(tmp_path: Path) -> None:
    (tmp_path / "simulator").mkdir()
    with own_redis() as redis, SimulatorProcess(tmp_path / "simulator", time_scale=TIME_SCALE) as simulator:
        silent = Vendors(simulator.url)
        silent.settle(provider="*", latency_s=FOREVER)
        with Serving(simulator.url, tmp_path, REDIS_URL=redis.url, GATEWAY_DRAIN_SECONDS="0") as gateway:
            asked = [gateway.asking(job(provider)) for provider in ("fal", "replicate", "gemini", "vertex")]
            until(lambda: gateway.total("gateway_offer_in_flight") == len(asked))
            with stalled(simulator), redis.stalled():
                gateway.terminate()
                assert {each.result().json()["error"]["code"] for each in asked} == {"shutting_down"}
                assert gateway.process.wait(WIND_UP_SECONDS) == 0
        silent.close()
