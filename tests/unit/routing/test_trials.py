"""Tests of trials: one request at a time looks whether an offer is back, and one replica at a time."""

from __future__ import annotations

import pytest

from routing.trials import Trials

NOW = 1_790_000_000.0
FAL = "fal/pictura"
GEMINI = "gemini/pictura"


def trials(*, shared: bool = False) -> Trials:
    made = Trials([FAL, GEMINI])
    made.shared = shared
    return made


def possible(of: Trials, offer: str = FAL, *, now: float = NOW, asking: bool = True) -> bool:
    return of.possible(offer, asking=asking, now=now)


def test_alone_a_replica_needs_no_lease() -> None:
    alone = trials()
    assert possible(alone)
    assert alone.wanted() == set()


@pytest.mark.parametrize("shared", [False, True])
def test_while_one_request_looks_no_other_does_and_other_offers_are_not_held_up(shared: bool) -> None:
    some = trials(shared=shared)
    for offer in (FAL, GEMINI):
        some.granted(offer, NOW + 60)
    some.began(FAL)
    assert not possible(some)
    assert possible(some, GEMINI)
    some.ended(FAL)
    assert possible(some)


def test_of_tries_that_a_panic_sent_together_all_must_end_before_the_next_trial() -> None:
    some = trials()
    some.began(FAL)
    some.began(FAL)
    some.ended(FAL)
    assert not possible(some)
    some.ended(FAL)
    assert possible(some)


def test_with_other_replicas_the_lease_is_wanted_first_and_holds_until_its_end() -> None:
    some = trials(shared=True)
    assert not possible(some)
    assert some.wanted() == {FAL}
    some.granted(FAL, NOW + 60)
    assert possible(some, now=NOW + 59.9)
    assert some.wanted() == set()
    assert not possible(some, now=NOW + 60)
    assert some.wanted() == {FAL}


def test_a_wish_for_the_lease_is_told_once() -> None:
    some = trials(shared=True)
    for offer in (FAL, GEMINI, FAL):
        possible(some, offer)
    assert some.wanted() == {FAL, GEMINI}
    assert some.wanted() == set()


def test_a_lease_is_not_wanted_while_a_trial_runs_or_by_whoever_only_looks() -> None:
    some = trials(shared=True)
    assert not possible(some, asking=False)
    some.began(FAL)
    assert not possible(some)
    assert some.wanted() == set()


def test_whoever_only_looks_sees_whether_a_trial_is_possible() -> None:
    some = trials(shared=True)
    some.granted(FAL, NOW + 60)
    assert possible(some, asking=False)
    assert not possible(some, GEMINI, asking=False)
