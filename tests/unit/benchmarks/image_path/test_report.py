from __future__ import annotations

import json

from benchmarks.image_path.bars import Rounds, verdicts
from benchmarks.image_path.report import Told, as_json, as_markdown, machine

ROUNDS: Rounds = {"start": {"ours": [{"start_s": 0.9, "idle_mb": 120.0}], "nginx": [{"start_s": 0.02}]}}
TOLD = Told(
    date="2026-11-21",
    machine="a machine",
    versions={"nginx": "1.22.1"},
    quick=True,
    lengths={"4k": 16_000_000},
    rounds=ROUNDS,
    scenarios={"start": "until it answers"},
    left_out={"portkey": "no node"},
    verdicts=verdicts(ROUNDS),
)


def test_the_report_says_what_was_measured_and_which_bars_hold() -> None:
    text = as_markdown(TOLD)
    assert "2026-11-21; a machine; nginx 1.22.1; a quick run." in text
    assert "| idle RSS | 100 MB | 120 | **missed** |" in text
    assert "| start to first good answer | 1.2 s | 0.9 | holds |" in text
    assert "| event-loop lag p99, 16 x 4K at once | 60 ms | - | not measured |" in text
    assert "| nginx | 1 | 0.02 | - |" in text
    assert "- portkey: no node" in text


def test_the_json_holds_every_round_and_survives_being_written() -> None:
    document = json.loads(json.dumps(as_json(TOLD)))
    assert document["rounds"]["start"]["ours"] == [{"start_s": 0.9, "idle_mb": 120.0}]
    assert {each["told"]: each["holds"] for each in document["bars"]}["idle RSS"] is False


def test_the_machine_is_named() -> None:
    assert "cores" in machine()
