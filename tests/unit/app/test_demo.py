"""The demo's simulator: on a port nobody can take away meanwhile, and an end that is told."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from app.demo import SIMULATOR_PORT, Simulation
from app.main import StartError


def test_simulators_that_start_at_the_same_moment_have_a_port_each() -> None:
    simulations = [Simulation(time_scale=50) for _ in range(3)]
    with ExitStack() as held, ThreadPoolExecutor(3) as starting:
        for running in starting.map(Simulation.__enter__, simulations):
            held.push(running)
        urls = {each.base_url for each in simulations}
        assert len(urls) == 3
        assert {httpx.get(f"{url}/_control/settings", timeout=30).status_code for url in urls} == {200}
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_a_port_that_is_taken_is_left_alone() -> None:
    with ExitStack() as held:
        with suppress(OSError):  # taken by another test: as good
            held.enter_context(socket.create_server(("127.0.0.1", SIMULATOR_PORT)))
        with Simulation(time_scale=50) as running:
            assert not running.base_url.endswith(f":{SIMULATOR_PORT}")
            assert httpx.get(f"{running.base_url}/_control/settings", timeout=30).status_code == 200


def test_a_simulator_that_ends_at_once_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StartError, match="did not start"), Simulation(time_scale=0):
        pass
    assert "--time-scale must be greater than 0" in capfd.readouterr().err
