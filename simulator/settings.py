"""What the simulator is started with, and what can be changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """The command line, as a value."""

    host: str = "127.0.0.1"
    port: int = 9090
    listen_fd: int | None = None
    """Descriptor of a listening socket that a parent left open, in the place of ``host`` and ``port``."""
    tls_port: int | None = None
    """Where fal is spoken at the root over TLS; ``None`` for not at all."""
    ca_file: Path | None = None
    """Where the certificate of the authority that signed the TLS certificate is written."""
    seed: int = 1
    time_scale: float = 10.0
    """Vendor seconds per real second; 10 means a 13 s generation takes 1.3 s. Greater than 0."""
    bytes_per_pixel: float = 0.0
    """What pictures weigh at least. The painted ones compress to a fortieth of what a model's weigh: about 1 as PNG."""
    exit_with_stdin: bool = False
    """Whether to stop at the end of standard input: for a parent that may die without saying so."""


@dataclass(slots=True)
class Temper:
    """How one vendor behaves just now; changed through the control interface."""

    time_scale: float
    latency_s: float | None = None
    """Exact latency of every generation in vendor seconds (divided by the time scale); ``None`` for the drawn one."""
    success_rate: float = 1.0
    concurrency: int | None = None
    """Generations at the same time; beyond it 429, at fal a longer queue. ``None`` for no limit."""
