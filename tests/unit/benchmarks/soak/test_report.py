"""Report: the verdicts, the answers, the books and the windows are all in it."""

from __future__ import annotations

import json
from dataclasses import replace

from benchmarks.rig.answers import Seen
from benchmarks.rig.books import Account
from benchmarks.soak.judge import Soaked, verdicts
from benchmarks.soak.report import Told, as_json, as_markdown
from benchmarks.soak.run import Result
from benchmarks.soak.trouble import Trouble
from tests.unit.benchmarks.soak.windows import QUIET, rising

SOAKED = Soaked(
    rising(0.0),
    QUIET,
    replace(QUIET, spooled=2),
    [Seen("4K", "200", 3.0, images=1), Seen("4K", "500 internal_error", 1.0, wrong="internal error")],
    [Account("fal", 5, 0.4, 0.4, 0.0)],
    unanswered=0,
)
RESULT = Result(SOAKED, 1800.0, 1.0, 3, [Trouble(5.0, 8.0, "killed"), Trouble(9.0, 8.0, "fault", {"kind": "503"})])
TOLD = Told("2026-11-29", "a machine", "abc1234", RESULT, verdicts(SOAKED))


def test_the_report_says_what_held_and_what_did_not() -> None:
    text = as_markdown(TOLD)
    assert "2026-11-29; a machine; commit abc1234." in text
    assert "| spool files at the end | 0 | 2 | **missed** |" in text
    assert "| requests in flight at the end | 0 | 0 | holds |" in text
    assert "| 4K | 2 | 200 1x, 500 internal_error 1x |" in text
    assert "- 4K: 500 internal_error: internal error" in text
    assert "| fal | 5 | 0.4000 | 0.4000 | 0.0000 | agrees |" in text
    assert "503 1x, Redis killed 1x" in text


def test_not_every_window_is_a_row_but_the_json_has_them_all() -> None:
    assert as_markdown(TOLD, rows=6).count("\n| ") < 40
    document = json.loads(json.dumps(as_json(TOLD)))
    assert len(document["windows"]) == 60
    assert document["wrong"] == ["4K: 500 internal_error: internal error"]
