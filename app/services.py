"""Services: what the doors stand on, made once at start-up by ``app.main`` and found through the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from app.catalog.catalog import Catalog
from app.gateway import Gateway
from app.telemetry import Telemetry
from providers.workers import Workers


@dataclass(slots=True)
class Services:
    """One process's services. ``draining`` turns true when shutdown begins; nothing else changes."""

    catalog: Catalog
    gateway: Gateway
    telemetry: Telemetry
    workers: Workers
    default_model: str
    draining: bool = False


def services(request: Request) -> Services:
    """The services of the application that serves this request."""
    return cast("Services", request.app.state.services)
