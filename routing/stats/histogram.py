"""Histogram of seconds in bins of equal ratio, after DDSketch: any quantile within 2 %, merged by addition."""

from __future__ import annotations

from math import ceil, exp, log
from struct import pack, unpack_from

ACCURACY = 0.02
"""Largest relative error of a quantile between ``MIN_S`` and ``MAX_S``."""
MIN_S = 0.05
"""Seconds; shorter ones count as this. No image and hardly a first byte is sooner."""
MAX_S = 600.0
"""Seconds; longer ones count as this, the longest timeout a caller may ask for."""
_RATIO = (1.0 + ACCURACY) / (1.0 - ACCURACY)
_PER_LOG = 1.0 / log(_RATIO)
_FIRST = ceil(log(MIN_S) * _PER_LOG)
BINS = ceil(log(MAX_S) * _PER_LOG) - _FIRST + 1
"""Below 256, so that a bin's number is one byte when packed."""
_MIDDLE_S = tuple(2.0 * _RATIO ** (_FIRST + number) / (_RATIO + 1.0) for number in range(BINS))
_WIDTHS = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32), ("Q", 1 << 64))
"""Struct codes for a count and the first number that no longer fits."""


def bin_of(seconds: float) -> int:
    """The number of the bin these seconds fall in, from 0."""
    if seconds <= MIN_S:
        return 0
    if seconds >= MAX_S:
        return BINS - 1
    return ceil(log(seconds) * _PER_LOG) - _FIRST


class Histogram:
    """How often seconds fell in which bin; bins without a sample take no room."""

    __slots__ = ("bins",)

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """Count one sample."""
        number = bin_of(seconds)
        self.bins[number] = self.bins.get(number, 0) + 1

    def add_bin(self, number: int, count: int = 1) -> None:
        """Count samples whose bin is known; raises ValueError for a bin that does not exist."""
        if not 0 <= number < BINS:
            raise ValueError(f"bin {number} is not between 0 and {BINS - 1}")
        self.bins[number] = self.bins.get(number, 0) + count

    def merge(self, other: Histogram) -> None:
        """Count what ``other`` has counted."""
        bins = self.bins
        for number, count in other.bins.items():
            bins[number] = bins.get(number, 0) + count

    @property
    def count(self) -> int:
        """Samples in all."""
        return sum(self.bins.values())

    def quantile(self, share: float) -> float | None:
        """Seconds of the sample that this share (0 to 1) of the others does not exceed; None without samples."""
        place = self._place(share)
        return None if place is None else _MIDDLE_S[place[0]]

    def smooth_quantile(self, share: float) -> float | None:
        """The same where samples are many and spread without steps, as latencies are: interpolated within the bin.

        Closer than ``quantile`` by far for such samples; up to twice ``ACCURACY`` off for samples that are all alike.
        """
        place = self._place(share)
        if place is None:
            return None
        number, within = place
        # The middle of a bin is the right guess halfway through it.
        return _MIDDLE_S[number] * exp((within - 0.5) / _PER_LOG)

    def _place(self, share: float) -> tuple[int, float] | None:
        """The bin in which that share is reached, and how far into the bin's samples, from 0 to 1."""
        rank = share * (self.count - 1)
        seen = 0
        for number in sorted(self.bins):
            count = self.bins[number]
            if seen + count > rank:
                return number, min(1.0, (rank - seen + 0.5) / count)
            seen += count
        return None

    def pack(self) -> bytes:
        """As bytes: how many bins, how wide a count is, the bins' numbers, their counts."""
        numbers = sorted(self.bins)
        counts = [self.bins[number] for number in numbers]
        largest = max(counts, default=0)
        width = next(place for place, (_, end) in enumerate(_WIDTHS) if largest < end)
        size = len(numbers)
        return pack(f"<BB{size}B{size}{_WIDTHS[width][0]}", size, width, *numbers, *counts)

    def merge_packed(self, data: bytes, offset: int = 0) -> int:
        """Count what was packed at this offset; returns the offset behind it."""
        size, width = data[offset], data[offset + 1]
        offset += 2
        if not size:
            return offset
        numbers = data[offset : offset + size]
        offset += size
        bins = self.bins
        for number, count in zip(numbers, unpack_from(f"<{size}{_WIDTHS[width][0]}", data, offset), strict=True):
            bins[number] = bins.get(number, 0) + count
        return offset + (size << width)

    @classmethod
    def unpack(cls, data: bytes) -> Histogram:
        """The histogram ``pack`` wrote."""
        histogram = cls()
        histogram.merge_packed(data)
        return histogram
