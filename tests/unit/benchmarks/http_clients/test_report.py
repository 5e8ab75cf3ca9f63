from __future__ import annotations

import json

from benchmarks.http_clients.report import Rounds, Told, as_json, as_markdown

ROUNDS: Rounds = {
    "small64": {
        "one": [{"cpu_ms": 0.3, "p50_ms": 3.0, "p99_ms": 9.0}, {"cpu_ms": 0.2, "p50_ms": 5.0, "p99_ms": 7.0}],
        "other": [{"cpu_ms": 2.0, "p50_ms": 30.0, "p99_ms": 90.0}],
    },
    "open2000": {
        "one": [{"cpu_ms": 0.4, "p50_ms": 5000.0, "p99_ms": 5100.0, "mb_each": 0.02, "most_at_upstream": 2000.0}]
    },
}
TOLD = Told(
    date="2026-11-29",
    machine="a machine",
    load="Load average 3.0.",
    versions={"one": "1.0"},
    rounds=ROUNDS,
    scenarios={"small64": "small replies", "open2000": "many"},
    behaviour={"one": {"redirects are not followed": "yes"}, "other": {"redirects are not followed": "**no**"}},
    left_out={"open2000, other": "not done"},
)


def test_cpu_is_the_least_of_all_rounds_and_everything_else_their_median() -> None:
    text = as_markdown(TOLD)
    assert "| small replies | 0.2 | 2 |" in text
    assert "| one | 2 | 0.2 | 0.25 | 4 | 8 |" in text


def test_what_was_not_measured_is_no_figure() -> None:
    text = as_markdown(TOLD)
    assert "| many | 0.4 | - |" in text
    assert "- open2000, other: not done" in text


def test_memory_stands_only_where_it_was_measured() -> None:
    before, _, after = as_markdown(TOLD).partition("## open2000")
    assert "| MB each |" not in before
    assert "| one | 1 | 0.4 | 0.4 | 5,000 | 5,100 | 0.02 | 2,000 |" in after


def test_what_was_observed_stands_side_by_side() -> None:
    assert "| redirects are not followed | yes | **no** |" in as_markdown(TOLD)


def test_the_json_holds_every_round_and_survives_being_written() -> None:
    document = json.loads(json.dumps(as_json(TOLD)))
    assert [each["cpu_ms"] for each in document["rounds"]["small64"]["one"]] == [0.3, 0.2]
    assert document["left_out"] == {"open2000, other": "not done"}
