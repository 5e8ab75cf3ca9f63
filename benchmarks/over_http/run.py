"""Run: one script before a fresh simulator and a fresh gateway, each a process of its own."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.over_http.load import run_load
from benchmarks.over_http.measure import Figures, figures_of
from benchmarks.over_http.scaled_config import write_scaled_config
from benchmarks.over_http.scripts import SUCCESS, Script
from benchmarks.rig.processes import GatewayProcess, Metrics, SimulatorProcess

TIME_SCALE: Final = 10.0
"""Vendor seconds per real second. The pauses between an adapter's questions about a job are real seconds, so a job of
12 s is noticed up to 7 s late; twice as fast, and it would run into the limit of its try before it is noticed."""
BODY: Final = {"model": "gemini-3.1-flash-image-preview", "prompt": "a red fox in the snow", "resolution": "1K"}
"""1K is the smallest tier that all four vendors sell."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script came to, by the callers, by the gateway's own metrics and by the vendors' books."""

    script: Script
    figures: Figures
    requests_counted: float
    """Requests answered with an image, by ``gateway_requests_total``."""
    fallbacks: float
    """Tries made because the one before failed, by ``gateway_fallbacks_total``."""
    probes: float
    """By ``gateway_probes_total``."""
    spent_usd: float
    """By ``gateway_cost_usd_total``: failed deliveries that are billed included."""
    billed_usd: float
    """By the vendors' books."""
    cores: float
    """Cores that gateway, simulator and callers kept busy together."""


def run_script(script: Script, *, time_scale: float = TIME_SCALE, seed: int = 1) -> Outcome:
    """Run it in real time; takes its duration divided by ``time_scale``, and the time to start."""
    with tempfile.TemporaryDirectory(prefix="over-http-") as name:
        folder = Path(name)
        config = write_scaled_config(folder / "config", time_scale)
        busy_before, begun = _busy_s(), time.monotonic()
        with SimulatorProcess(folder, time_scale=time_scale) as vendors:
            _make_well(vendors.url)
            with GatewayProcess(vendors.url, config, folder) as gateway:
                answers = asyncio.run(
                    run_load(
                        [gateway.url],
                        vendors.url,
                        rate=script.rate,
                        duration=script.duration,
                        time_scale=time_scale,
                        orders=script.orders,
                        body=BODY,
                        seed=seed,
                    )
                )
                metrics = gateway.metrics()
            books = httpx.get(f"{vendors.url}/_control/books", timeout=30).json()
        cores = (_busy_s() - busy_before) / (time.monotonic() - begun)
    return _outcome(script, figures_of(script, answers), metrics, books, cores)


def _outcome(script: Script, figures: Figures, metrics: Metrics, books: list[dict[str, Any]], cores: float) -> Outcome:
    return Outcome(
        script=script,
        figures=figures,
        requests_counted=metrics.total("gateway_requests_total", outcome="ok"),
        fallbacks=metrics.total("gateway_fallbacks_total"),
        probes=metrics.total("gateway_probes_total"),
        spent_usd=metrics.total("gateway_cost_usd_total"),
        billed_usd=sum(float(row["billed_usd"]) for row in books),
        cores=cores,
    )


def _make_well(vendors_url: str) -> None:
    for provider, success in SUCCESS.items():
        body = {"provider": provider, "success_rate": success}
        httpx.post(f"{vendors_url}/_control/settings", json=body, timeout=30).raise_for_status()


def _busy_s() -> float:
    """Processor seconds of this process and of those it has waited for."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, who))
