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
CALM_S: Final = 300.0
"""Before the trouble, and long enough to know what is normal."""
TROUBLE_S: Final = 300.0
AFTER_S: Final = 420.0
"""After it, and longer than the longest opening of a breaker."""
BROWN_OUT_S: Final = 53.2
"""Seconds of every image of the preferred vendor in its brown-out: four times its median at 1K."""
STORM_RATE: Final = 0.6
"""Requests per second that arrive during the storm; the limits of all vendors together bear 0.45 of them."""
STORM_ALL_S: Final = 60.0
"""How long all vendors are limited below the load."""


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
    rate: float = STORM_RATE
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
_STORM_ALL_START: Final = CALM_S + 120.0

OUTAGE: Final = Script(
    "outage",
    (
        Order(CALM_S, "POST", "/_control/faults", {"provider": PREFERRED, "kind": "503"}),
        Order(_END, "DELETE", f"/_control/faults?provider={PREFERRED}"),
    ),
    told="the preferred vendor answers 503 to everything",
)
BROWN_OUT: Final = Script(
    "brown-out",
    (
        _settled(CALM_S, PREFERRED, latency_s=BROWN_OUT_S, success_rate=SUCCESS[PREFERRED] / 2),
        _settled(_END, PREFERRED, latency_s=None, success_rate=SUCCESS[PREFERRED]),
    ),
    told="the preferred vendor takes four times as long and delivers half as often",
)
STORM: Final = Script(
    "429 storm",
    (
        _settled(CALM_S, PREFERRED, concurrency=2),
        _settled(_STORM_ALL_START, "vertex", concurrency=2),
        _settled(_STORM_ALL_START, "fal", concurrency=2),
        _settled(_STORM_ALL_START, "replicate", concurrency=2),
        *(
            _settled(_STORM_ALL_START + STORM_ALL_S, provider, concurrency=None)
            for provider in ("vertex", "fal", "replicate")
        ),
        _settled(_END, PREFERRED, concurrency=None),
    ),
    told="the preferred vendor takes two requests at once, and for a minute so does every other",
)
SCRIPTS: Final = (OUTAGE, BROWN_OUT, STORM)
