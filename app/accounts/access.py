"""Access: what a route asks of its caller. Said where the route is registered; see ``app.doors.route_table``."""

from __future__ import annotations

from enum import StrEnum


class Access(StrEnum):
    """What is asked for, the strictest last. A path that no route serves asks for a key."""

    OPEN = "open"
    """Nothing. Health, and images by URL, whose signature stands in the path."""
    METRICS = "metrics"
    """The key of the metrics, where one is set."""
    KEY = "key"
    """One of the callers' keys."""


STRICTNESS = {access: rank for rank, access in enumerate(Access)}
