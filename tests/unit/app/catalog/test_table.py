"""The table of offers that an operator reads."""

from datetime import date
from decimal import Decimal

from rich.console import Console

from app.catalog.table import offer_rows, render
from providers.spec.request import Resolution
from tests.unit.app.catalog.shipped import NB2, TODAY, shipped

CATALOG = shipped()


def test_a_row_per_offer_says_who_sells_what_for_how_much_and_whether_the_key_is_set() -> None:
    rows = offer_rows(CATALOG, {"fal": True, "gemini": False}, on=TODAY)
    assert [f"{row.provider}/{row.model}" for row in rows] == [offer.key for offer in CATALOG.offers]
    fal = next(row for row in rows if (row.provider, row.model) == ("fal", NB2))
    assert (fal.vendor_id, fal.edit_id) == ("fal-ai/nano-banana-2", "fal-ai/nano-banana-2/edit")
    assert fal.prices == dict(zip(Resolution, map(Decimal, ("0.06", "0.08", "0.12", "0.16")), strict=True))
    assert fal.verified
    assert {row.provider for row in rows if row.key_set} == {"fal"}


def test_before_a_price_is_in_force_there_is_none() -> None:
    assert {tuple(row.prices) for row in offer_rows(CATALOG, {}, on=date(2020, 1, 1))} == {()}


def test_the_table_shows_every_vendor_id_and_price() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(offer_rows(CATALOG, {"replicate": True}, on=TODAY)))
    text = capture.get()
    for offer in CATALOG.offers:
        assert offer.provider_model.id in text
    line = next(line for line in text.splitlines() if "google/nano-banana-2 " in line)
    assert line.split() == ["replicate", "google/nano-banana-2", "-", "0.067?", "0.101?", "0.151?", "set"]
    assert "not set" in text
