"""Prices: what each vendor bills, by model and tier."""

from decimal import Decimal

import pytest

from simulator.fal.schema import MODELS as FAL_MODELS
from simulator.google.models import MODELS as GOOGLE_MODELS
from simulator.prices import LIST_PRICES, image_price
from simulator.replicate.schema import MODELS as REPLICATE_MODELS
from simulator.vendors import Tier, Vendor


@pytest.mark.parametrize(
    ("vendor", "family", "tier", "usd"),
    [
        (Vendor.GEMINI, "gemini-3.1-flash-image", Tier.HALF, "0.0448"),
        (Vendor.VERTEX, "gemini-3.1-flash-image", Tier.FOUR, "0.1512"),
        (Vendor.GEMINI, "gemini-3-pro-image", Tier.TWO, "0.1344"),
        (Vendor.GEMINI, "gemini-nano-banana-2.1", Tier.FOUR, "0.113"),
        (Vendor.FAL, "nano-banana-2", Tier.HALF, "0.06"),
        (Vendor.FAL, "nano-banana-pro", Tier.FOUR, "0.30"),
        (Vendor.REPLICATE, "nano-banana-2", Tier.TWO, "0.101"),
        (Vendor.REPLICATE, "flux-schnell", Tier.ONE, "0.003"),
    ],
)
def test_list_prices(vendor: Vendor, family: str, tier: Tier, usd: str) -> None:
    assert image_price(vendor, family, tier) == Decimal(usd)


def test_a_tier_that_is_not_sold_has_no_price() -> None:
    with pytest.raises(KeyError):
        image_price(Vendor.REPLICATE, "nano-banana-2", Tier.HALF)


def test_every_model_that_is_served_has_a_price_at_one_k() -> None:
    for model in GOOGLE_MODELS.values():
        assert set(LIST_PRICES[Vendor.GEMINI][model.family]) == set(model.tokens)
    for endpoint in FAL_MODELS.values():
        assert Tier.ONE in LIST_PRICES[Vendor.FAL][endpoint.family]
    for name in REPLICATE_MODELS:
        assert Tier.ONE in LIST_PRICES[Vendor.REPLICATE][name.partition("/")[2]]
