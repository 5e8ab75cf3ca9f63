"""The corpus against a gateway process as an operator starts it: every input is answered as it must be, in time, with
memory within a bound, and afterwards the gateway is as it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator.server import create_app
from simulator.settings import SimulatorSettings
from tests.e2e.asking import metric
from tests.e2e.gateway_process import LOG, Process, gateway_process
from tests.hostile.case import TAKEN, Case, upload
from tests.hostile.pngs import png
from tests.hostile.trying import Trier, corpus, figures
from tests.servers import running

PEAK_MIB = 500
"""Resident memory at its peak. It begins with 80 MiB; of the pictures that are decoded none has more than 25
megapixels, two are at a time, and beside them are bodies of up to 30 MB."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with running(create_app(SimulatorSettings(seed=1, time_scale=150.0))) as url:
        yield url


@pytest.fixture(scope="module")
def gateway(simulator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("gateway")
    spools = folder / "spools"
    spools.mkdir()
    with gateway_process(folder, simulator, GATEWAY_SPOOL_DIR=str(spools)) as process:
        yield process
    assert list(spools.iterdir()) == []
    assert_no_flood(folder / LOG)


def assert_no_flood(log: Path) -> None:
    """Each line is one of ours but for the few that the TIFF library has for a file it cannot read."""
    lines = log.read_text(errors="replace").splitlines()
    strange = [line for line in lines if not line.startswith("{")]
    assert len(strange) < 30, strange[:30]
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line for line in told if line["level"] == "error"] == []


def test_every_hostile_input_is_answered_as_it_must_be_and_nothing_is_left(gateway: Process, simulator: str) -> None:
    httpx.get(f"{gateway.url}/healthz")
    files = gateway.open_files()
    began = time.monotonic()
    trier = Trier(gateway.url)
    told = trier.all(corpus())
    trier.close()
    print(figures(told, time.monotonic() - began), f"{gateway.peak_mib():.0f} MiB at its peak")
    assert [f"{each.case.name}: {each.fault}" for each in told if each.fault] == []
    assert gateway.peak_mib() < PEAK_MIB
    assert metric(gateway.url, "gateway_in_flight") == 0
    assert httpx.get(f"{simulator}/_control/requests").json() == []
    give_up = time.monotonic() + 10
    while gateway.open_files() > files and time.monotonic() < give_up:
        time.sleep(0.05)
    assert gateway.open_files() <= files
    answer = httpx.post(f"{gateway.url}/v1/images/generations", json={"prompt": "a fox"}, timeout=30)
    assert answer.status_code == 200


def test_a_wrong_verdict_is_a_fault(gateway: Process) -> None:
    trier = Trier(gateway.url)
    sound = upload("a sound picture", png(), TAKEN)
    refused = upload("a sound picture, expected to be refused", png())
    nowhere = Case("a path there is none of", path="/v1/nothing", verdicts=(TAKEN,))
    faults = [trier.one(case).fault for case in (sound, refused, nowhere)]
    trier.close()
    assert faults[0] is None
    assert faults[1] is not None
    assert faults[2] is not None
    assert "route_not_found" in faults[2]


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in corpus()]
    assert len(names) > 1500
    assert sorted({name for name in names if names.count(name) > 1}) == []
