"""Generate and edit: images from the command line, through the same plan and the same loop as a request's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status

from app.catalog.catalog import Catalog, UnknownModelError
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.schema import ImagesBody, parse_body
from app.doors.openai_images.translate import NOTHING_SENT, translate
from app.fan_out import AllMade, make_all
from app.fitting import Fitting
from app.gateway import Choice, Made, NotMadeError
from app.main import Assembled, assembled, offered, shared_store
from app.media.inputs import InputError, InputLimits, Prepared
from app.picture_files import PictureError, Target
from app.settings import Settings
from app.telemetry import Telemetry
from providers.blobs import MemoryBlob
from providers.registry import PROVIDERS
from routing.attempt import Attempt
from routing.plan import Candidate

__all__ = ["PictureError", "Wish", "make_pictures"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for on the command line."""

    prompt: str
    target: Target
    model: str | None = None
    size: str | None = None
    provider: str | None = None
    n: int = 1
    images: tuple[Path, ...] = ()
    mask: Path | None = None

    def check(self) -> None:
        """Whether it can be tried at all, asked before anything is started or paid. Raises PictureError."""
        self.target.check(self.n)
        for path in (*self.images, *([self.mask] if self.mask else [])):
            _look_at(path)
        if self.images and _is_file(self.prompt):
            raise PictureError(f"The prompt is missing: {self.prompt} is a file; say last what to make of it.")


async def make_pictures(settings: Settings, console: Console, wish: Wish) -> None:
    """Make the images, write each as soon as it is there, and say who made it.

    The wish must have been checked. Raises PictureError, also when fewer images were made than asked for; StartError or
    CatalogError.
    """
    name = _pinned(wish.model or settings.gateway_default_model, wish.provider)
    document = {**(await asyncio.to_thread(_document, wish)), "model": name}
    providers, catalog = offered(settings)
    body = _parsed(document, catalog, editing=bool(wish.images))
    store = shared_store(settings, catalog.policy)
    async with assembled(settings, providers, catalog, Telemetry(), store) as hands:
        choice = _choice(settings, catalog, body, name, await _prepared(hands, body))
        writing = _Writing(console, wish)
        try:
            with console.status("Choosing a provider") as status:
                made = await make_all(
                    hands.gateway,
                    [choice],
                    Fitting(hands.workers, settings.gateway_spool_dir),
                    watcher=lambda tried: _show(status, tried),
                    on_made=writing.write,
                )
        except NotMadeError as failed:
            _tell(console, failed.attempts)
            raise PictureError(failed.verdict.message) from None
    _tell(console, made.attempts)
    short = len(made.images) < wish.n
    for warning in made.warnings:
        if not (short and warning.parameter == "n"):  # said last, as the reason why this failed
            console.print(f"[yellow]{warning.parameter}:[/yellow] {warning.message}")
    _sum_up(console, made)
    if writing.failed is not None:
        raise writing.failed
    if short:
        raise PictureError(next(warning.message for warning in made.warnings if warning.parameter == "n"))


def _document(wish: Wish) -> dict[str, Any]:
    """The wish as the body of a request. Raises PictureError when a file cannot be read."""
    document: dict[str, Any] = {
        "prompt": wish.prompt,
        "size": wish.size,
        "n": wish.n,
        "output_format": wish.target.format.value,
    }
    if wish.images:
        document["image"] = [_read(path) for path in wish.images]
    if wish.mask is not None:
        document["mask"] = _read(wish.mask)
    return document


def _look_at(path: Path) -> None:
    try:
        length = path.stat().st_size
    except OSError as failed:
        raise PictureError(f"{path} cannot be read ({failed.strerror}).") from None
    if length > (most := InputLimits().image_bytes):
        raise PictureError(f"{path} has {length:,} bytes; at most {most:,} are taken.")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or no path at all
        return False


def _read(path: Path) -> MemoryBlob:
    try:
        return MemoryBlob(path.read_bytes())
    except OSError as failed:
        raise PictureError(f"{path} cannot be read ({failed.strerror}).") from None


def _parsed(document: Mapping[str, Any], catalog: Catalog, *, editing: bool) -> ImagesBody:
    try:
        return parse_body(document, editing=editing, max_timeout_s=catalog.policy.max_timeout_s)
    except ApiError as refused:
        raise PictureError(refused.message) from None


async def _prepared(hands: Assembled, body: ImagesBody) -> Prepared:
    if not body.images:
        return NOTHING_SENT
    try:
        return await hands.inputs.prepared(body.images, body.mask)
    except InputError as refused:
        raise PictureError(refused.message) from None


def _choice(settings: Settings, catalog: Catalog, body: ImagesBody, name: str, sent: Prepared) -> Choice:
    try:
        found = catalog.find(name, default_model=settings.gateway_default_model)
        translated = translate(body, found, sent)
    except (ApiError, UnknownModelError) as refused:
        raise PictureError(str(refused)) from None
    return Choice(translated.request, found.model, catalog.offers_of(found), translated.wishes, translated.warnings)


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


class _Writing:
    """Writes images as they are made. A failure is kept for the end: the images after it are paid for as well."""

    def __init__(self, console: Console, wish: Wish) -> None:
        self._console = console
        self._wish = wish
        self._written = 0
        self.failed: PictureError | None = None

    def write(self, made: Made) -> None:
        for image in made.images:
            self._written += 1
            try:
                path = self._wish.target.write(image.blob.read(), image.format, self._written, of=self._wish.n)
            except PictureError as failed:
                self.failed = self.failed or failed
                continue
            share = f"{self._written}/{self._wish.n}  " if self._wish.n > 1 else ""
            pretended = " [yellow](simulated)[/yellow]" if made.simulated else ""
            self._console.print(
                f"{share}[bold green]{path}[/bold green]  {image.width}x{image.height} {image.format} by "
                f"[bold]{made.winner.offer.provider}[/bold]{pretended} in {made.winner.seconds:.1f} s"
            )


def _show(status: Status, candidate: Candidate) -> None:
    status.update(f"{candidate.offer.provider} is drawing ({candidate.offer.model}, ${candidate.quote.total:f})")


def _tell(console: Console, attempts: tuple[Attempt, ...]) -> None:
    for attempt in attempts:
        if attempt.fault is not None:
            console.print(f"[dim]{attempt.offer.provider}: {attempt.message} ({attempt.seconds:.1f} s)[/dim]")


def _sum_up(console: Console, made: AllMade) -> None:
    count, tries = len(made.images), len(made.attempts)
    seconds = max(attempt.ended_at for attempt in made.attempts) - min(each.started_at for each in made.attempts)
    console.print(
        f"{count} image{'s' if count > 1 else ''} for ${made.cost:f} in {seconds:.1f} s, "
        f"{tries} attempt{'s' if tries > 1 else ''}"
    )
