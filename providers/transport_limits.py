"""Limits of one call to a vendor: how long it may be silent, how much it may bring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Seconds and bytes. A call has no limit of its own in all: its conversation has one."""

    connect_s: float = 10.0
    """From the name to a connection: resolving, connecting, TLS."""
    read_s: float = 300.0
    """Longest silence between two reads; as long as the slowest synchronous generation may be silent."""
    reply_bytes: int = 160 * 1024 * 1024
    """A 12288 x 1536 PNG of noise is 57 MB, 76 MB as base64; this is twice that. Of a stream: all events together."""
    error_bytes: int = 256 * 1024
    """An error body beyond this tells nothing more: the rest is not read, and the reply counts as it stands."""
    keepalive_s: float = 15.0
    """Idle connections are dropped before vendors drop them: a POST on a dead one is a possible double payment."""
