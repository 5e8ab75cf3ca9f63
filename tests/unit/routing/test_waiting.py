"""Waiting: who stood in line and is nearly out of time begins no try, and what is waited for ends in time."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from routing.health import Health
from routing.ranking import entry_of
from routing.steps import Ending, GiveUp, Wait, Waiting
from routing.waiting import Chance, in_time, wait_for
from tests.unit.routing.making import NOW, POLICY, REQUEST, estimate, offer, prices

TABLE = prices(fal="0.08")


def chance(health: Health, *, ready_at: float = inf) -> Chance:
    here = offer("fal")
    quote = TABLE.quote(here, REQUEST, on=TABLE.lines[0].effective_from)
    assert quote is not None
    known = replace(health, estimate=estimate(10.0))
    return Chance(entry_of(here, quote, known, None, POLICY, now=NOW), 0, ready_at)


@pytest.mark.parametrize(
    ("whole_s", "remaining_s", "begins"),
    [
        (60.0, 40.0, True),
        (60.0, 12.0, False),  # two successes in three, where all would have come at first
        (12.0, 11.9, True),  # little time from the start, and hardly any of it gone
        (12.0, 8.0, False),
    ],
)
def test_after_the_line_a_try_begins_only_with_nearly_all_of_its_chance_left(
    whole_s: float, remaining_s: float, begins: bool
) -> None:
    assert bool(in_time([chance(Health())], remaining_s=remaining_s, whole_s=whole_s)) is begins


def test_before_a_full_offer_the_last_look_is_at_the_end_of_patience() -> None:
    full = chance(Health(room=False))
    step = wait_for([full], POLICY, now=NOW, since=NOW, deadline_at=NOW + 0.5)
    assert step == Wait(NOW + 0.5, Waiting.ROOM, frozenset({"fal/pictura"}))
    assert wait_for([full], POLICY, now=NOW + 0.5, since=NOW, deadline_at=NOW + 0.5) == GiveUp(Ending.WAITED)


def test_a_block_that_outlasts_patience_is_not_waited_for() -> None:
    blocked = chance(Health(blocked_until=NOW + 100), ready_at=NOW + 100)
    assert wait_for([blocked], POLICY, now=NOW, since=NOW, deadline_at=NOW + 50) == GiveUp(Ending.WAITED)
