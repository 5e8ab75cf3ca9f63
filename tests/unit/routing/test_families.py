"""Tests of families: what one provider's failure says about another."""

from __future__ import annotations

import pytest

from routing.families import Families
from routing.knobs import StatisticsKnobs
from routing.policy import Policy

KNOBS = StatisticsKnobs()


def families() -> Families:
    return Families(KNOBS, Policy().families)


def test_before_anything_was_seen_a_relative_is_believed_by_the_prior() -> None:
    assert families().success_after("gemini", "vertex") == pytest.approx(KNOBS.family_success)


def test_providers_of_no_common_family_do_not_speak_for_each_other() -> None:
    known = families()
    for _ in range(50):
        known.note("gemini", "fal", delivered=False)
        known.note("fal", "replicate", delivered=False)
    assert known.success_after("gemini", "fal") == 1.0
    assert known.success_after("fal", "replicate") == 1.0


def test_a_providers_own_failure_is_left_to_its_own_statistics() -> None:
    known = families()
    known.note("gemini", "gemini", delivered=False)
    assert known.success_after("gemini", "gemini") == 1.0


def test_what_is_seen_outweighs_the_prior_as_it_adds_up() -> None:
    known = families()
    known.note("gemini", "vertex", delivered=False)
    assert known.success_after("gemini", "vertex") == pytest.approx(8 / 11)
    for _ in range(89):
        known.note("gemini", "vertex", delivered=False)
    assert known.success_after("gemini", "vertex") == pytest.approx(8 / 100)


def test_each_direction_of_a_pair_is_learned_apart() -> None:
    known = families()
    for _ in range(20):
        known.note("gemini", "vertex", delivered=False)
    assert known.success_after("vertex", "gemini") == pytest.approx(KNOBS.family_success)


def test_the_factors_are_those_of_all_related_pairs_in_both_directions_and_of_no_others() -> None:
    known = families()
    for _ in range(20):
        known.note("gemini", "vertex", delivered=False)
    assert known.factors(["gemini", "fal", "vertex", "replicate"]) == {
        ("gemini", "vertex"): known.success_after("gemini", "vertex"),
        ("vertex", "gemini"): known.success_after("vertex", "gemini"),
    }
    assert known.success_after("gemini", "vertex") < known.success_after("vertex", "gemini")


def test_a_family_of_one_has_no_factors() -> None:
    assert families().factors(["gemini", "fal"]) == {}
    assert families().factors([]) == {}


def test_a_backend_that_has_changed_is_learned_anew_however_long_it_was_otherwise() -> None:
    known = families()
    for _ in range(10_000):
        known.note("gemini", "vertex", delivered=False)
    for _ in range(300):
        known.note("gemini", "vertex", delivered=True)
    assert known.success_after("gemini", "vertex") > 0.75
