"""Slice: what happened at one key in one stretch of time, in whole numbers, so that any order of adding agrees."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from struct import Struct, error

from routing.stats.histogram import Histogram, bin_of
from routing.stats.outcome import Outcome, OutcomeKind

_MICRO = 1_000_000
"""Logarithms are summed in millionths: finer than any latency is known."""
_MIN_S = 0.001
"""Seconds; a shorter delivery counts as this, because zero has no logarithm."""
LONGEST_S = 86_400.0
"""Seconds; a longer try counts as this. Nobody waits for a day, so more is a clock gone wrong, and a number without a
bound would fit no field."""
MOST = 1_000_000_000
"""Tries of one kind in a slice at most: 11,000 a second, all day. More was not counted but damaged."""
_LOG_BOUND_MICROS = 12 * _MICRO
"""Above the logarithm of any duration between ``_MIN_S`` and ``LONGEST_S``, whichever its sign."""
_HEADER = Struct("<IIIQqQ")
_WIDEST = ((0, 2**32 - 1), (0, 2**32 - 1), (0, 2**32 - 1), (0, 2**64 - 1), (-(2**63), 2**63 - 1), (0, 2**64 - 1))
"""The smallest and the largest number each field of the header holds."""
_PLAIN = ("delivered", "failed", "refused", "failure_ms", "log_micros", "log_squares_micros")


class Slice:
    """Counts, sums and histograms of one stretch of time. Two slices of the same stretch merge by addition."""

    __slots__ = (*_PLAIN, "first_byte", "seconds")

    def __init__(self) -> None:
        self.delivered = 0
        self.failed = 0
        self.refused = 0
        self.failure_ms = 0
        """Milliseconds all failures took together."""
        self.log_micros = 0
        """Sum over deliveries of ln(seconds), in millionths."""
        self.log_squares_micros = 0
        """Sum over deliveries of ln(seconds) squared, in millionths."""
        self.seconds = Histogram()
        """Of deliveries."""
        self.first_byte = Histogram()
        """Of deliveries whose first byte was seen."""

    def add(self, entry: Entry) -> None:
        """Count one outcome."""
        if entry.kind is OutcomeKind.DELIVERED:
            self.delivered += 1
            self.log_micros += entry.log_micros
            self.log_squares_micros += entry.log_squares_micros
            bins = self.seconds.bins
            bins[entry.seconds_bin] = bins.get(entry.seconds_bin, 0) + 1
            number = entry.first_byte_bin
            if number is not None:
                bins = self.first_byte.bins
                bins[number] = bins.get(number, 0) + 1
        elif entry.kind is OutcomeKind.FAILED:
            self.failed += 1
            self.failure_ms += entry.failure_ms
        else:
            self.refused += 1

    def merge(self, other: Slice) -> None:
        """Count what ``other`` has counted."""
        self.delivered += other.delivered
        self.failed += other.failed
        self.refused += other.refused
        self.failure_ms += other.failure_ms
        self.log_micros += other.log_micros
        self.log_squares_micros += other.log_squares_micros
        self.seconds.merge(other.seconds)
        self.first_byte.merge(other.first_byte)

    @property
    def log_total(self) -> float:
        """Sum over deliveries of ln(seconds)."""
        return self.log_micros / _MICRO

    @property
    def log_squares(self) -> float:
        """Sum over deliveries of ln(seconds) squared."""
        return self.log_squares_micros / _MICRO

    def pack(self) -> bytes:
        """As bytes, for keeping many. A number too large for its field is packed as the largest that fits."""
        numbers = (
            self.delivered,
            self.failed,
            self.refused,
            self.failure_ms,
            self.log_micros,
            self.log_squares_micros,
        )
        try:
            header = _HEADER.pack(*numbers)
        except error:
            # Slices that add up beyond a field are damaged; a figure that is wrong beats a try that cannot be recorded.
            header = _HEADER.pack(
                *(min(max(number, least), most) for number, (least, most) in zip(numbers, _WIDEST, strict=True))
            )
        return header + self.seconds.pack() + self.first_byte.pack()

    def merge_packed(self, data: bytes) -> None:
        """Count what ``pack`` wrote."""
        delivered, failed, refused, failure_ms, log_micros, log_squares_micros = _HEADER.unpack_from(data)
        self.delivered += delivered
        self.failed += failed
        self.refused += refused
        self.failure_ms += failure_ms
        self.log_micros += log_micros
        self.log_squares_micros += log_squares_micros
        self.first_byte.merge_packed(data, self.seconds.merge_packed(data, _HEADER.size))

    @classmethod
    def unpack(cls, data: bytes) -> Slice:
        """The slice ``pack`` wrote."""
        unpacked = cls()
        unpacked.merge_packed(data)
        return unpacked

    @property
    def plausible(self) -> bool:
        """Whether these can be the counts of real tries, or only of damaged bytes."""
        return (
            all(0 <= count <= MOST for count in (self.delivered, self.failed, self.refused))
            and 0 <= self.failure_ms <= self.failed * LONGEST_S * 1000
            and abs(self.log_micros) <= self.delivered * _LOG_BOUND_MICROS
            and 0 <= self.log_squares_micros <= self.delivered * _LOG_BOUND_MICROS * (_LOG_BOUND_MICROS // _MICRO)
            and self.seconds.count == self.delivered
            and self.first_byte.count <= self.delivered
        )

    def to_fields(self) -> dict[str, int]:
        """As flat whole numbers that may be added field by field elsewhere; zeros are left out.

        ``s<bin>`` counts deliveries by seconds, ``b<bin>`` by first byte; the others are named as here.
        """
        fields = {name: value for name in _PLAIN if (value := getattr(self, name))}
        fields.update((f"s{number}", count) for number, count in self.seconds.bins.items())
        fields.update((f"b{number}", count) for number, count in self.first_byte.bins.items())
        return fields

    @classmethod
    def from_fields(cls, fields: Mapping[str, int]) -> Slice:
        """The slice with these fields; raises ValueError for a field or bin that no slice has."""
        made = cls()
        for name, value in fields.items():
            if name in _PLAIN:
                setattr(made, name, value)
            elif name[:1] in ("s", "b"):
                (made.seconds if name[0] == "s" else made.first_byte).add_bin(int(name[1:]), value)
            else:
                raise ValueError(f"a slice has no field {name!r}")
        return made


class Entry:
    """An outcome worked out once for all the slices it goes into."""

    __slots__ = (
        "failure_ms",
        "first_byte_bin",
        "kind",
        "log_micros",
        "log_seconds",
        "log_squares_micros",
        "seconds",
        "seconds_bin",
    )

    def __init__(self, outcome: Outcome) -> None:
        self.kind = outcome.kind
        seconds = self.seconds = duration(outcome.seconds)
        """Of the try, within bounds."""
        self.failure_ms = 0
        self.log_seconds = 0.0
        """ln(seconds) of a delivery."""
        self.log_micros = 0
        self.log_squares_micros = 0
        self.seconds_bin = 0
        self.first_byte_bin: int | None = None
        if outcome.kind is OutcomeKind.DELIVERED:
            value = self.log_seconds = log(max(seconds, _MIN_S))
            self.log_micros = round(value * _MICRO)
            self.log_squares_micros = round(value * value * _MICRO)
            self.seconds_bin = bin_of(seconds)
            if outcome.first_byte_s is not None:
                self.first_byte_bin = bin_of(duration(outcome.first_byte_s))
        elif outcome.kind is OutcomeKind.FAILED:
            self.failure_ms = round(seconds * 1000)


def duration(seconds: float) -> float:
    """Seconds as a duration that can be: from 0 to ``LONGEST_S``; what is no number counts as 0."""
    if 0.0 < seconds < LONGEST_S:
        return seconds
    # In this order, because a comparison with what is no number is false.
    return min(max(0.0, seconds), LONGEST_S)
