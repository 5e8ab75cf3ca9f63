"""Windows: what happened at one key over 5 minutes, an hour, a day and 30 days, from slices that merge by addition.

Every outcome goes into four slices: one of ten seconds, of five minutes, of an hour and of a day. Slices are as old as
the ``at`` of their outcomes says, not as their arrival. A window is the running slice and as many before it as make up
its name, so it reaches back at most that far and at least that far less one slice: 290 to 300 s, 55 to 60 min, 23 to
24 h, 29 to 30 days.

One slice of each length is open; the others are kept packed, which is what makes hundreds of keys affordable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from routing.stats.outcome import Outcome
from routing.stats.slices import Entry, Slice
from routing.stats.success import interval


@dataclass(frozen=True, slots=True)
class Granularity:
    """A length of slices."""

    span_s: int
    kept: int
    """How many slices are kept, the newest included."""


GRANULARITIES: Final[Mapping[str, Granularity]] = MappingProxyType(
    {
        "10s": Granularity(10, 90),
        "5m": Granularity(300, 15),
        "1h": Granularity(3600, 48),
        "1d": Granularity(86_400, 30),
    }
)
"""Ten-second slices for 15 minutes, five-minute ones for 75, hourly ones for 48 hours, daily ones for 30 days."""
_SHORTEST_S: Final = min(each.span_s for each in GRANULARITIES.values())
"""Seconds; every other length is a multiple of it."""

_WINDOWS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {"5m": ("10s", 30), "1h": ("5m", 12), "24h": ("1h", 24), "30d": ("1d", 30)}
)
WINDOW_NAMES: Final = tuple(_WINDOWS)
"""The windows there are, the shortest first."""


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """What a window says. Seconds and shares; None where there is nothing to say it from."""

    samples: int
    """Tries that delivered or failed."""
    success: float | None
    success_low: float | None
    success_high: float | None
    """95 % interval of ``success``."""
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    ttfb_p50_s: float | None
    """Median time to the first byte."""
    refused: int
    """Tries whose content was refused, beyond ``samples``."""


class _Series:
    """Slices of one length. Which are kept depends on the newest start seen, whatever the order of arrival."""

    __slots__ = ("_closed", "_kept_s", "_open", "_open_start", "newest", "span_s")

    def __init__(self, granularity: Granularity) -> None:
        self.span_s = granularity.span_s
        self._kept_s = granularity.span_s * granularity.kept
        self._closed: dict[int, bytes] = {}
        self._open: Slice | None = None
        self._open_start = 0
        self.newest: int | None = None

    def opened(self, start: int) -> Slice | None:
        """The slice that starts there, for adding to it; None when it is too old to be kept."""
        if self._open is not None and start == self._open_start:
            return self._open
        if self.newest is not None and start <= self.newest - self._kept_s:
            return None
        self._close()
        packed = self._closed.pop(start, None)
        self._open = Slice() if packed is None else Slice.unpack(packed)
        self._open_start = start
        if self.newest is None or start > self.newest:
            self.newest = start
            self.prune(start)
        return self._open

    def prune(self, newest: int) -> None:
        """Drop what is no longer kept when ``newest`` is the newest slice."""
        oldest = newest - self._kept_s
        if self._open is not None and self._open_start <= oldest:
            self._open = None
        for start in [start for start in self._closed if start <= oldest]:
            del self._closed[start]

    def sum(self, after: int, until: int) -> Slice:
        """All slices that start after ``after`` and not after ``until``, merged."""
        merged = Slice()
        for start, packed in self._closed.items():
            if after < start <= until:
                merged.merge_packed(packed)
        if self._open is not None and after < self._open_start <= until:
            merged.merge(self._open)
        return merged

    def starts(self) -> list[int]:
        starts = list(self._closed)
        if self._open is not None:
            starts.append(self._open_start)
        return sorted(starts)

    def read(self, start: int) -> Slice | None:
        """A copy of the slice that starts there."""
        if self._open is not None and start == self._open_start:
            copy = Slice()
            copy.merge(self._open)
            return copy
        packed = self._closed.get(start)
        return None if packed is None else Slice.unpack(packed)

    def _close(self) -> None:
        if self._open is not None:
            self._closed[self._open_start] = self._open.pack()
            self._open = None


class Windows:
    """The slices of one key."""

    __slots__ = ("_all_series", "_latest", "_latest_start")

    def __init__(self) -> None:
        self._all_series = {name: _Series(granularity) for name, granularity in GRANULARITIES.items()}
        self._latest: Slice | None = None
        """Outcomes that are in no series yet, all of one of the shortest slices: so an outcome is counted once, and not
        once for each length."""
        self._latest_start = 0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome in the slices of its ``at``, however late it arrives; too late is left out."""
        self.add_entry(outcome.at, Entry(outcome))

    def add_entry(self, at: float, entry: Entry) -> None:
        """The same for an outcome that was worked out before."""
        if self._latest is None or not self._latest_start <= at < self._latest_start + _SHORTEST_S:
            start = _start(at, _SHORTEST_S)
            self._settle()
            self._latest, self._latest_start = Slice(), start
        self._latest.add(entry)

    @property
    def _series(self) -> Mapping[str, _Series]:
        self._settle()
        return self._all_series

    def _settle(self) -> None:
        """Count the latest outcomes in the slices of every length."""
        latest, self._latest = self._latest, None
        if latest is None:
            return
        for series in self._all_series.values():
            opened = series.opened(_start(self._latest_start, series.span_s))
            if opened is not None:
                opened.merge(latest)

    def load(self, granularity: str, start: int, slice: Slice) -> None:
        """Add a slice counted elsewhere. Raises KeyError or ValueError for a slice that cannot be."""
        series = self._series[granularity]
        if start % series.span_s:
            raise ValueError(f"no {granularity} slice starts at {start}")
        opened = series.opened(start)
        if opened is not None:
            opened.merge(slice)

    def merge(self, other: Windows) -> None:
        """Add all slices of another."""
        for granularity, start, found in other.slices():
            self.load(granularity, start, found)

    def slices(self, granularity: str | None = None) -> Iterator[tuple[str, int, Slice]]:
        """Granularity, start in unix seconds, and a copy of each slice, of one or of all lengths, oldest first."""
        for name in (granularity,) if granularity is not None else GRANULARITIES:
            series = self._series[name]
            for start in series.starts():
                found = series.read(start)
                if found is not None:
                    yield name, start, found

    def prune(self, now: float) -> None:
        """Drop slices that are past keeping at ``now``; without it that happens only when outcomes arrive."""
        for series in self._series.values():
            series.prune(_start(now, series.span_s))

    def figures(self, window: str, now: float) -> WindowFigures:
        """What this window says at ``now``. Raises KeyError for a window that is not in ``WINDOW_NAMES``."""
        granularity, count = _WINDOWS[window]
        series = self._series[granularity]
        running = _start(now, series.span_s)
        found = series.sum(running - count * series.span_s, running)
        samples = found.delivered + found.failed
        success = success_low = success_high = None
        if samples:
            success = found.delivered / samples
            success_low, success_high = interval(success, samples)
        return WindowFigures(
            samples=samples,
            success=success,
            success_low=success_low,
            success_high=success_high,
            p50_s=found.seconds.smooth_quantile(0.50),
            p95_s=found.seconds.smooth_quantile(0.95),
            p99_s=found.seconds.smooth_quantile(0.99),
            ttfb_p50_s=found.first_byte.smooth_quantile(0.50),
            refused=found.refused,
        )


def _start(at: float, span_s: int) -> int:
    second = int(at // 1)
    return second - second % span_s
