"""What a caller gave to be edited, made ready: references fetched, files checked, upright and bare, the mask fitting.

Memory: a worker thread holds one file at a time (twice while it is put together anew) and, where it must be decoded,
its pixels (see ``decoding``). What is ready lies in mapped spool files or where it came in.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from app.media.mask_input import checked_mask
from app.media.sniff import NotAnImageError
from app.media.upright import Upright, upright
from providers.fetching import Unfetchable
from providers.spec.blob import Blob, InlineBlob
from providers.spec.result import Warning
from providers.workers import Workers

_DATA = "data:"
_BARE = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")
"""Base64 by itself, as ``b64_json`` has it; the smallest image there is has 35 bytes. Longer texts are blobs by now."""


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Bounds on the inputs of one request."""

    images: int = 16
    """What OpenAI takes: https://platform.openai.com/docs/api-reference/images/createEdit"""
    image_bytes: int = 50 * 1024 * 1024
    """Of one image; OpenAI's bound again. A mask may be as large."""
    total_bytes: int = 17 * 50 * 1024 * 1024
    """Of all images and the mask together: what a request may fill the spool folder with."""
    fetches: int = 4
    """References of one request fetched at once."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a caller gave: the parameter as it was spelt, and bytes or a reference (an https or data URL)."""

    param: str
    content: Blob | str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Input images as every vendor takes them, and a PNG mask of the first one's size."""

    images: tuple[Blob, ...]
    mask: Blob | None
    size: tuple[int, int] | None
    """Width and height of the first image as it is seen, in pixels; None without images."""
    warnings: tuple[Warning, ...]


class InputError(Exception):
    """An input that cannot be used. ``message`` is ours and for the caller; it repeats no query of a URL."""

    def __init__(self, param: str, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.param = param
        self.message = message
        self.code = code


class Inputs:
    """Makes inputs ready. ``fetch`` brings what a URL leads to and raises Unfetchable."""

    def __init__(
        self,
        workers: Workers,
        fetch: Callable[[str], Awaitable[Blob]],
        *,
        spool_dir: Path | None = None,
        limits: InputLimits | None = None,
    ) -> None:
        self._workers = workers
        self._fetch = fetch
        self._spool_dir = spool_dir
        self._limits = limits or InputLimits()

    async def prepared(self, sources: Sequence[Source], mask: Source | None = None) -> Prepared:
        """All inputs of one request, ready to be sent.

        Raises InputError for the first that cannot be used, SpoolFailedError when our own disk takes no more.
        """
        most = self._limits.images
        if len(sources) > most:
            raise InputError(sources[most].param, f"{len(sources)} input images were given; at most {most} are taken.")
        if mask is not None and not sources:
            raise InputError(mask.param, "A mask was given without an image it could be for.")
        named = [(source, f"Input image {number}") for number, source in enumerate(sources, 1)]
        masks = [] if mask is None else [(mask, "The mask")]
        blobs = await self._had([*named, *masks])
        ready: list[Upright] = []
        warnings: list[Warning] = []
        for (source, name), blob in zip(named, blobs, strict=False):
            try:
                image = await self._workers.run(upright, blob, self._spool_dir)
            except NotAnImageError as wrong:
                raise _unusable(source, name, wrong) from None
            ready.append(image)
            if image.one_of_many:
                warnings.append(Warning(source.param, f"{name} is animated; only its first frame is used."))
        size = (ready[0].width, ready[0].height) if ready else None
        fitting = None
        if mask is not None and size is not None:
            try:
                fitting = await self._workers.run(checked_mask, blobs[-1], size, self._spool_dir)
            except NotAnImageError as wrong:
                raise _unusable(mask, "The mask", wrong) from None
        return Prepared(tuple(image.blob for image in ready), fitting, size, tuple(warnings))

    async def _had(self, named: Sequence[tuple[Source, str]]) -> list[Blob]:
        """The bytes of all, fetched where they are elsewhere; all is given up as soon as one cannot be had."""
        gate = asyncio.Semaphore(self._limits.fetches)
        total = 0

        async def one(source: Source, name: str) -> Blob:
            nonlocal total
            async with gate:
                blob = await self._content(source, name)
            if blob.length > self._limits.image_bytes:
                raise InputError(
                    source.param,
                    f"{name} has {blob.length:,} bytes; at most {self._limits.image_bytes:,} are taken.",
                )
            total += blob.length
            if total > self._limits.total_bytes:
                raise InputError(
                    source.param, f"The input images have more than {self._limits.total_bytes:,} bytes in all."
                )
            return blob

        tasks = [asyncio.ensure_future(one(source, name)) for source, name in named]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _content(self, source: Source, name: str) -> Blob:
        content = source.content
        if not isinstance(content, str):
            return content
        if content[: len(_DATA)].lower() == _DATA:
            return _from_data_url(source, name, content)
        if _BARE.fullmatch(content) is not None and len(content) % 4 == 0:
            return InlineBlob(content)
        if "://" not in content[:16]:
            raise InputError(
                source.param, f"{name} is neither a file nor a URL; send a file, an https URL or a base64 data URL."
            )
        try:
            return await self._fetch(content)
        except Unfetchable as failed:
            raise InputError(
                source.param, f"{name} cannot be fetched from {_host(content)}: {failed.reason}."
            ) from None


def _from_data_url(source: Source, name: str, text: str) -> Blob:
    """The media type is not looked at: the bytes decide. The base64 is decoded, strictly, when the blob is read."""
    head, comma, encoded = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise InputError(
            source.param, f"{name} is a data URL that is not base64; it must begin like 'data:image/png;base64,'."
        )
    return InlineBlob(encoded)


def _host(url: str) -> str:
    """The host alone: path and query may hold what gives access."""
    try:
        host = urlsplit(url).hostname or "the URL"
    except ValueError:
        return "the URL"
    return host[:80] if host.isprintable() else "the URL"


def _unusable(source: Source, name: str, wrong: NotAnImageError) -> InputError:
    return InputError(source.param, f"{name} cannot be used: {wrong}.")
