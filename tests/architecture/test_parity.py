"""The published parity page says what the code does, and what makes it would notice a wish that vanishes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.catalog.load import load_catalog
from providers.registry import PROVIDERS, schemas
from providers.spec.request import OutputFormat
from routing.offers import Offer
from tests.architecture.parity import COMMAND, DEFAULT, PAGE, ROOT, page
from tests.architecture.parity_cells import Cell, Kitchen, Word
from tests.architecture.parity_rows import Row

CATALOG = load_catalog(ROOT / "config", providers=schemas())
FOUND = CATALOG.find(DEFAULT, default_model=DEFAULT)
OFFERS = {offer.provider: offer for offer in CATALOG.offers_of(FOUND)}


def asked(row: Row, offer: Offer, *, editing: bool = False) -> Cell:
    async def cell() -> Cell:
        kitchen = Kitchen()
        try:
            return await kitchen.cell(row, FOUND, offer, editing=editing)
        finally:
            kitchen.close()

    return asyncio.run(cell())


def test_the_published_page_is_the_one_the_code_gives() -> None:
    assert PAGE.read_text() == asyncio.run(page()), f"docs/parity.md is out of date: run `{COMMAND}` and read it"


def test_the_page_has_a_column_for_every_provider() -> None:
    assert f"| parameter | {' | '.join(PROVIDERS)} |" in PAGE.read_text()


def test_an_offer_that_says_it_ignores_a_seed_is_shown_to() -> None:
    deaf = replace(OFFERS["fal"], capability=replace(OFFERS["fal"].capability, seed=False))
    row = Row("seed", {"seed": 7})
    assert (asked(row, OFFERS["fal"]).word, asked(row, deaf).word) == (Word.NATIVE, Word.IGNORED)


def test_a_wish_that_vanishes_without_a_word_stops_the_page() -> None:
    boasting = replace(OFFERS["replicate"], capability=replace(OFFERS["replicate"].capability, seed=True))
    with pytest.raises(AssertionError, match="replicate is not told"):
        asked(Row("seed", {"seed": 7}), boasting)


def test_a_format_the_offer_can_be_asked_for_is_native_and_any_other_is_converted() -> None:
    row = Row("webp", {"output_format": "webp"})
    capability = OFFERS["fal"].capability
    without = replace(capability, output_formats=capability.output_formats - {OutputFormat.WEBP})
    assert asked(row, OFFERS["fal"]).word is Word.NATIVE
    assert asked(row, replace(OFFERS["fal"], capability=without)).word is Word.CONVERTED


def test_a_refusal_comes_with_its_reason() -> None:
    cell = asked(Row("512", {"resolution": "512"}), OFFERS["replicate"])
    assert (cell.word, cell.why) == (Word.REFUSED, "this provider offers 1K, 2K, 4K")
