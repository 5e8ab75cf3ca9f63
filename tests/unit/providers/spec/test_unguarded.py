"""A value without its guard is the value it was, but for the guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace

import pytest

from providers.spec.unguarded import unguarded


def _values(decorate: Callable[[type], type]) -> type:
    @decorate
    @dataclass(frozen=True, slots=True)
    class Order:
        prompt: str
        size: int = 1024
        names: tuple[str, ...] = ()
        _: KW_ONLY
        notes: list[str] = field(default_factory=list, compare=False)
        area: int = field(default=0, compare=False)
        seen: bool = field(default=False, init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "area", self.size**2)

    return Order


GUARDED, UNGUARDED = _values(lambda cls: cls), _values(unguarded)
MADE = [
    (("a fox",), {}),
    (("a fox", 512), {"notes": ["x"]}),
    ((), {"prompt": "a fox", "size": 2048, "names": ("a", "b")}),
]


@pytest.mark.parametrize(("places", "names"), MADE)
def test_it_is_made_shown_and_replaced_as_before(places: tuple[object, ...], names: dict[str, object]) -> None:
    before, now = GUARDED(*places, **names), UNGUARDED(*places, **names)
    assert repr(now) == repr(before)
    assert repr(replace(now, size=7)) == repr(replace(before, size=7))
    assert hash(now) == hash(before)


def test_values_are_equal_by_their_fields_and_share_no_default() -> None:
    first, second = UNGUARDED("a fox"), UNGUARDED("a fox")
    assert first == second
    assert first != UNGUARDED("a fox", 512)
    assert first != GUARDED("a fox")
    assert first.notes is not second.notes


@pytest.mark.parametrize("wrong", [((), {}), (("a fox",), {"unknown": 1}), (("a", 1, (), ["by place"]), {})])
def test_what_could_not_be_made_still_cannot(wrong: tuple[tuple[object, ...], dict[str, object]]) -> None:
    for made in (GUARDED, UNGUARDED):
        with pytest.raises(TypeError):
            made(*wrong[0], **wrong[1])


def test_it_keeps_its_slots() -> None:
    with pytest.raises(AttributeError):
        UNGUARDED("a fox").other = 1
