"""What was made at the start is set aside; what comes after is still looked through, only less often."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.serving.garbage import set_aside, settle_down


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.own = self


def test_what_was_there_is_set_aside_and_looked_at_no_more() -> None:
    settle_down()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] > 700


def test_knots_tied_afterwards_are_still_found() -> None:
    settle_down()
    knot = weakref.ref(Knot())
    for _ in range(3):
        gc.collect()
    assert knot() is None


def test_nothing_is_looked_through_during_imports_and_what_they_made_never_is() -> None:
    looks: list[str] = []
    gc.collect()  # or what was made before might be due to be looked through just now
    gc.callbacks.append(lambda phase, info: looks.append(phase))
    try:
        with set_aside():
            knots = [Knot() for _ in range(10_000)]
            kept = weakref.ref(Knot())
    finally:
        gc.callbacks.pop()
    assert looks == []
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(knots)
    gc.collect()
    assert kept() is not None


def test_imports_that_fail_leave_the_collector_at_work() -> None:
    with pytest.raises(ImportError), set_aside():
        raise ImportError
    assert gc.isenabled()
