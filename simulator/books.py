"""The vendors' books: what was asked, delivered, billed and cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from simulator.vendors import Tier, Vendor


class Operation(StrEnum):
    """Whether input images were given."""

    GENERATE = "generate"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the books, by what was bought."""

    vendor: Vendor
    model: str
    """The vendor's own id, as it was called."""
    tier: Tier
    operation: Operation


@dataclass(slots=True)
class Entry:
    """What happened on one line."""

    requests: int = 0
    images: int = 0
    billed: Decimal = Decimal(0)
    """USD."""
    cancelled: int = 0


class Books:
    """All lines, in the order in which they were first written."""

    def __init__(self) -> None:
        self._entries: dict[Account, Entry] = {}

    def entry(self, account: Account) -> Entry:
        """The line of this account, made when missing."""
        return self._entries.setdefault(account, Entry())

    def bill(self, account: Account, images: int, amount: Decimal) -> None:
        """Write down a delivery; ``amount`` is USD for all of its images."""
        entry = self.entry(account)
        entry.images += images
        if amount:
            entry.billed += amount

    def rows(self) -> Iterator[dict[str, Any]]:
        """The lines as the control interface shows them."""
        for account, entry in self._entries.items():
            yield {
                "provider": account.vendor.value,
                "model": account.model,
                "resolution": account.tier.value,
                "operation": account.operation.value,
                "requests": entry.requests,
                "images": entry.images,
                "billed_usd": format(entry.billed.normalize(), "f"),
                "cancelled": entry.cancelled,
            }

    def clear(self) -> None:
        """Start new books."""
        self._entries.clear()
