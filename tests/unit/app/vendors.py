"""A gateway before vendors that answer when the test says so, at a clock that the test sets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from app.gateway import Choice, Gateway
from app.media.verify import GLANCE_BYTES, Delivered
from app.telemetry import Telemetry
from providers.blobs import MemoryBlob
from providers.converse import Driver, Provider
from providers.spec.errors import ProviderError
from providers.spec.request import ImageRequest, OutputFormat
from providers.spec.result import ImageResult, Usage, Warning
from providers.workers import Workers
from routing.breaker import Breaker
from routing.health import Health
from routing.offers import Offer
from routing.policy import Policy
from routing.stats.store import Notice
from routing.wishes import RouteWishes
from tests.unit.app.public_models import NANO_BANANA_2
from tests.unit.routing.making import NOW, POLICY, REQUEST, offers_of, prices

TOKENS = {"gemini": 1, "vertex": 2, "fal": 3, "replicate": 4}
"""Output tokens each vendor says it counted, so that its usage can be told from the others'."""


class Vendors:
    """Stands in for the driver: every conversation waits for ``answers`` to be set, then ends as ``faults`` says."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.faults: dict[str, ProviderError] = {}
        """By provider; one without an entry delivers an image that bears its name."""
        self.fail_first: Counter[str] = Counter()
        """How many calls to a provider fail as ``faults`` says before the others deliver; none: all."""
        self.makes: dict[str, int] = {}
        """By provider, the most images one call brings; one without an entry brings as many as it is asked for."""
        self.lost: Counter[str] = Counter()
        """How many images of its first call a provider makes that cannot be had."""
        self.always_lost: set[str] = set()
        """Providers that lose half of what every call makes."""
        self.silent_at = 0
        """Which call, counted from 1 over all providers, is never answered; 0: none."""
        self.asked: list[str] = []
        self.requests: list[ImageRequest] = []
        """What each call asked for, in order."""
        self.limits: list[dict[str, Any]] = []
        """The limits each was given."""
        self.at_work: Counter[str] = Counter()
        self.most_at_work: Counter[str] = Counter()

    async def converse(self, conversation: ImageRequest, provider: Any, trace: Any, **limits: Any) -> ImageResult:
        """As ``Driver.converse``, but that a conversation is what its adapter was asked for."""
        name: str = provider.name
        self.asked.append(name)
        self.requests.append(conversation)
        self.limits.append(limits)
        call = self.asked.count(name)
        self.at_work[name] += 1
        self.most_at_work[name] = max(self.most_at_work[name], self.at_work[name])
        trace.committed = True
        try:
            if len(self.asked) == self.silent_at:
                await asyncio.Event().wait()
            await self.answers.wait()
            if name in self.faults and call <= (self.fail_first[name] or call):
                raise self.faults[name]
            made = min(conversation.n, self.makes.get(name, conversation.n))
            lost = self.lost[name] if call == 1 else 0
            lost = made // 2 if name in self.always_lost else lost
            images = tuple(_Large(name.encode()) for _ in range(made - lost))
            told = (Warning("seed", f"{name} has none"),)
            return ImageResult(images, Usage(output_tokens=TOKENS[name]), told, made=made)
        finally:
            self.at_work[name] -= 1


class _Large(MemoryBlob):
    """Bears a name, and says it is too large to be looked at but by workers."""

    __slots__ = ()

    @property
    def length(self) -> int:
        return GLANCE_BYTES + 1


class Inspectors:
    """Stands in for the workers: whatever was delivered is an image."""

    async def run(self, work: object, result: ImageResult, *others: object) -> tuple[Delivered, ...]:
        """As ``Workers.run`` with what looks at deliveries."""
        return tuple(Delivered(blob, OutputFormat.PNG, 1024, 1024, blob.length) for blob in result.images)


@dataclass
class Scene:
    """A gateway, its vendors, and what the clock shows."""

    gateway: Gateway
    vendors: Vendors
    offers: Sequence[Offer]
    now: float = NOW

    def choice(self, wishes: RouteWishes, *, providers: Sequence[str] = ()) -> Choice:
        """What a caller asks for, sold by these providers (none: by all)."""
        sold = [each for each in self.offers if not providers or each.provider in providers]
        return Choice(REQUEST, NANO_BANANA_2, sold, wishes)

    def request(self, wishes: RouteWishes) -> asyncio.Task[Any]:
        """A caller's request, not yet begun."""
        return asyncio.create_task(self.gateway.make([self.choice(wishes)]))

    def opened(self, provider: str, *, until: float) -> None:
        """Another replica says that the provider's breaker is open until then."""
        key = next(each.key for each in self.offers if each.provider == provider)
        breaker = Breaker(score=5.5, opened_at=NOW - 20, open_until=until, open_s=15)
        self.gateway.board.fold(Notice(key, NOW, Health(), breaker), now=NOW)

    def left_over(self) -> dict[str, object]:
        """Whatever the board still counts as under way; empty when nothing is."""
        board = self.gateway.board
        counted: dict[str, object] = {}
        for each in self.offers:
            counted[f"in flight at {each.key}"] = board.limit(each.key).in_flight
            counted[f"running at {each.key}"] = len(board._figures.running(each.key))
            counted[f"trials at {each.key}"] = board._trials._running[each.key]
            counted[f"probing {each.key}"] = board.exploration._looks[each.key].probing
            counted[f"under the cap of {each.provider}"] = board._caps._in_flight.get(each.provider, 0)
        counted["in line"] = len(board.line)
        counted |= {f"at work: {name}": count for name, count in self.vendors.at_work.items()}
        return {what: count for what, count in counted.items() if count}


def scene(sold: Mapping[str, str], policy: Policy = POLICY) -> Scene:
    """Providers by name, each with its price of an image."""
    vendors, offers = Vendors(), offers_of(sold)
    held: list[Scene] = []
    gateway = Gateway(
        offers=offers,
        providers={name: cast("Provider", _Asked(name)) for name in sold},
        prices=prices(**sold),
        policy=policy,
        driver=cast("Driver", vendors),
        telemetry=Telemetry(),
        workers=cast("Workers", Inspectors()),
        clock=lambda: held[0].now if held else NOW,
    )
    held.append(Scene(gateway, vendors, offers))
    return held[0]


class _Asked:
    """A provider whose adapter has nothing to say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.adapter = SimpleNamespace(converse=lambda request, model: request)


async def ticks(count: int) -> None:
    """Let the event loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)
