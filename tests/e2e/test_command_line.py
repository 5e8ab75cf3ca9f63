"""The command line as its user meets it: real processes, nothing set up beforehand."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e import patient
from tests.e2e.command import EMPTY, PROGRAM, run

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A gateway process: itself, its base URL, what it said until it served."""
    process = subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=cwd,
        env={**EMPTY, **(environment or {}), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        while (found := re.search(r"http://\S+?:\d+", said)) is None:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield process, found[0], said
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_check_prints_the_table_of_offers(tmp_path: Path) -> None:
    said = run("check", cwd=tmp_path, environment={"FAL_KEY": "k"}).stdout
    for word in (
        "gemini-3.1-flash-image-preview",
        "fal-ai/nano-banana-2",
        "google/nano-banana-2",
        "0.0672",
        "0.16",
        "not set",
    ):
        assert word in said
    assert "5 models, 16 offers, 4 with a key set." in said


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "No provider has a key"),
        ({"FAL_KEY": "k", "GATEWAY_HOST": "0.0.0.0"}, "GATEWAY_API_KEYS is not set"),
        ({"FAL_KEY": "k", "GATEWAY_PORT": "many"}, "GATEWAY_PORT"),
        ({"FAL_KEY": "k", "FAL_BASE_URL": "http://example.com"}, "FAL_BASE_URL"),
        ({"FAL_KEY": "k", "GATEWAY_HOST": "no.such.host.invalid", "GATEWAY_API_KEYS": "k"}, "GATEWAY_HOST"),
        ({"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent.json"}, "vertex"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    said = run("serve", cwd=tmp_path, environment=environment, code=1).stderr
    assert sentence in said
    assert "Traceback" not in said


def test_a_wrong_entry_stops_the_start_with_file_and_key(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    prices = config / "prices/fal.toml"
    prices.write_text(prices.read_text().replace('"0.08"', '"cheap"', 1))
    said = run("check", cwd=tmp_path, environment={"GATEWAY_CONFIG_DIR": str(config)}, code=1).stderr
    assert "fal.toml" in said
    assert "1K" in said
    assert "cheap" in said


def test_demo_without_keys_simulates_all_four_and_says_so(tmp_path: Path) -> None:
    with serving("demo", cwd=tmp_path) as (process, url, said):
        assert "gemini, vertex, fal, replicate" in said
        answer = httpx.post(f"{url}/images/generations", json={"prompt": "a fox"}, timeout=30)
        assert answer.status_code == 200
        assert answer.headers["x-gateway-simulated"] == "true"
        children = [int(pid) for pid in _children(process.pid)]
        assert len(children) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert not _alive(children[0])


@pytest.mark.parametrize("wait_s", [0.3, 0.6, 0.9, 1.2])
def test_a_signal_while_the_demo_starts_leaves_no_simulator_behind(tmp_path: Path, wait_s: float) -> None:
    process = subprocess.Popen(
        [PROGRAM, "demo"], cwd=tmp_path, env=EMPTY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(wait_s)
    children = _children(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    assert not any(_alive(int(child)) for child in children)


def test_a_killed_demo_takes_its_simulator_along(tmp_path: Path) -> None:
    with serving("demo", cwd=tmp_path) as (process, _, _):
        (child,) = _children(process.pid)
        process.kill()
        process.wait(10)
        assert not _alive(int(child))


def test_demo_with_a_key_simulates_nothing(tmp_path: Path) -> None:
    environment = {"FAL_KEY": "k", "FAL_BASE_URL": "http://127.0.0.1:9"}
    with serving("demo", cwd=tmp_path, environment=environment) as (process, url, said):
        assert "nothing is simulated" in said
        assert _children(process.pid) == []
        assert patient.get(f"{url}/v1/models").json()["data"]
        answer = httpx.post(f"{url}/images/generations", json={"prompt": "a fox"}, timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "provider_unavailable")
        assert "x-gateway-simulated" not in answer.headers


def test_serve_stops_on_sigterm_after_finishing_what_is_under_way(tmp_path: Path) -> None:
    with serving("serve", cwd=tmp_path, environment={"FAL_KEY": "k", "GATEWAY_API_KEYS": "a"}) as (process, url, _):
        assert patient.get(f"{url}/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _alive(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists():
            return False
        time.sleep(0.05)
    return True
