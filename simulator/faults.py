"""Faults: what can be made to go wrong, at whom, how often and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from simulator.dice import Dice
from simulator.vendors import Vendor


class Kind(StrEnum):
    """A way to fail. Each is shown in the vendor's own shape."""

    TOO_MANY = "429"
    INTERNAL = "500"
    UNAVAILABLE = "503"
    HTML_502 = "html_502"
    HANG = "hang"
    DRIP = "drip"
    RESET = "reset"
    TRUNCATED_BASE64 = "truncated_base64"
    TRUNCATED_IMAGE = "truncated_image"
    NO_IMAGE = "no_image"
    THOUGHT_FIRST = "thought_first"
    REFUSAL = "refusal"
    WRONG_SIZE = "wrong_size"
    WRONG_RATIO = "wrong_ratio"
    NOT_AN_IMAGE = "not_an_image"
    FLAGGED_BLACK = "flagged_black"
    SHORT_COUNT = "short_count"
    PROCESSING_WITH_OUTPUT = "processing_with_output"
    ABORTED = "aborted"
    RETIRED = "retired"
    OUT_OF_FUNDS = "out_of_funds"
    BAD_KEY = "bad_key"


EVERYONE = frozenset(Vendor)
ONLY: dict[Kind, frozenset[Vendor]] = {
    Kind.THOUGHT_FIRST: frozenset({Vendor.GEMINI, Vendor.VERTEX}),
    Kind.PROCESSING_WITH_OUTPUT: frozenset({Vendor.REPLICATE}),
    Kind.ABORTED: frozenset({Vendor.REPLICATE}),
}
"""Kinds that not every vendor can show: thoughts are Google's, the two job states are Replicate's."""


def able(kind: Kind) -> frozenset[Vendor]:
    """The vendors that can show this kind."""
    return ONLY.get(kind, EVERYONE)


@dataclass(slots=True)
class Fault:
    """One standing order to fail."""

    number: int
    vendors: frozenset[Vendor]
    model: str
    """The vendor's model id, with or without a trailing ``/edit``, or ``*``."""
    kind: Kind
    rate: float = 1.0
    count: int | None = None
    """How many more requests it hits; ``None`` for no limit."""
    until: float | None = None
    """Clock reading at which it ends; ``None`` for never."""
    params: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def concerns(self, vendor: Vendor, model: str) -> bool:
        """Whether it is meant for this vendor's model."""
        return vendor in self.vendors and self.model in ("*", model, model.removesuffix("/edit"))


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that hit one request."""

    kind: Kind
    hit: int = 0
    """How many requests the same order hit before; kinds with two variants take turns by it."""
    params: dict[str, Any] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """A numeric parameter of the order."""
        value = self.params.get(name, default)
        try:
            return float(value) if isinstance(value, int | float) else default
        except OverflowError:
            return default


class Faults:
    """The standing orders. The first that matches and whose draw is below its rate decides."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._orders: list[Fault] = []
        self._next = 1

    def add(
        self,
        vendors: frozenset[Vendor],
        kind: Kind,
        *,
        model: str = "*",
        rate: float = 1.0,
        count: int | None = None,
        seconds: float | None = None,
        params: dict[str, Any] | None = None,
    ) -> Fault:
        """Give an order. ``seconds`` are real seconds from now."""
        until = None if seconds is None else self._clock() + seconds
        order = Fault(self._next, vendors, model, kind, rate, count, until, dict(params or {}))
        self._next += 1
        self._orders.append(order)
        return order

    def standing(self) -> list[Fault]:
        """Orders that are neither used up nor over."""
        now = self._clock()
        self._orders = [
            order
            for order in self._orders
            if (order.count is None or order.count > 0) and (order.until is None or now < order.until)
        ]
        return list(self._orders)

    def clear(self, vendor: Vendor | None = None) -> int:
        """Withdraw all orders, or those that concern one vendor; says how many."""
        kept = [] if vendor is None else [order for order in self._orders if vendor not in order.vendors]
        gone = len(self._orders) - len(kept)
        self._orders = kept
        return gone

    def foremost(self, vendor: Vendor, model: str, dice: Dice) -> Fault | None:
        """The order that would hit this request, which is not used up by asking."""
        for order in self.standing():
            if order.concerns(vendor, model) and dice.fault_draw(order.number) < order.rate:
                return order
        return None

    def strike(self, vendor: Vendor, model: str, dice: Dice) -> Strike | None:
        """What hits this request, if anything; uses up one of a counted order."""
        order = self.foremost(vendor, model, dice)
        if order is None:
            return None
        if order.count is not None:
            order.count -= 1
        order.hits += 1
        return Strike(order.kind, order.hits - 1, order.params)

    def restart(self) -> None:
        """Forget everything, the numbering included."""
        self._orders = []
        self._next = 1
