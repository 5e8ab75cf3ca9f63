"""Judge: a leak of any kind fails a soak, what merely settles does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.rig.answers import Seen
from benchmarks.rig.books import Account
from benchmarks.soak.judge import GROWTH_MB, Soaked, growth_mb, verdicts
from tests.unit.benchmarks.soak.windows import QUIET, rising

GOOD = Seen("512", "200", 1.0, images=1, attempts=({"outcome": "overloaded"}, {"outcome": "ok"}))
SOAKED = Soaked(rising(0.0), QUIET, QUIET, [GOOD], [Account("fal", 5, 0.4, 0.4, 0.0)], unanswered=0)


def missed(soaked: Soaked) -> list[str]:
    return [each.told for each in verdicts(soaked) if not each.holds]


def test_growth_is_the_rise_of_the_line_through_the_last_two_thirds() -> None:
    assert growth_mb(rising(0.5), "rss_floor_mb") == pytest.approx(0.5 * 39)
    assert growth_mb(rising(0.0, settling=90.0), "rss_floor_mb") == pytest.approx(0.0, abs=1e-9)
    assert growth_mb(rising(0.5)[:3], "rss_floor_mb") == 0.0


def test_a_good_soak_holds_everywhere() -> None:
    assert missed(SOAKED) == []
    assert len(verdicts(SOAKED)) == 12


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"windows": rising(2 * GROWTH_MB / 39)}, "RSS rose"),
        ({"idle_after": replace(QUIET, in_flight=1)}, "in flight"),
        ({"idle_after": replace(QUIET, spooled=1)}, "spool files"),
        ({"idle_after": replace(QUIET, descriptors=24)}, "descriptors"),
        ({"idle_after": replace(QUIET, sockets=9)}, "sockets"),
        ({"idle_after": replace(QUIET, tasks=11)}, "tasks"),
        ({"idle_after": replace(QUIET, threads=90)}, "threads"),
        ({"unanswered": 1}, "without an answer"),
        ({"answers": [replace(GOOD, wrong="internal error")]}, "no request may get"),
        ({"answers": [replace(GOOD, attempts=({"outcome": "ok"}, {"outcome": "ok"}))]}, "there already"),
        ({"accounts": [Account("fal", 5, 0.4, 0.3, 0.05)]}, "bill"),
        ({"accounts": [Account("fal", 5, 0.4, 0.5, 0.0)]}, "bill"),
    ],
)
def test_whatever_is_left_behind_is_told(change: Mapping[str, Any], told: str) -> None:
    (line,) = missed(replace(SOAKED, **change))
    assert told in line


def test_a_short_soak_says_nothing_about_memory() -> None:
    assert missed(replace(SOAKED, windows=rising(9.0, count=6))) == []


def test_a_bill_may_hold_what_was_given_up() -> None:
    assert Account("fal", 5, 0.48, 0.4, 0.08).agrees
