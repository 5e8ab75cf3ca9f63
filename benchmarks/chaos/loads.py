"""Loads: what callers send while something goes wrong."""

from __future__ import annotations

import base64
from random import Random
from typing import Any, Final

from benchmarks.chaos.case import Load
from benchmarks.rig.caller import PLAIN, Manner
from benchmarks.rig.orders import KINDS, Kind, Order, Orders
from benchmarks.rig.uploads import heavy, photograph

ONLY: Final = "only there"
"""The kind that leaves no other provider."""


def _one_k(**fields: Any) -> Kind:
    """1K is the smallest tier that all four sell."""
    return Kind(1, lambda orders, _: orders.generation(resolution="1K", **fields))


def _weighing(weight: float, kind: Kind) -> Kind:
    return Kind(weight, kind.draw)


def _picture() -> str:
    return "data:image/jpeg;base64," + base64.b64encode(photograph(640, 480)).decode()


def _repeat(manner: Manner, **fields: Any) -> Kind:
    return Kind(4, lambda orders, _: orders.generation(manner, resolution="1K", **fields))


def around(provider: str) -> Load:
    """Most callers prefer one provider, some insist on it. They name a ratio: else none could be wrong."""
    wide = {"aspect_ratio": "16:9"}
    there: dict[str, Any] = {**wide, "provider": {"order": [provider]}}
    return {
        "preferring it": _weighing(5, _one_k(**there)),
        "anywhere": _weighing(3, _one_k(**wide)),
        "stream": _one_k(**there, stream=True, partial_images=2),
        "several": _one_k(**there, n=2),
        "edit": Kind(1, lambda orders, _: orders.generation(resolution="1K", **there, image=_picture())),
        ONLY: _one_k(**wide, provider={"only": [provider]}),
    }


USUAL: Final[Load] = {
    "1K": _weighing(6, _one_k()),
    "512": Kind(3, lambda orders, _: orders.generation()),
    "stream": _one_k(stream=True, partial_images=2),
    "several": _one_k(n=2),
    "edit": KINDS["edit"],
}
"""What callers of a gateway in good order send."""
QUICK: Final[Load] = {"512": Kind(1, lambda orders, _: orders.generation())}
"""The lightest there is: many of them are to be a load for the gateway and not for the simulator."""
BY_URL: Final[Load] = {
    "by URL": Kind(4, lambda orders, _: orders.generation(response_format="url")),
    "512": Kind(2, lambda orders, _: orders.generation()),
}
HEAVY: Final[Load] = {
    "2K": Kind(3, lambda orders, _: orders.generation(resolution="2K")),
    "512": Kind(3, lambda orders, _: orders.generation()),
    "large edit": Kind(1, lambda orders, _: orders.edit([("image", heavy(3))])),
}
"""Half of it is spooled."""


def _upload(share: float) -> Kind:
    def draw(orders: Orders, dice: Random) -> Order:
        return orders.edit([("image", heavy(3))], Manner(leaves_at_sent=dice.uniform(share, 0.95)))

    return Kind(4, draw)


def leaving(stage: str) -> Load:
    """Most callers are gone at one stage of a request, the others want their images."""
    kinds = {
        "sending the head": _repeat(Manner(leaves_at_sent=0.3)),
        "sending the body": _upload(0.1),
        "waiting": Kind(4, lambda orders, dice: orders.generation(_soon(dice), resolution="1K")),
        "waiting at fal": Kind(4, lambda orders, dice: _waiting_at(orders, dice, "fal")),
        "waiting at replicate": Kind(4, lambda orders, dice: _waiting_at(orders, dice, "replicate")),
        "the answer": _repeat(Manner(leaves_at_read=20_000)),
        "a stream": Kind(4, lambda orders, dice: orders.generation(_soon(dice), resolution="1K", stream=True)),
    }
    return {f"gone during {stage}": kinds[stage], "1K": _weighing(2, _one_k())}


def _soon(dice: Random) -> Manner:
    return Manner(leaves_after_s=dice.uniform(0.05, 0.8))


def _waiting_at(orders: Orders, dice: Random, provider: str) -> Order:
    return orders.generation(_soon(dice), resolution="1K", provider={"only": [provider]})


def slow(plain: bool = False) -> Load:
    """Callers who read and send slowly beside others."""
    manner = PLAIN if plain else Manner(reads_per_s=200_000.0)
    return {
        "slow reader": Kind(3, lambda orders, _: orders.generation(manner, resolution="2K")),
        "slow sender": Kind(1, lambda orders, _: orders.edit([("image", heavy(1))], Manner(sends_per_s=400_000.0))),
        "1K": _weighing(3, _one_k()),
    }
