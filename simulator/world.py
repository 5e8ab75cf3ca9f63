"""The simulator's whole state: tempers, faults, books, journal, pictures, running work."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from simulator.books import Account, Books
from simulator.dice import Dice
from simulator.faults import Faults, Kind, Strike
from simulator.inputs import Files
from simulator.media import Media
from simulator.paint import Painter, Reference
from simulator.settings import SimulatorSettings, Temper
from simulator.vendors import Vendor

JOURNAL = 1000
"""Requests that are remembered."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One generation: its luck, and the time it takes in real seconds."""

    dice: Dice
    strike: Strike | None
    waiting: float
    working: float
    era: int = 0
    """The world's era in which it began: what began before a reset is not written into the new books."""

    @property
    def kind(self) -> Kind | None:
        """The fault that hit it."""
        return self.strike.kind if self.strike else None

    @property
    def seconds(self) -> float:
        """Waiting and working together."""
        return self.waiting + self.working


class Overtaken(Exception):
    """The simulator was reset while the request was under way."""


ERA = "simulator.era"
"""Key of the ASGI scope: the world's era in which the request arrived."""


class World:
    """Owned by one application; touched from its event loop only."""

    def __init__(self, settings: SimulatorSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.clock = clock
        self.books = Books()
        self.faults = Faults(clock)
        self.media = Media(Painter(settings.bytes_per_pixel))
        self.files = Files()
        self.journal: deque[dict[str, Any]] = deque(maxlen=JOURNAL)
        self.inputs: deque[dict[str, Any]] = deque(maxlen=JOURNAL)
        """Input images as the vendors received them."""
        self.on_reset: list[Callable[[], None]] = []
        self.on_reading: list[Callable[[], None]] = []
        """Called before the books are shown: work that ended meanwhile is written down."""
        self.tempers: dict[Vendor, Temper] = {}
        self._numbers: dict[Vendor, int] = {}
        self._busy: dict[Vendor, int] = {}
        self.seed = settings.seed
        self.era = 0
        """How many times the world began anew."""
        self.reset(settings.seed)

    def reset(self, seed: int) -> None:
        """Back to the first second, under this seed."""
        self.seed = seed
        self.era += 1
        self.tempers = {vendor: Temper(self.settings.time_scale) for vendor in Vendor}
        self._numbers = dict.fromkeys(Vendor, 0)
        self._busy = dict.fromkeys(Vendor, 0)
        self.books.clear()
        self.faults.restart()
        self.media.clear()
        self.files.clear()
        self.journal.clear()
        self.inputs.clear()
        for forget in self.on_reset:
            forget()

    def remains(self, request: Request) -> None:
        """Overtaken when the world was reset since the request arrived."""
        if request.scope.get(ERA, self.era) != self.era:
            raise Overtaken

    def denied(self, vendor: Vendor, model: str) -> bool:
        """Whether a request that is refused anyhow meets a ``bad_key`` fault: vendors look at the key first."""
        number = self._numbers[vendor] + 1
        dice = Dice(self.seed, vendor, number)
        order = self.faults.foremost(vendor, model, dice)
        if order is None or order.kind is not Kind.BAD_KEY:
            return False
        self._numbers[vendor] = number
        self.faults.strike(vendor, model, dice)
        return True

    def bill(self, turn: Turn, account: Account, images: int, amount: Decimal) -> None:
        """Write down a delivery, unless it is one of an era that is over; ``amount`` is USD for all its images."""
        if turn.era == self.era:
            self.books.bill(account, images, amount)

    def turn(self, request: Request, account: Account, *, quick: bool = False) -> Turn:
        """Begin a generation: count it in the books, draw its luck and its time. Overtaken as ``remains`` says."""
        self.remains(request)
        vendor = account.vendor
        self.books.entry(account).requests += 1
        self._numbers[vendor] += 1
        dice = Dice(self.seed, vendor, self._numbers[vendor])
        temper = self.tempers[vendor]
        strike = self.faults.strike(vendor, account.model, dice)
        if strike is None and (natural := dice.natural_fault(temper.success_rate)):
            strike = Strike(Kind(natural), self._numbers[vendor])
        waiting, working = dice.latency(account.tier, quick=quick)
        if temper.latency_s is not None:
            waiting, working = 0.0, temper.latency_s
        return Turn(dice, strike, waiting / temper.time_scale, working / temper.time_scale, self.era)

    def received(self, vendor: Vendor, references: Iterable[Reference]) -> None:
        """Write down input images, so that a test can see what arrived."""
        self.inputs.extend(
            {
                "provider": vendor.value,
                "format": reference.format,
                "width": reference.size[0],
                "height": reference.size[1],
                "bytes": reference.length,
                "exif": reference.exif,
            }
            for reference in references
        )

    def full(self, vendor: Vendor) -> bool:
        """Whether one more generation would exceed the vendor's concurrency."""
        limit = self.tempers[vendor].concurrency
        return limit is not None and self._busy[vendor] >= limit

    @contextmanager
    def busy(self, vendor: Vendor) -> Iterator[None]:
        """While a generation occupies one of the vendor's places."""
        numbers = self._busy
        numbers[vendor] += 1
        try:
            yield
        finally:
            numbers[vendor] -= 1

    def settle(self) -> None:
        """Write down work that has ended meanwhile."""
        for read in self.on_reading:
            read()
