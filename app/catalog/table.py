"""The table of offers, for ``image-gateway check``: who sells which model, under which id, for how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from app.catalog.catalog import Catalog
from providers.spec.request import Operation, Resolution

_NO_PRICES: Mapping[Resolution, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer as an operator sees it."""

    model: str
    provider: str
    vendor_id: str
    edit_id: str | None
    """The vendor's id for image-with-references, where it differs."""
    prices: Mapping[Resolution, Decimal]
    """USD per image from text, at the resolutions the offer has; empty when it makes none on that day."""
    verified: bool
    """Whether the price was read from the vendor's own figures."""
    key_set: bool


def offer_rows(catalog: Catalog, keys: Mapping[str, bool], *, on: date | None = None) -> list[OfferRow]:
    """A row per offer, in the order of the file. ``keys`` says of each provider whether its credentials are set; a
    provider that is missing has none. Prices are those of the day ``on``: today (UTC) unless given."""
    day = on or datetime.now(UTC).date()
    rows = []
    for offer in catalog.offers:
        line = catalog.prices.line(offer.provider, offer.model, Operation.GENERATE, day)
        sold = sorted(offer.capability.resolutions, key=lambda resolution: resolution.edge)
        prices = {tier: line.images[tier] for tier in sold if tier in line.images} if line else _NO_PRICES
        rows.append(
            OfferRow(
                model=offer.model,
                provider=offer.provider,
                vendor_id=offer.provider_model.id,
                edit_id=offer.provider_model.edit_id,
                prices=prices,
                verified=line is not None and line.confidence == "verified",
                key_set=keys.get(offer.provider, False),
            )
        )
    return rows


def render(rows: Iterable[OfferRow]) -> Table:
    """The rows as a table for a terminal. A price with ``?`` is unverified."""
    table = Table(
        title="Offers, in USD per image (? = unverified)",
        title_justify="left",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", overflow="fold")
    table.add_column("provider")
    table.add_column("vendor id", overflow="fold")
    for resolution in Resolution:
        table.add_column(resolution.value, justify="right")
    table.add_column("key")
    shown = ""
    for row in rows:
        if row.model != shown and shown:
            table.add_section()
        table.add_row(
            Text(row.model if row.model != shown else ""),
            Text(row.provider),
            Text(row.vendor_id),
            *(Text(_price(row, resolution)) for resolution in Resolution),
            Text("set", style="green") if row.key_set else Text("not set", style="yellow"),
        )
        shown = row.model
    return table


def _price(row: OfferRow, resolution: Resolution) -> str:
    amount = row.prices.get(resolution)
    return "-" if amount is None else f"{amount:f}{'' if row.verified else '?'}"
