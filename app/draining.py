"""Draining: what a process that was asked to stop tells load balancers, and does with new requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Draining:
    """Set by the server, read by the doors; all of it only ever turns true."""

    begun: bool = False
    """Readiness says no. New requests are served as before: load balancers have yet to see it."""
    refusing: bool = False
    """New requests of callers are answered with 503, so that they go elsewhere; those under way go on."""
    cancelling: bool = False
    """Those still under way are cancelled."""
