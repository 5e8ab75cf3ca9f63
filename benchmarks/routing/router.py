"""Router: what every contestant answers to. The engine asks what to do next and tells how tries ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from benchmarks.routing.world import Request
from providers.spec.errors import Fault

BALANCED: Final = "balanced"
VALUE_OF_TIME_USD_PER_S: Final = {"cheapest": 0.0001, BALANCED: 0.001, "fastest": 0.05}
"""By objective."""
FAILED_REQUEST_USD: Final = 0.20
FAILED_REQUEST_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Objective:
    """What routers are judged by, and told that they are."""

    name: str
    value_of_time: float
    """USD per second."""

    @property
    def failure_usd(self) -> float:
        """What a request that ends without an image costs beyond its money and seconds."""
        return FAILED_REQUEST_USD + FAILED_REQUEST_S * self.value_of_time


def objective(name: str) -> Objective:
    """The objective of that name. Raises KeyError for one there is not."""
    return Objective(name, VALUE_OF_TIME_USD_PER_S[name])


@dataclass(frozen=True, slots=True)
class Try:
    """Ask this provider now, for at most so long."""

    provider: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Hedge:
    """Ask this provider now, beside the tries under way."""

    provider: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask me again at that moment, or earlier when something ended or I was woken."""

    until: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further try is begun."""

    because: str = ""
    """The router's own word for the reason; empty: it names none."""


Step = Try | Hedge | Wait | GiveUp


@dataclass(frozen=True, slots=True)
class Ended:
    """How a try ended, as the one who made it sees it."""

    provider: str
    started: float
    ended: float
    fault: Fault | None
    """None: it delivered."""
    retry_after_s: float | None = None
    deadline_hit: bool = False
    """The request's deadline ended it, and not its own limit."""
    abandoned: bool = False
    """Another try had delivered before it ended."""
    number: int = 0
    """Of this request's tries, from 0."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started


class Session(Protocol):
    """One request in a router's hands."""

    watches: bool
    """Whether it is asked again at once after it began a try, so that it may hedge."""

    def next(self, now: float) -> Step:
        """What to do now. While tries are under way only ``Hedge`` and ``Wait`` make sense."""
        ...

    def ended(self, ended: Ended) -> None:
        """A try of this request is over; ``next`` follows unless the request is over with it."""
        ...

    def closed(self, now: float) -> None:
        """The request is over: answered, refused, given up, or out of time."""
        ...


class Router(Protocol):
    """One contestant."""

    def arrive(self, request: Request, now: float, wake: Callable[[], None]) -> Session:
        """A request arrives. ``wake`` makes the engine ask its session again, at the same moment."""
        ...
