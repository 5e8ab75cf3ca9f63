"""Hosting: an image is put into the store and becomes a URL; a URL becomes the image again, until it ends.

Nothing on the disk is made before the first image is kept: a gateway nobody asks for URLs needs no folder to write to,
and one whose store fails goes on serving base64.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import structlog

from app.hosting import key_file
from app.hosting.key_file import KeyFileError
from app.hosting.location import HostingSetupError, location_of
from app.hosting.names import Name, draw, parsed
from app.hosting.signing import Signer
from app.hosting.store import ImageStore, NotStoredError, StoreError
from app.hosting.sweeper import Sweeper, SweeperInstruments
from app.telemetry import request_id
from providers.spec.blob import Blob, BlobDamagedError
from providers.workers import Workers

KEEPS = 4
"""Images put at once. Each is in memory as a whole meanwhile, so this bounds it: four of the largest delivered."""
KEEP_S = 60.0
"""Longest a caller waits for one image to be stored, waiting for others included; base64 is at hand instead."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class HostingError(Exception):
    """An image cannot be kept or had just now; the fault is ours. The message may be told to callers."""


class ImageUnknownError(Exception):
    """The URL is none of ours, or the image is gone before its time. Which of them is not told."""


class ImageExpiredError(Exception):
    """The URL was ours and has ended. ``expired`` says when, in unix seconds."""

    def __init__(self, expired: int) -> None:
        super().__init__("the URL has ended")
        self.expired = expired


class HostingInstruments(SweeperInstruments, Protocol):
    """What is measured."""

    def image_kept(self, length: int, seconds: float) -> None:
        """An image of so many bytes was stored, in so many seconds."""

    def image_not_kept(self) -> None:
        """An image could not be stored."""


class Unmeasured:
    """Instruments that measure nothing."""

    def image_kept(self, length: int, seconds: float) -> None:
        """Nothing."""

    def image_not_kept(self) -> None:
        """Nothing."""

    def images_swept(self, count: int) -> None:
        """Nothing."""

    def sweep_failed(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """An image that may be had. ``size`` in bytes; ``left_s``: seconds until its URL ends, at least 1."""

    name: Name
    size: int
    left_s: int


class Hosting:
    """One process's part in hosting. Replicas that share store and key serve each other's images."""

    def __init__(
        self,
        *,
        store_url: str | None,
        data_dir: Path,
        signing_key: str | None,
        ttl_s: float,
        public_url: str | None,
        urls: Literal["gateway", "store"],
        workers: Workers,
        clock: Callable[[], float] = time.time,
        instruments: HostingInstruments | None = None,
    ) -> None:
        """Reads the settings and touches nothing. ``ttl_s``: seconds a URL works. ``clock`` tells unix seconds.

        Raises HostingSetupError, one sentence for the operator, when the settings cannot work.
        """
        location = location_of(store_url, data_dir=data_dir)
        if urls == "store" and location.bucket is None:
            raise HostingSetupError(
                "GATEWAY_IMAGE_URLS=store needs a bucket in GATEWAY_IMAGE_STORE, for a folder has no URLs of its own; "
                "GATEWAY_IMAGE_URLS=gateway serves from a folder."
            )
        self._store = ImageStore(location, workers=workers)
        self._key_file = data_dir.absolute() / key_file.FILE_NAME
        self._signer = Signer(signing_key.encode()) if signing_key is not None else None
        self._ttl_s = math.ceil(ttl_s)
        self._public_url = public_url
        self._presigned = urls == "store"
        self._workers = workers
        self._clock = clock
        self._instruments = instruments or Unmeasured()
        self._sweeper = Sweeper(self._store, instruments=self._instruments, clock=clock)
        self._room = asyncio.Semaphore(KEEPS)

    async def start(self, *, sweep: bool = True) -> None:
        """Whatever would keep images from being stored is logged now and fails nothing. ``sweep``: begin to."""
        obstacle = await self._workers.run(self._obstacle)
        if obstacle is not None:
            _log.warning("images_by_url_unavailable", reason=obstacle, instead="base64 works")
        if self._store.folder is None and self._signer is None and not self._presigned:
            _log.warning(
                "signing_key_not_shared",
                advice=f"replicas that do not share {self._key_file.parent} need the same GATEWAY_SIGNING_KEY",
            )
        if sweep:
            self._sweeper.start()

    async def stop(self) -> None:
        """End sweeping."""
        await self._sweeper.stop()

    async def keep(self, image: Blob, media_type: str, *, base_url: str) -> str:
        """Store an image; the URL it may be had under, for as long as was set.

        ``base_url`` is what this request's caller reaches the gateway by, used unless the operator set one. Raises
        HostingError; why is logged.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(KEEP_S), self._room:
                url = await self._kept(image, media_type, base_url)
        except TimeoutError:
            raise self._not_kept("storing took too long") from None
        except (StoreError, KeyFileError, BlobDamagedError) as failed:
            raise self._not_kept(str(failed)) from None
        self._instruments.image_kept(image.length, time.monotonic() - started)
        return url

    async def open(self, signature: str, name: str) -> Hosted:
        """The image under this signature and name. Raises ImageUnknownError, ImageExpiredError, HostingError.

        The signature is looked at before anything else, and nothing is looked up for a wrong one: a guess learns
        nothing about what there is, neither from the words nor from the time they take.
        """
        signer = self._signer or await self._known_signer()
        if signer is None or not signer.matches(signature, name):
            raise ImageUnknownError
        found = parsed(name)
        if found is None:  # signed by a later version, perhaps
            raise ImageUnknownError
        left_s = math.ceil(found.expires - self._clock())
        if left_s <= 0:
            raise ImageExpiredError(found.expires)
        try:
            size = await self._store.size(found.path)
        except NotStoredError:
            raise ImageUnknownError from None
        except StoreError as failed:
            raise self._not_had(failed) from None
        return Hosted(found, size, left_s)

    async def read(self, image: Hosted, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from ``start`` up to, not including, ``end``, in pieces of 256 KiB at most, each fetched when it is
        asked for. Raises ImageUnknownError, HostingError.
        """
        try:
            async for piece in self._store.read(image.name.path, start, end):
                yield piece
        except NotStoredError:
            raise ImageUnknownError from None
        except StoreError as failed:
            raise self._not_had(failed) from None

    async def _kept(self, image: Blob, media_type: str, base_url: str) -> str:
        name = draw(media_type, expires=math.ceil(self._clock()) + self._ttl_s)
        if name is None:
            raise StoreError("the image is of no type that is served")
        # Before the image is stored: without a key nobody could fetch it.
        signer = None if self._presigned else self._signer or await self._made_signer()
        await self._store.put(
            name.path,
            await self._workers.run(image.read),
            media_type=name.media_type,
            disposition=name.disposition,
            cache_control=f"public, max-age={self._ttl_s}, immutable",
        )
        if signer is None:
            return await self._store.sign(name.path, self._ttl_s)
        # An operator may have copied what clients call base_url.
        base = (self._public_url or base_url).rstrip("/").removesuffix("/v1")
        return base + signer.path(str(name))

    async def _known_signer(self) -> Signer | None:
        """The signer, if a key was ever made: without one no URL was."""
        try:
            key = await self._workers.run(key_file.read, self._key_file)
        except KeyFileError as failed:
            raise self._not_had(failed) from None
        if key is not None:
            self._signer = Signer(key)
        return self._signer

    async def _made_signer(self) -> Signer:
        self._signer = Signer(await self._workers.run(key_file.read_or_make, self._key_file))
        return self._signer

    def _not_kept(self, reason: str) -> HostingError:
        self._instruments.image_not_kept()
        _log.error("image_not_kept", request_id=request_id.get(), reason=reason)
        return HostingError("The image could not be stored to be answered by URL.")

    @staticmethod
    def _not_had(failed: Exception) -> HostingError:
        _log.error("image_not_had", request_id=request_id.get(), reason=str(failed))
        return HostingError("The store of images does not answer just now.")

    def _obstacle(self) -> str | None:
        """Why nothing could be stored or signed, as far as can be told without writing."""
        needed = [self._store.folder] if self._store.folder is not None else []
        if self._signer is None and not self._presigned:
            needed.append(self._key_file.parent)
        for folder in needed:
            nearest = next(place for place in (folder, *folder.parents) if place.exists())
            if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
                return f"{nearest} is no folder that can be written to"
        return None
