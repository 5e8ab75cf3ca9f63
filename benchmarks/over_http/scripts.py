"""Scripts: what goes wrong at the vendors, and when. Times are vendor seconds; one vendor's trouble is the sickness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

PREFERRED: Final = "gemini"
"""Whom the balanced policy prefers at the shipped prices while everybody is well."""
SUCCESS: Final[Mapping[str, float]] = MappingProxyType(
    {"gemini": 0.916, "vertex": 0.767, "fal": 0.96, "replicate": 0.94}
)
"""Share of tries that deliver at a vendor that is well: what the catalog expects."""
CALM_S: Final = 200.0
"""Before the trouble, and long enough to know what is normal."""
TROUBLE_S: Final = 240.0
AFTER_S: Final = 300.0
"""After it, and longer than a breaker stays open after an outage of that length."""
BROWN_OUT_S: Final = 53.2
"""Seconds of every image of the preferred vendor in its brown-out: four times its median at 1K."""
RATE: Final = 0.6
"""Requests per second: eight or nine under way at once while everybody is well."""
STORM_ALL_S: Final = 60.0
"""How long all vendors together bear half of the load: two at once each, and none at fal, whose limit would only make
its queue longer."""
FAL_WAIT_S: Final = 0.5
"""Real seconds fal states in its refusals, which the simulator does not scale."""


@dataclass(frozen=True, slots=True)
class Order:
    """One call of the simulator's control interface."""

    at: float
    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One kind of trouble. Vendor seconds."""

    name: str
    orders: Sequence[Order]
    rate: float = RATE
    """Requests per second."""
    sick: str = PREFERRED
    """The vendor whose leaving and returning is timed."""
    start: float = CALM_S
    end: float = CALM_S + TROUBLE_S
    duration: float = CALM_S + TROUBLE_S + AFTER_S
    told: str = field(default="", compare=False)
    """What happens, for the report."""


def _settled(at: float, provider: str, **settings: Any) -> Order:
    return Order(at, "POST", "/_control/settings", {"provider": provider, **settings})


_END: Final = CALM_S + TROUBLE_S
_STORM_ALL_START: Final = CALM_S + 90.0

CALM: Final = Script("calm", (), duration=CALM_S + TROUBLE_S, told="nothing happens: what the others are held against")
OUTAGE: Final = Script(
    "outage",
    (
        Order(CALM_S, "POST", "/_control/faults", {"provider": PREFERRED, "kind": "503"}),
        Order(_END, "DELETE", f"/_control/faults?provider={PREFERRED}"),
    ),
    told=f"the preferred vendor answers 503 to everything for {TROUBLE_S:g} s",
)
BROWN_OUT: Final = Script(
    "brown-out",
    (
        _settled(CALM_S, PREFERRED, latency_s=BROWN_OUT_S, success_rate=SUCCESS[PREFERRED] / 2),
        _settled(_END, PREFERRED, latency_s=None, success_rate=SUCCESS[PREFERRED]),
    ),
    told=f"the preferred vendor takes four times as long and delivers half as often for {TROUBLE_S:g} s",
)
STORM: Final = Script(
    "429 storm",
    (
        _settled(CALM_S, PREFERRED, concurrency=2),
        *(_settled(_STORM_ALL_START, provider, concurrency=2) for provider in ("vertex", "replicate")),
        Order(
            _STORM_ALL_START,
            "POST",
            "/_control/faults",
            {"provider": "fal", "kind": "429", "params": {"retry_after": FAL_WAIT_S}},
        ),
        *(_settled(_STORM_ALL_START + STORM_ALL_S, provider, concurrency=None) for provider in ("vertex", "replicate")),
        Order(_STORM_ALL_START + STORM_ALL_S, "DELETE", "/_control/faults?provider=fal"),
        _settled(_END, PREFERRED, concurrency=None),
    ),
    told=f"the preferred vendor takes two requests at once for {TROUBLE_S:g} s; for {STORM_ALL_S:g} s all together "
    "bear half of the load",
)
SCRIPTS: Final = (CALM, OUTAGE, BROWN_OUT, STORM)
