"""Windows of a soak, made up."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.soak.sampling import Window

QUIET = Window(
    at_s=0.0,
    rss_floor_mb=150.0,
    rss_peak_mb=180.0,
    anonymous_floor_mb=110.0,
    anonymous_peak_mb=130.0,
    descriptors=20,
    sockets=6,
    spooled=0,
    threads=9,
    tasks=7,
    in_flight=0,
    lag_p50_ms=2.0,
    lag_worst_ms=9.0,
    cores=0.02,
    answered=100,
)


def rising(mb_per_window: float, *, count: int = 60, settling: float = 0.0) -> list[Window]:
    """Half-minute windows whose memory rises; at first by ``settling`` MB altogether, within the first third."""
    return [
        replace(
            QUIET,
            at_s=30.0 * (number + 1),
            rss_floor_mb=150.0 + mb_per_window * number + settling * min(number / (count // 3), 1.0),
        )
        for number in range(count)
    ]
