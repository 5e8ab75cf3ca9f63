"""Seeded chance: the n-th request to a vendor always meets the same luck, whatever the other vendors do."""

from __future__ import annotations

import random

from simulator.vendors import PACES, QUICK_PACE, TIER_FACTORS, Tier, Vendor

NATURAL_FAULTS = {
    # What a vendor shows when an ordinary request goes wrong; the mix is assumed.
    Vendor.GEMINI: ("503", "503", "no_image", "500"),
    Vendor.VERTEX: ("503", "429", "no_image", "500"),
    Vendor.FAL: ("500", "503", "no_image"),
    Vendor.REPLICATE: ("503", "500", "no_image"),
}


class Dice:
    """All random numbers of one request. Each question has its own stream, so asking one does not move another."""

    __slots__ = ("_number", "_seed", "_vendor")

    def __init__(self, seed: int, vendor: Vendor, number: int) -> None:
        self._seed = seed
        self._vendor = vendor
        self._number = number

    def _stream(self, question: str) -> random.Random:
        return random.Random(f"{self._seed}/{self._vendor}/{self._number}/{question}")

    def latency(self, tier: Tier, *, quick: bool) -> tuple[float, float]:
        """Seconds in the queue and seconds of work, in vendor time."""
        pace = QUICK_PACE if quick else PACES[self._vendor]
        total = pace.seconds(self._stream("latency").gauss(0.0, 1.0), TIER_FACTORS[tier])
        return total * pace.waiting_share, total * (1.0 - pace.waiting_share)

    def fault_draw(self, fault: int) -> float:
        """A number in [0, 1) to hold against the rate of the fault with this number."""
        return self._stream(f"fault/{fault}").random()

    def natural_fault(self, success_rate: float) -> str | None:
        """The ordinary failure this request meets, or ``None`` when it succeeds."""
        stream = self._stream("success")
        if stream.random() < success_rate:
            return None
        return stream.choice(NATURAL_FAULTS[self._vendor])

    def token(self, length: int, alphabet: str = "0123456789abcdefghijklmnopqrstuvwxyz") -> str:
        """An id that is the same under the same seed."""
        return "".join(self._stream("token").choices(alphabet, k=length))

    def mark(self) -> str:
        """A short id to be read off a picture; letters and digits that are not mistaken for one another."""
        return "".join(self._stream("mark").choices("23456789abcdefghjkmnpqrstuvwxyz", k=5))

    def uuid(self) -> str:
        """An id in the shape of a random UUID."""
        digits = self.token(32, "0123456789abcdef")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
