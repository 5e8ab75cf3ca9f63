"""Services: what the doors stand on, made once at start-up by ``app.main`` and found through the application."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import Request

from app.catalog.catalog import Catalog
from app.draining import Draining
from app.gateway import Gateway
from app.hosting.hosting import Hosting
from app.media.inputs import Inputs
from app.recent import Recent
from app.telemetry import Telemetry
from providers.spec.request import OutputFormat
from providers.workers import Workers

UNDERSTOOD = 512
"""Orders that are kept, at some four kilobytes each."""


@dataclass(slots=True)
class Services:
    """One process's services. Only ``draining`` changes, when the process is asked to stop."""

    catalog: Catalog
    gateway: Gateway
    telemetry: Telemetry
    workers: Workers
    inputs: Inputs
    hosting: Hosting
    default_model: str
    spool_dir: Path | None = None
    """Where large bodies lie; None: the system's temporary folder."""
    output_format: OutputFormat | None = None
    """What images are to be whose caller does not say."""
    draining: Draining = field(default_factory=Draining)
    understood: Recent[Hashable, Any] = field(default_factory=lambda: Recent(UNDERSTOOD))
    """Orders of late, by what they say besides their prompt: for ``app.doors.openai_images.orders`` alone."""


def services(request: Request) -> Services:
    """The services of the application that serves this request."""
    own: Services = request.app.state.services
    return own
