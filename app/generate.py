"""Generate: one image from the command line, through the same plan and the same loop as a request's."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.status import Status

from app.catalog.catalog import UnknownModelError
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.schema import parse_generation
from app.doors.openai_images.translate import translate
from app.gateway import Choice, Made, NotMadeError
from app.main import assembled, offered
from app.settings import Settings
from app.telemetry import Telemetry
from providers.registry import PROVIDERS
from providers.spec.request import OutputFormat
from routing.attempt import Attempt
from routing.plan import Candidate

_FORMATS = {
    ".png": OutputFormat.PNG,
    ".jpg": OutputFormat.JPEG,
    ".jpeg": OutputFormat.JPEG,
    ".webp": OutputFormat.WEBP,
}


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
    _check_target(output)
    name = _pinned(model or settings.gateway_default_model, provider)
    providers, catalog = offered(settings)
    try:
        found = catalog.find(name, default_model=settings.gateway_default_model)
        offers = catalog.offers_of(found)
        wanted: OutputFormat | None = _FORMATS[output.suffix.lower()]
        if not any(wanted in offer.capability.deliverable_formats for offer in offers):
            wanted = None  # nobody can: the file gets the ending of what comes
        body = {"prompt": prompt, "model": name, "size": size, "output_format": wanted}
        translated = translate(
            parse_generation(json.dumps(body).encode(), max_timeout_s=catalog.policy.max_timeout_s), found
        )
    except (ApiError, UnknownModelError) as refused:
        raise PictureError(str(refused)) from None
    try:
        async with assembled(settings, providers, catalog, Telemetry()) as (gateway, _):
            with console.status("Choosing a provider") as status:
                choice = Choice(translated.request, found.model, offers, translated.wishes, translated.warnings)
                made = await gateway.make([choice], watcher=lambda tried: _show(status, tried))
    except NotMadeError as failed:
        _tell(console, failed.attempts)
        raise PictureError(failed.verdict.message) from None
    _tell(console, made.attempts)
    output = await asyncio.to_thread(_write, made, output)
    for warning in made.warnings:
        console.print(f"[yellow]{warning.parameter}:[/yellow] {warning.message}")
    _sum_up(console, made, output)


def _check_target(output: Path) -> None:
    """Whether the file can be written, asked before anybody is paid. Raises PictureError."""
    if output.suffix.lower() not in _FORMATS:
        raise PictureError(f"{output.name}: the file's ending must be one of {', '.join(_FORMATS)}.")
    if not output.parent.is_dir():
        raise PictureError(f"{output.parent} is not a folder.")
    if output.is_dir():
        raise PictureError(f"{output} is a folder.")
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise PictureError(f"{output} cannot be written.")


def _pinned(model: str, provider: str | None) -> str:
    """The model's name with its provider before it, where one is asked for. Raises PictureError."""
    if provider is None:
        return model
    if provider not in PROVIDERS:
        raise PictureError(f"--provider {provider}: no such provider; there are {', '.join(PROVIDERS)}.")
    head, slash, _ = model.partition("/")
    if slash and head == provider:
        return model
    if slash and head in PROVIDERS:
        raise PictureError(f"--model {model} names another provider than --provider {provider}.")
    return f"{provider}/{model}"


def _write(made: Made, output: Path) -> Path:
    """Write the image under the ending of what it really is; where that fails, somewhere else: it is paid for."""
    real = made.delivered.format
    if _FORMATS[output.suffix.lower()] is not real:
        output = output.with_suffix(f".{real.value}")
    data = made.delivered.blob.read()
    try:
        output.write_bytes(data)
    except OSError as failed:
        with tempfile.NamedTemporaryFile(prefix="image-", suffix=output.suffix, delete=False) as rescue:
            rescue.write(data)
        raise PictureError(f"{output} cannot be written ({failed.strerror}); the image is in {rescue.name}.") from None
    return output


def _show(status: Status, candidate: Candidate) -> None:
    status.update(f"{candidate.offer.provider} is drawing ({candidate.offer.model}, ${candidate.quote.total:f})")


def _tell(console: Console, attempts: tuple[Attempt, ...]) -> None:
    for attempt in attempts:
        if attempt.fault is not None:
            console.print(f"[dim]{attempt.offer.provider}: {attempt.message} ({attempt.seconds:.1f} s)[/dim]")


def _sum_up(console: Console, made: Made, output: Path) -> None:
    delivered, last = made.delivered, made.winner
    tries = len(made.attempts)
    seconds = sum(attempt.seconds for attempt in made.attempts)
    pretended = " [yellow](simulated)[/yellow]" if made.simulated else ""
    console.print(
        f"[bold green]{output}[/bold green]  {delivered.width}x{delivered.height} {delivered.format} by "
        f"[bold]{last.offer.provider}[/bold]{pretended} in {seconds:.1f} s for ${made.cost:f}, "
        f"{tries} attempt{'s' if tries > 1 else ''}"
    )
