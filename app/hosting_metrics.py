"""What hosting measures, as Prometheus shows it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
"""From a local disk to the longest a caller waits for a bucket."""


class HostingMetrics:
    """Instruments for hosting, on the page of this registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept = Histogram(
            "gateway_image_keep_seconds",
            "Seconds storing an image for its URL took",
            buckets=_SECONDS,
            registry=registry,
        )
        self._bytes = Counter("gateway_image_kept_bytes_total", "Bytes of images stored for URLs", registry=registry)
        self._failed = Counter(
            "gateway_image_keep_failures_total", "Images that could not be stored for a URL", registry=registry
        )
        self._swept = Counter("gateway_images_swept_total", "Stored images deleted at their end", registry=registry)
        self._sweeps_failed = Counter(
            "gateway_image_sweep_failures_total", "Rounds of deletion that did not come to their end", registry=registry
        )

    def image_kept(self, length: int, seconds: float) -> None:
        """An image of so many bytes was stored, in so many seconds."""
        self._kept.observe(seconds)
        self._bytes.inc(length)

    def image_not_kept(self) -> None:
        """An image could not be stored."""
        self._failed.inc()

    def images_swept(self, count: int) -> None:
        """So many images were deleted."""
        self._swept.inc(count)

    def sweep_failed(self) -> None:
        """A round of deletion failed."""
        self._sweeps_failed.inc()
