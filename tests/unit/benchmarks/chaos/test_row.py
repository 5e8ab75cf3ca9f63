"""Row and report: whatever a case must not show is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.chaos.catalogue import named
from benchmarks.chaos.loads import ONLY
from benchmarks.chaos.report import Told, as_json, as_markdown
from benchmarks.chaos.row import Asked, Phase, Row
from benchmarks.rig.answers import Seen
from benchmarks.rig.books import Account

(CASE,) = named(("503 at gemini",))
SERVED = Asked(Phase.DURING, Seen("anywhere", "200", 2.0, images=1, attempts=({"outcome": "ok"},)))
ROW = Row(
    CASE,
    [SERVED, Asked(Phase.DURING, Seen(ONLY, "503 provider_unavailable", 0.5))],
    {"tries at gemini fail": 0.4, "breaker of gemini": None},
    [Account("fal", 2, 0.16, 0.16, 0.0)],
    cancelled=0,
    stuck=0,
    left={},
    recovered=True,
)


def told(**seen: Any) -> list[Asked]:
    return [Asked(Phase.DURING, replace(SERVED.seen, **seen))]


def test_a_case_that_is_as_it_must_be_has_no_complaints() -> None:
    assert ROW.complaints == ()
    assert (ROW.spare, ROW.twice, ROW.slowest_s) == (1, 0, 2.0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"noticed": {"tries at gemini fail": None}}, "nobody noticed"),
        ({"asked": told(told="503 provider_unavailable")}, "1x 503 provider_unavailable"),
        ({"asked": told(wrong="not an image")}, "1x 200"),
        ({"asked": told(kind=ONLY, told="500 internal_error", wrong="internal error")}, "1x 500 internal_error"),
        ({"stuck": 2}, "2 requests were never answered"),
        ({"asked": told(attempts=({"outcome": "ok"}, {"outcome": "ok"}))}, "1 images were bought twice"),
        ({"accounts": [Account("fal", 2, 0.16, 0.08, 0.0)]}, "the bill of fal is another"),
        ({"left": {"spool files": 1}}, "left behind: 1 spool files"),
        ({"recovered": False}, "not served afterwards"),
    ],
)
def test_what_is_not_as_it_must_be_is_told(change: Mapping[str, Any], complaint: str) -> None:
    assert replace(ROW, **change).complaints == (complaint,)


def test_a_gateway_that_was_killed_has_no_account_to_hold_against_the_bill() -> None:
    (killed,) = named(("gateway killed",))
    row = replace(ROW, case=killed, asked=[SERVED], accounts=[Account("fal", 2, 0.16, 0.08, 0.0)])
    assert row.complaints == ()


def test_the_report_has_a_line_for_each_case_and_tells_first_what_is_wrong() -> None:
    bad = replace(ROW, stuck=1)
    report = Told("2026-11-29", "a machine", "abc1234", [ROW, bad], {"clock two hours ahead": "no compiler"})
    text = as_markdown(report)
    assert "**1 of 2 cases are as they must be**; 1 requests without an answer" in text
    assert "- 503 at gemini: 1 requests were never answered" in text
    assert (
        "| 503 at gemini | tries at gemini fail: 0.4; breaker of gemini: not | 200 1x, 503 provider_unavailable 1x"
        in text
    )
    assert "Left out: clock two hours ahead: no compiler" in text
    document = json.loads(json.dumps(as_json(report)))
    assert [each["complaints"] for each in document["cases"]] == [[], ["1 requests were never answered"]]
