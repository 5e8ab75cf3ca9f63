"""Lettering: a prompt in any script is shown as far as there are letters for it."""

from __future__ import annotations

import pytest

from simulator.lettering import Face, has, legible, system_faces

OWN: tuple[Face, ...] = (None,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a red fox", "a red fox"),
        ("Café à Zürich, łódź, smørrebrød", "Cafe a Zurich, lodz, smorrebrod"),
        ("Grüße – „so“ — ‘so’", 'Grusse - "so“ - ‘so’'),
        ("5 € × 2 £ → ½", "5 EUR x 2 GBP -> 1⁄2"),
        ("１２３ fine a\u00a0b", "123 fine a b"),
        ("e\u0301te\u0301", "ete"),
        ("a\u200d b\ufe0f", "a b"),
        ("a fox 狐", "a fox (1 character without a glyph)"),
        ("一只红色的狐狸，跑", "(8 characters without a glyph)"),
        ("", ""),
    ],
)
def test_what_pillows_own_face_lacks_is_replaced_or_counted(text: str, shown: str) -> None:
    assert legible(text, OWN) == (None, shown)


def test_plain_text_never_looks_for_fonts() -> None:
    system_faces.cache_clear()
    legible("a red fox, 100% plain")
    assert system_faces.cache_info().misses == 0


def test_the_face_that_shows_most_is_taken() -> None:
    greek = "αλεπού"
    able = [face for face in system_faces() if all(has(face, letter) for letter in greek)]
    if not able:
        pytest.skip("this machine has no Greek typeface")
    face, shown = legible(greek)
    assert face in able
    assert shown == greek


def test_a_face_has_what_it_draws_and_lacks_what_it_draws_as_a_box() -> None:
    assert all(has(None, letter) for letter in "AZaz09 .,!?")
    assert not has(None, "狐")
