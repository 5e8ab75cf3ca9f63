"""RoutePlan: the words in which a plan explains itself. Candidates in order, rejections with reasons; immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from providers.spec.unguarded import unguarded
from routing.health import Health, HealthState
from routing.knobs import Objective
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import Quote
from routing.wishes import NO_WISHES, RouteWishes

_NO_HEALTHS: Mapping[str, Health] = MappingProxyType({})
_NO_KIN: Mapping[tuple[str, str], float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rejection:
    """An offer that is not tried, and why."""

    offer: Offer
    reason: str
    """Has the provider as its subject, spelt ``this provider``."""
    parameter: str | None = None
    """The caller's field the offer objects to; None: its health is the reason."""
    fault: Fault | None = None
    """The fault that keeps it from being tried; None: the request is the reason."""
    blocked_until: float | None = None
    """Unix seconds from which on it may be tried again; None: the request is the reason."""
    quote: Quote | None = None
    """What the request would cost there, where it could be served."""


@unguarded
@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that can serve the request, and what its rank rests on."""

    offer: Offer
    quote: Quote
    index: float
    """What it was ranked by, a score in USD; the lower the earlier."""
    reason: str
    """Why it stands where it stands."""
    probe: bool = False
    """This try looks whether the offer is back, or whether it has become better than is known."""
    expected_seconds: float = 0.0
    """Expected time of a success."""
    success: float = 0.0
    """Probability that a try delivers, 0 to 1."""
    success_low: float = 0.0
    success_high: float = 1.0
    """95 % interval of ``success``."""
    samples: int = 0
    """Tries of this operation and resolution behind the figures above; with 0 they rest on priors and other tiers."""
    state: HealthState = HealthState.SERVING
    kept_back: Rejection | None = None
    """What would keep it from being asked, were there anybody else; None: nothing does."""


@unguarded
@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What to try for one request. Every offer is in it exactly once, as candidate or as rejection."""

    model: str
    operation: Operation
    resolution: Resolution | None
    candidates: tuple[Candidate, ...]
    """In the order to try them. Empty only when every offer objects to the request itself."""
    rejections: tuple[Rejection, ...]
    policy: Policy
    """The policy it was made under; what happens after a failure follows the same one."""
    started_at: float
    """Unix seconds."""
    deadline_at: float
    """Unix seconds; no try may last beyond it."""
    objective_name: str = "balanced"
    objective: Objective = field(default_factory=Objective)
    wishes: RouteWishes = NO_WISHES
    healths: Mapping[str, Health] = field(default_factory=lambda: _NO_HEALTHS, repr=False)
    """What it was made from, by ``Offer.key``."""
    kin: Mapping[tuple[str, str], float] = field(default_factory=lambda: _NO_KIN, repr=False)
    """Factor on the success of the second provider when the first has just failed; absent: 1."""

    @property
    def hedging(self) -> bool:
        """Whether a second provider may be asked beside the first: wanted, and within what the objective allows."""
        wanted = self.policy.hedging.enabled if self.wishes.hedge is None else self.wishes.hedge
        return wanted and self.objective.hedge_share > 0
