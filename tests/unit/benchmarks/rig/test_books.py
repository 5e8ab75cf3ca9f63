"""Books: a bill agrees when it lies between what is surely and what is possibly owed."""

from __future__ import annotations

import pytest

from benchmarks.rig.books import Account, accounts
from benchmarks.rig.processes import Metrics

PAGE = Metrics(
    'gateway_cost_usd_total{model="m",provider="fal"} 0.16\n'
    'gateway_cost_usd_total{model="other",provider="fal"} 0.08\n'
    'gateway_possible_cost_usd_total{model="m",provider="fal"} 0.08\n'
    'gateway_cost_usd_total{model="m",provider="gemini"} 0.0672\n'
)


def row(provider: str, images: int, billed: str) -> dict[str, object]:
    return {"provider": provider, "images": images, "billed_usd": billed}


def test_every_provider_of_the_books_has_one_account_over_all_models_and_gateways() -> None:
    rows = [row("fal", 2, "0.16"), row("fal", 2, "0.16"), row("gemini", 1, "0.0672")]
    fal, gemini = accounts(rows, [PAGE, Metrics("")])
    assert (fal.provider, fal.images, fal.billed, fal.possible) == ("fal", 4, 0.32, 0.08)
    assert fal.charged == pytest.approx(0.24)
    assert fal.agrees
    assert gemini == Account("gemini", 1, 0.0672, 0.0672, 0.0)
    assert gemini.agrees


@pytest.mark.parametrize(
    ("billed", "lost", "imagined"), [(0.24, 0.0, 0.0), (0.32, 0.0, 0.0), (0.40, 0.08, 0.0), (0.16, 0.0, 0.08)]
)
def test_what_nobody_knew_of_is_lost_and_what_was_never_billed_imagined(
    billed: float, lost: float, imagined: float
) -> None:
    account = Account("fal", 4, billed, 0.24, 0.08)
    assert account.lost == pytest.approx(lost)
    assert account.imagined == pytest.approx(imagined)
    assert account.agrees is (lost == imagined == 0.0)
