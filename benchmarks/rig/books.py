"""Books: what the vendors billed held against what the gateway says it cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.rig.processes import Metrics

_PENNY: Final = 1e-6
"""USD by which sums of floats may differ."""


@dataclass(frozen=True, slots=True)
class Account:
    """One provider's bill. USD."""

    provider: str
    images: int
    """As the vendor counts them."""
    billed: float
    """As the vendor says."""
    charged: float
    """What the gateway says is surely billed."""
    possible: float
    """What it says may be billed on top."""

    @property
    def lost(self) -> float:
        """Billed without the gateway's knowing."""
        return max(self.billed - self.charged - self.possible, 0.0)

    @property
    def imagined(self) -> float:
        """What the gateway holds for billed and is not."""
        return max(self.charged - self.billed, 0.0)

    @property
    def agrees(self) -> bool:
        """Whether every charge was seen and none was invented."""
        return self.lost < _PENNY and self.imagined < _PENNY


def accounts(books: Iterable[Mapping[str, Any]], metrics: Sequence[Metrics]) -> list[Account]:
    """One for each provider the vendors' books speak of; ``metrics`` are the pages of all gateways."""
    rows = list(books)
    return [
        Account(
            provider,
            images=sum(int(row["images"]) for row in rows if row["provider"] == provider),
            billed=sum(float(row["billed_usd"]) for row in rows if row["provider"] == provider),
            charged=sum(page.total("gateway_cost_usd_total", provider=provider) for page in metrics),
            possible=sum(page.total("gateway_possible_cost_usd_total", provider=provider) for page in metrics),
        )
        for provider in sorted({str(row["provider"]) for row in rows})
    ]
