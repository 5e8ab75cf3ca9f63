"""Redis killed, wiped and stalled under load: no request fails or waits for it, operators are told, sharing resumes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.chaos.conftest import REPLICAS, Fleet, tries, until
from tests.e2e.conftest import Vendors
from tests.redis_server import RedisServer

CALLERS = 6
NOTICED_S = 20.0
"""How soon a gateway is to notice that Redis is gone: an exchange that is not answered is given up after seconds."""
RESUMED_S = 40.0
"""How soon sharing is to go on once Redis is back: the longest pause between tries, and some exchanges."""
SLOW_S = 5.0
"""No answer takes so long while the vendors, accelerated, take well below a second."""


class Load:
    """Callers that ask without a pause until they are told to stop, and what they were answered."""

    def __init__(self, fleet: Fleet) -> None:
        self.answers: list[httpx.Response] = []
        self._fleet = fleet
        self._stop = threading.Event()

    def call(self, first: int) -> None:
        number = first
        while not self._stop.is_set():
            self.answers.append(self._fleet.ask(number % REPLICAS))
            number += 1

    def stop(self) -> None:
        self._stop.set()

    def goes_on(self) -> None:
        """Let some more requests be answered."""
        seen = len(self.answers)
        until(lambda: len(self.answers) >= seen + 3 * CALLERS, 30.0)

    def assert_nobody_noticed(self) -> None:
        assert {answer.status_code for answer in self.answers} == {200}
        assert max(answer.elapsed.total_seconds() for answer in self.answers) < SLOW_S


@contextmanager
def under_load(fleet: Fleet) -> Iterator[Load]:
    load = Load(fleet)
    with ThreadPoolExecutor(CALLERS) as callers:
        calls = [callers.submit(load.call, number) for number in range(CALLERS)]
        try:
            yield load
        finally:
            load.stop()
        for call in calls:
            call.result()


def assert_told_once(fleet: Fleet) -> None:
    for gateway in fleet.gateways:
        (line,) = gateway.events("stats_store_unavailable")
        assert line["level"] == "warning"
        assert "127.0.0.1" not in line["reason"]
        assert len(gateway.events("stats_store_available")) == 1


def assert_sharing_goes_on(fleet: Fleet) -> None:
    """What one sees from now on the others count. Replicate sells no 512, so the load has never been there."""
    assert {fleet.ask(0, resolution="1K", provider={"only": ["replicate"]}).status_code for _ in range(4)} == {200}
    until(lambda: all(fleet.samples(each).get("replicate") == 4 for each in range(REPLICAS)), 30.0)


@pytest.mark.slow
def test_no_request_fails_when_redis_is_killed_and_started_again_under_load(
    fleet: Fleet, redis_server: RedisServer
) -> None:
    with under_load(fleet) as load:
        load.goes_on()
        assert fleet.store_up() == [1.0] * REPLICAS
        redis_server.kill()
        until(lambda: fleet.store_up() == [0.0] * REPLICAS, NOTICED_S)
        load.goes_on()
        redis_server.start()
        until(lambda: fleet.store_up() == [1.0] * REPLICAS, RESUMED_S)
        load.goes_on()
    load.assert_nobody_noticed()
    assert_told_once(fleet)
    until(fleet.everybody_counted, 30.0)
    assert_sharing_goes_on(fleet)


@pytest.mark.slow
def test_nothing_is_lost_and_no_request_waits_when_redis_stalls_under_load(
    fleet: Fleet, vendors: Vendors, redis_server: RedisServer
) -> None:
    with under_load(fleet) as load:
        load.goes_on()
        with redis_server.stalled():
            until(lambda: fleet.store_up() == [0.0] * REPLICAS, NOTICED_S)
            load.goes_on()
        until(lambda: fleet.store_up() == [1.0] * REPLICAS, RESUMED_S)
        load.goes_on()
    load.assert_nobody_noticed()
    assert_told_once(fleet)
    told = tries(load.answers)
    made = {provider: sum(each["provider"] == provider for each in told) for provider in {t["provider"] for t in told}}
    until(lambda: all(fleet.samples(number) == made for number in range(REPLICAS)), RESUMED_S)
    assert made == {provider: vendors.sums(provider)["requests"] for provider in made}


@pytest.mark.slow
def test_gateways_start_and_serve_without_redis_and_share_once_it_is_there(
    fleet: Fleet, redis_server: RedisServer
) -> None:
    redis_server.kill()
    assert {answer.status_code for answer in fleet.ask_all(2 * REPLICAS)} == {200}
    until(lambda: fleet.store_up() == [0.0] * REPLICAS, NOTICED_S)
    redis_server.start()
    until(lambda: fleet.store_up() == [1.0] * REPLICAS, RESUMED_S)
    until(fleet.everybody_counted, 30.0)
    assert_sharing_goes_on(fleet)
