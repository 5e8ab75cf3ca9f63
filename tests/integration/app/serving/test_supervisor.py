"""The supervisor with workers that are scripts: what it does with those that fail, die, are silent or stay."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from app.main import StartError
from app.serving.serve import listening
from app.serving.supervisor import Supervisor
from app.settings import Settings

PATIENCE_S = 20.0
SERVES = "import os, signal, sys, time\nos.write(1, b'{\"failure\": null}\\n')\n"
BEATS = SERVES + "while sys.stdin.buffer.raw.read(65536): os.write(1, b'.')\n"
"""Serves until its pipe ends."""


class Watched:
    """A supervisor of two such workers, and what it says."""

    def __init__(self, script: str, *, silence_s: float = PATIENCE_S, leave_limit_s: float = PATIENCE_S) -> None:
        settings = Settings(_env_file=None, gateway_workers=2)
        self.listener = listening("127.0.0.1", 0)
        program = (sys.executable, "-c", script)
        self.supervisor = Supervisor(
            settings,
            self.listener,
            leave_limit_s=leave_limit_s,
            program=program,
            silence_s=silence_s,
            first_pause_s=0.01,
        )
        self.said: list[Any] = []

    async def __aenter__(self) -> Self:
        self.running = asyncio.create_task(self.supervisor.run(lambda: self.said.append("serving")))
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.supervisor.stop()
        async with asyncio.timeout(PATIENCE_S):
            await self.running

    async def until(self, event: str, count: int) -> list[Any]:
        """The first so many log lines of this event, once they are there."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := [line for line in self.lines if line["event"] == event]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return found[:count]

    lines: list[Any]


@pytest.fixture
def lines() -> Any:
    with capture_logs() as captured:
        yield captured


def watched(lines: Any, script: str, **more: float) -> Watched:
    one = Watched(script, **more)
    one.lines = lines
    return one


async def test_workers_serve_until_the_stop(lines: Any) -> None:
    async with watched(lines, BEATS) as one:
        await one.until("worker_serves", 2)
        assert one.said == ["serving"]
        assert not one.running.done()
    assert one.running.result() is True
    assert one.listener.fileno() == -1
    assert [line["event"] for line in lines] == ["worker_serves"] * 2


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ('import os; os.write(1, b\'{"failure": "No key."}\\n\')', "No key."),
        ("raise SystemExit(3)", "A worker process ended while it started; the lines before this one say why."),
    ],
)
async def test_the_first_that_cannot_serve_stops_the_start(lines: Any, script: str, sentence: str) -> None:
    one = watched(lines, script)
    with pytest.raises(StartError) as failed:
        await one.supervisor.run(lambda: None)
    assert str(failed.value) == sentence
    one.listener.close()


async def test_those_that_die_are_replaced_after_longer_and_longer(lines: Any) -> None:
    # The first stays, so that the start succeeds; the other dies as soon as it serves.
    script = f"import sys\nif sys.argv[1] == '0':\n exec({BEATS!r})\nelse:\n exec({SERVES!r})\n sys.exit(5)"
    async with watched(lines, script) as one:
        told = await one.until("worker_ended", 5)
    assert [line["again_in_s"] for line in told] == [0.01, 0.02, 0.04, 0.08, 0.16]
    assert {(line["worker"], line["reason"]) for line in told} == {(1, "it ended with code 5")}
    assert {line["log_level"] for line in told} == {"error"}


async def test_one_whose_event_loop_is_silent_is_killed_and_replaced(lines: Any) -> None:
    async with watched(lines, SERVES + "time.sleep(60)", silence_s=0.3) as one:
        told = await one.until("worker_ended", 2)
        await one.until("worker_serves", 4)
    assert {line["reason"] for line in told} == {"its event loop was silent for 0.3 s, so it was killed"}


async def test_a_roll_replaces_one_after_the_other(lines: Any) -> None:
    handler = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    async with watched(lines, SERVES.replace("os.write", f"\n{handler}os.write") + BEATS.removeprefix(SERVES)) as one:
        first = {line["pid"] for line in await one.until("worker_serves", 2)}
        one.supervisor.roll()
        one.supervisor.roll()
        await one.until("workers_replaced", 1)
        served = await one.until("worker_serves", 4)
    assert len({line["pid"] for line in served}) == 4
    ended = [line for line in lines if line["event"] == "worker_ended"]
    assert {line["pid"] for line in ended} == first
    assert {(line["log_level"], line["again_in_s"]) for line in ended} == {("info", 0.0)}
    order = [(line["event"], line["worker"]) for line in lines if line["event"] in {"worker_ended", "worker_serves"}]
    assert order[2:] == [("worker_ended", 0), ("worker_serves", 0), ("worker_ended", 1), ("worker_serves", 1)]


async def test_one_that_does_not_end_is_killed(lines: Any) -> None:
    async with watched(lines, SERVES + "while True: time.sleep(0.05); os.write(1, b'.')", leave_limit_s=-2.9) as one:
        await one.until("worker_serves", 2)
    assert one.running.result() is False
    (told,) = await one.until("workers_killed", 1)
    assert told["workers"] == [0, 1]
