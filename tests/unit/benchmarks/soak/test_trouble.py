"""Trouble: every kind of failure comes, each with a vendor that can show it, and Redis goes and comes."""

from __future__ import annotations

from random import Random

from benchmarks.soak.trouble import troubles
from simulator.faults import Kind, able
from simulator.vendors import Vendor


def test_an_hour_knows_every_kind_of_failure_and_both_of_redis() -> None:
    hour = list(troubles(3600.0, Random(1)))
    faults = [each.fault for each in hour if each.what == "fault"]
    assert {each["kind"] for each in faults} == set(Kind)
    assert all(Vendor(each["provider"]) in able(Kind(each["kind"])) for each in faults)
    assert {each.what for each in hour} == {"fault", "killed", "stalled"}


def test_they_come_in_order_and_end_before_the_soak_does() -> None:
    hour = list(troubles(3600.0, Random(2)))
    assert [each.at for each in hour] == sorted(each.at for each in hour)
    assert all(each.at < 3580.0 for each in hour)
    assert list(troubles(15.0, Random(1))) == []


def test_the_same_dice_give_the_same_trouble() -> None:
    assert list(troubles(600.0, Random(3))) == list(troubles(600.0, Random(3)))
