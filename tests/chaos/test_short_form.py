"""The short form of the chaos catalogue: one case of every family with real processes, as ``make chaos`` runs all."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.chaos import lane
from benchmarks.chaos.catalogue import SHORT, named
from benchmarks.chaos.row import Row
from benchmarks.chaos.run import carried_out

pytestmark = pytest.mark.timeout(600)  # all cases run in the fixture, within the first test's time

LANES = 3
"""Side by side: most of the time a case waits."""


@pytest.fixture(scope="module")
def carried() -> tuple[dict[str, Row], dict[str, str]]:
    """What became of each case, and which could not be carried out here."""
    rows, left_out = asyncio.run(carried_out(named(), lane.SHORT, lanes=LANES))
    return {row.case.name: row for row in rows}, left_out


@pytest.mark.parametrize("name", SHORT)
def test_it_is_noticed_answered_paid_once_and_leaves_nothing_behind(
    carried: tuple[dict[str, Row], dict[str, str]], name: str
) -> None:
    rows, left_out = carried
    if name in left_out:
        pytest.skip(left_out[name])
    row = rows[name]
    assert row.asked
    assert row.complaints == (), [
        (each.phase.value, each.seen.kind, each.seen.told, each.seen.wrong, round(each.seen.seconds, 1))
        for each in row.asked
        if each.seen.told not in {"200", "left"}
    ]
