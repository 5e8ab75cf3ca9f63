"""Orders: the kinds of requests callers send, well-behaved and odd ones, each drawn by dice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final

from benchmarks.rig.bad_inputs import EDITS, GENERATIONS, bad_calls
from benchmarks.rig.caller import PLAIN, Call, Manner
from benchmarks.rig.uploads import FORM, form, heavy, mask, photograph

MODEL: Final = "gemini-3.1-flash-image-preview"
"""All four providers sell it, at 1K and above."""
SLOW_PER_S: Final = 64 * 1024.0
"""Bytes a second of those who read or send slowly."""


@dataclass(frozen=True, slots=True)
class Order:
    """One request, how its caller behaves, and what may come of it."""

    call: Call
    manner: Manner = PLAIN
    wanted: int = 1
    """Images asked for; 0: the answer is none with images."""
    refused: bool = False
    """Whether it must be refused."""


class Orders:
    """Draws orders. ``key`` is what callers present; ``timeout_s`` is the deadline they name."""

    def __init__(self, key: str, *, timeout_s: float) -> None:
        self._key: Mapping[str, str] = {"authorization": f"Bearer {key}"}
        self._timeout_s = timeout_s
        self._bad = bad_calls(self._key)
        self._drawn = 0

    def generation(self, manner: Manner = PLAIN, **fields: Any) -> Order:
        """One or more images from a prompt; at 512 unless told otherwise."""
        self._drawn += 1
        body: dict[str, Any] = {
            "model": MODEL,
            "prompt": f"a red fox in the snow, {self._drawn}",
            "resolution": "512",
            "timeout": self._timeout_s,
            **fields,
        }
        headers = {"content-type": "application/json", **self._key}
        return Order(Call(GENERATIONS, json.dumps(body).encode(), headers), manner, int(body.get("n", 1)))

    def edit(self, files: Sequence[tuple[str, bytes]], manner: Manner = PLAIN, **fields: Any) -> Order:
        """An image from images, as a form; at 1K unless told otherwise."""
        said = {"model": MODEL, "prompt": "make it night", "resolution": "1K", "timeout": self._timeout_s, **fields}
        return Order(Call(EDITS, form(said, files), {**FORM, **self._key}), manner)

    def bad(self, dice: Random) -> Order:
        """One that must be refused."""
        return Order(dice.choice(self._bad), wanted=0, refused=True)

    def reading(self, path: str) -> Order:
        """Something that is read and no image."""
        return Order(Call(path, headers=self._key, method="GET"), wanted=0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of order: how frequent it is beside the others, and how one is drawn."""

    weight: float
    draw: Callable[[Orders, Random], Order]


def _leaving(dice: Random) -> Manner:
    return Manner(leaves_after_s=dice.uniform(0.0, 2.5))


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "512": Kind(28, lambda orders, _: orders.generation()),
        "1K": Kind(12, lambda orders, _: orders.generation(resolution="1K")),
        "2K": Kind(4, lambda orders, _: orders.generation(resolution="2K")),
        "4K": Kind(2, lambda orders, _: orders.generation(resolution="4K")),
        "several": Kind(5, lambda orders, dice: orders.generation(n=dice.randint(2, 4))),
        "by URL": Kind(6, lambda orders, _: orders.generation(response_format="url")),
        "converted": Kind(
            3,
            lambda orders, _: orders.generation(output_format="webp", size="600x400", resize="exact", resolution=None),
        ),
        "stream": Kind(6, lambda orders, _: orders.generation(stream=True, partial_images=2, resolution="1K")),
        "edit": Kind(6, lambda orders, _: orders.edit([("image", photograph(1024, 768))])),
        "edit of two": Kind(
            2, lambda orders, _: orders.edit([("image[]", photograph(1024, 768)), ("image[]", photograph(640, 480))])
        ),
        "large edit": Kind(2, lambda orders, _: orders.edit([("image", heavy(8))])),
        "masked edit": Kind(
            2, lambda orders, _: orders.edit([("image", photograph(1024, 768)), ("mask", mask(1024, 768))])
        ),
        "gone while sending the head": Kind(1, lambda orders, _: orders.generation(Manner(leaves_at_sent=0.2))),
        "gone while sending the body": Kind(
            2, lambda orders, dice: orders.edit([("image", heavy(8))], Manner(leaves_at_sent=dice.uniform(0.1, 0.9)))
        ),
        "gone while waiting": Kind(6, lambda orders, dice: orders.generation(_leaving(dice), resolution="1K")),
        "gone during the answer": Kind(2, lambda orders, _: orders.generation(Manner(leaves_at_read=20_000))),
        "gone during a stream": Kind(
            2,
            lambda orders, dice: orders.generation(
                Manner(leaves_after_s=dice.uniform(0.2, 2.5)), stream=True, partial_images=2, resolution="1K"
            ),
        ),
        "slow reader": Kind(2, lambda orders, _: orders.generation(Manner(reads_per_s=SLOW_PER_S), resolution="1K")),
        "slow sender": Kind(
            1, lambda orders, _: orders.edit([("image", photograph(1024, 768))], Manner(sends_per_s=SLOW_PER_S))
        ),
        "bad input": Kind(8, lambda orders, dice: orders.bad(dice)),
        "reading": Kind(2, lambda orders, dice: orders.reading(dice.choice(("/v1/models", "/v1/stats", "/healthz")))),
    }
)
"""What a gateway meets in a day, the odd ones far more often than that."""


def drawn(orders: Orders, dice: Random) -> tuple[str, Order]:
    """One order of any kind, and the kind's name."""
    name = dice.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
    return name, KINDS[name].draw(orders, dice)
