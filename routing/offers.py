"""Offer: one way to satisfy a public model."""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider's version of a public model: who sells it, under which id, and what it can do.

    Its price stands in the price table under (provider, model). ``position`` is the order of the configuration file;
    it decides when two offers tie.
    """

    provider: str
    model: str
    """The public model's name."""
    provider_model: ProviderModel
    capability: Capability
    position: int = 0
    expected_seconds: float | None = None
    """Median seconds of a success at 1K before anything was measured; None: the policy's prior."""
    expected_success: float | None = None
    """Probability that a try delivers before anything was measured; None: the policy's prior."""
    key: str = field(init=False, repr=False, compare=False)
    """Identity of the offer in metrics, health and logs: ``provider/model``. Kept, as a request asks a dozen times."""

    def __post_init__(self) -> None:
        """Put the key together."""
        object.__setattr__(self, "key", f"{self.provider}/{self.model}")
