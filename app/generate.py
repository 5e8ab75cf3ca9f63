"""Generate: one image from the command line, through the same plan and the same loop as a request's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.status import Status

from app.catalog.catalog import UnknownModelError
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.schema import parse_generation
from app.doors.openai_images.translate import translate
from app.gateway import Gateway, Made, NotMadeError
from app.main import StartError, connected, load
from app.settings import Settings
from app.telemetry import Telemetry
from providers.converse import Driver
from providers.transport import Transport
from routing.attempt import Attempt
from routing.plan import Candidate

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


class PictureError(Exception):
    """No picture. The message is for the person who asked for it."""


async def make_picture(
    settings: Settings,
    console: Console,
    *,
    prompt: str,
    output: Path,
    model: str | None,
    size: str | None,
    provider: str | None,
) -> None:
    """Make one image, write it to ``output`` and say who made it. Raises PictureError, StartError or CatalogError."""
    if output.suffix.lower() not in _FORMATS:
        raise PictureError(f"{output.name}: the file's ending must be one of {', '.join(_FORMATS)}.")
    if not output.parent.is_dir():
        raise PictureError(f"{output.parent} is not a folder.")
    name = model or settings.gateway_default_model
    body = {
        "prompt": prompt,
        "model": f"{provider}/{name}" if provider else name,
        "size": size,
        "output_format": _FORMATS[output.suffix.lower()],
    }
    providers = connected(settings)
    catalog = load(settings).restricted_to(providers)
    if not catalog.offers:
        raise StartError("No provider has a key; see .env.example for what to set.")
    try:
        found = catalog.find(body["model"], default_model=settings.gateway_default_model)
        translated = translate(
            parse_generation(json.dumps(body).encode(), max_timeout_s=catalog.policy.max_timeout_s), found
        )
    except (ApiError, UnknownModelError) as refused:
        raise PictureError(str(refused)) from None
    transport = Transport(spool_dir=settings.gateway_spool_dir)
    driver = Driver(
        transport, submit_grace_s=catalog.policy.submit_grace_s, cancel_limit_s=catalog.policy.cancel_limit_s
    )
    gateway = Gateway(
        providers=providers, prices=catalog.prices, policy=catalog.policy, driver=driver, telemetry=Telemetry()
    )
    try:
        with console.status("Choosing a provider") as status:
            made = await gateway.make(
                translated.request, found.model, catalog.offers_of(found), watcher=lambda tried: _show(status, tried)
            )
    except NotMadeError as failed:
        _tell(console, failed.attempts)
        raise PictureError(failed.verdict.message) from None
    finally:
        await driver.close(10.0)
        await transport.close()
        gateway.close()
    await asyncio.to_thread(output.write_bytes, made.delivered.blob.read())
    _tell(console, made.attempts)
    for warning in (*translated.warnings, *made.warnings):
        console.print(f"[yellow]{warning.parameter}:[/yellow] {warning.message}")
    _sum_up(console, made, output)


def _show(status: Status, candidate: Candidate) -> None:
    status.update(f"{candidate.offer.provider} is drawing ({candidate.offer.model}, ${candidate.quote.total:f})")


def _tell(console: Console, attempts: tuple[Attempt, ...]) -> None:
    for attempt in attempts:
        if attempt.fault is not None:
            console.print(f"[dim]{attempt.offer.provider}: {attempt.message} ({attempt.seconds:.1f} s)[/dim]")


def _sum_up(console: Console, made: Made, output: Path) -> None:
    delivered, last = made.delivered, made.attempts[-1]
    tries = len(made.attempts)
    seconds = sum(attempt.seconds for attempt in made.attempts)
    pretended = " [yellow](simulated)[/yellow]" if made.simulated else ""
    console.print(
        f"[bold green]{output}[/bold green]  {delivered.width}x{delivered.height} {delivered.format} by "
        f"[bold]{last.offer.provider}[/bold]{pretended} in {seconds:.1f} s for ${made.cost:f}, "
        f"{tries} attempt{'s' if tries > 1 else ''}"
    )
