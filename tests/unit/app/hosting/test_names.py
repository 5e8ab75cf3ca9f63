"""Names of images: one spelling each, nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.hosting.names import FOLDER, SLOT_S, draw, parsed, parsed_path, slot_begin
from providers.spec.request import OutputFormat

TOKEN = "0123456789abcdef0123456789abcdef01234567"
GOOD = f"1763705400-{TOKEN}.png"


@pytest.mark.parametrize("format", OutputFormat)
def test_a_drawn_name_is_read_back_and_keeps_its_type(format: OutputFormat) -> None:
    name = draw(format.media_type, expires=1_763_705_400)
    assert name is not None
    assert parsed(str(name)) == parsed_path(name.path) == name
    assert name.media_type == format.media_type


def test_names_drawn_at_the_same_second_differ_in_160_bits() -> None:
    tokens = {name.token for _ in range(100) if (name := draw("image/png", expires=1)) is not None}
    assert len(tokens) == 100
    assert {len(token) * 4 for token in tokens} == {160}


@pytest.mark.parametrize("media_type", ["", "image/svg+xml", "text/html", "image/heic", "IMAGE/PNG"])
def test_what_is_never_delivered_gets_no_name(media_type: str) -> None:
    assert draw(media_type, expires=1) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + "\n",
        GOOD + "\x00",
        GOOD.upper(),
        GOOD.replace(".png", ".PNG"),
        GOOD.replace(".png", ".svg"),
        GOOD.replace(".png", ".jpeg"),
        GOOD.replace(".png", ""),
        GOOD[1:],
        "0" + GOOD,
        GOOD.replace("1763705400", "١٧٦٣٧٠٥٤٠٠"),
        f"../{GOOD}",
        f"a/{GOOD}",
        f"{GOOD}#1",
        GOOD.replace("-", "%2d"),
        "x" * 100_000,
        "signing.key",
    ],
)
def test_nothing_but_a_name_is_a_name(text: str) -> None:
    assert parsed(text) is None


@given(st.text())
def test_no_text_makes_reading_a_name_fail(text: str) -> None:
    assert parsed(text) is None
    assert parsed_path(text) is None


def test_a_path_is_ours_only_where_its_name_belongs() -> None:
    name = parsed(GOOD)
    assert name is not None
    assert name.path == f"{FOLDER}/1763705/{GOOD}"
    assert parsed_path(name.path) == name
    assert parsed_path(f"{FOLDER}/1763706/{GOOD}") is None
    assert parsed_path(GOOD) is None


def test_a_folder_says_from_when_on_its_images_end() -> None:
    assert slot_begin(f"{FOLDER}/1763705") == 1763705 * SLOT_S
    assert [slot_begin(other) for other in (FOLDER, f"{FOLDER}/thumbnails", "1763705", f"{FOLDER}/17637051")] == [
        None
    ] * 4
