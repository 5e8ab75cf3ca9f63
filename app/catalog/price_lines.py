"""Price files: reading them, and checking that every offer has its prices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from app.catalog.files import read, wrong
from app.catalog.shapes import PriceEntry, PricesFile
from providers.spec.request import Operation
from routing.offers import Offer
from routing.prices import PriceLine


class ReadLine(NamedTuple):
    """A price line and where it stands, as ``price[3]``."""

    key: str
    line: PriceLine


def read_prices(folder: Path, *, providers: Collection[str], models: Mapping[str, object]) -> tuple[ReadLine, ...]:
    """The lines of all price files. Raises CatalogError when a provider has no file, a file no provider, or a line is
    for a model that does not exist or stands there twice."""
    for file in sorted(folder.glob("*.toml")):
        if file.stem not in providers:
            wrong(file, "", f'there is no provider "{file.stem}"')
    return tuple(line for provider in providers for line in _read_file(folder, provider, models))


def _read_file(folder: Path, provider: str, models: Mapping[str, object]) -> Iterator[ReadLine]:
    file = folder / f"{provider}.toml"
    seen: set[tuple[str, Operation, date]] = set()
    for index, entry in enumerate(read(file, PricesFile).price, start=1):
        key = f"price[{index}]"
        if entry.model not in models:
            wrong(file, f"{key}.model", f'there is no model "{entry.model}" in models.toml')
        for operation in entry.operations:
            if (entry.model, operation, entry.effective_from) in seen:
                what = f"{entry.model} has another price to {operation.value} from {entry.effective_from} on"
                wrong(file, f"{key}.effective_from", what)
            seen.add((entry.model, operation, entry.effective_from))
        yield ReadLine(key, _line(provider, entry))


def _line(provider: str, entry: PriceEntry) -> PriceLine:
    return PriceLine(
        provider=provider,
        model=entry.model,
        operations=frozenset(entry.operations),
        images=MappingProxyType(dict(entry.images)),
        input_image=entry.input_image,
        surcharges=MappingProxyType({str(name): amount for name, amount in entry.surcharges.items()}),
        token_rates=MappingProxyType({str(name): amount for name, amount in entry.token_rates.items()}),
        source=entry.source,
        checked_on=entry.checked_on,
        effective_from=entry.effective_from,
        confidence=entry.confidence,
    )


def check_prices(lines: Sequence[ReadLine], offers: Sequence[Offer], *, on: date, folder: Path) -> None:
    """Raises CatalogError unless each offer has, for all it can do, a price that is in force on that day, and keeps one
    when announced prices come into force."""
    for offer in offers:
        file = folder / f"{offer.provider}.toml"
        for operation in sorted(offer.capability.operations):
            mine = [
                read_line
                for read_line in lines
                if (read_line.line.provider, read_line.line.model) == (offer.provider, offer.model)
                and operation in read_line.line.operations
            ]
            begun = [read_line for read_line in mine if read_line.line.effective_from <= on]
            if not begun:
                wrong(file, "price", f"{offer.model} has no price to {operation.value} that is in force on {on}")
            current = max(begun, key=lambda read_line: read_line.line.effective_from)
            for read_line in (current, *(line for line in mine if line not in begun)):
                _check_line(file, read_line, offer)


def _check_line(file: Path, read_line: ReadLine, offer: Offer) -> None:
    for resolution in sorted(offer.capability.resolutions, key=lambda tier: tier.edge):
        if resolution not in read_line.line.images:
            what = f"the price of {offer.model} at {resolution.value} is missing"
            wrong(file, f"{read_line.key}.images.{resolution.value}", what)
