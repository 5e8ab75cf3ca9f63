"""A bounded memory of what was worked out of late."""

from __future__ import annotations

from app.recent import Recent


def test_what_was_kept_is_found_and_nothing_else() -> None:
    recent = Recent[str, int](2)
    recent.keep("one", 1)
    assert (recent.get("one"), recent.get("two")) == (1, None)


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    recent = Recent[str, int](2)
    recent.keep("one", 1)
    recent.keep("two", 2)
    assert recent.get("one") == 1
    recent.keep("three", 3)
    assert (recent.get("one"), recent.get("two"), recent.get("three"), len(recent)) == (1, None, 3, 2)


def test_a_later_result_takes_the_place_of_an_earlier_one() -> None:
    recent = Recent[str, int](2)
    recent.keep("one", 1)
    recent.keep("one", 2)
    assert (recent.get("one"), len(recent)) == (2, 1)
