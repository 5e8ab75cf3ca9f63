"""The store of images: a folder or a bucket, all through obstore, which no other module imports.

Memory: nothing is held but what a caller hands in (``put`` takes the bytes as they are, uncopied) and one window for
each reader. Errors carry their kind only: what stores say may hold addresses, account names and keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import LocalStore, from_url

from app.hosting.location import HostingSetupError, Location
from app.hosting.names import FOLDER
from providers.workers import Workers

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

    Bucket = AzureStore | GCSStore | S3Store

WINDOW = 512 * 1024
"""Bytes fetched at a time. Each is a request of its own, so that a slow client keeps no connection to a bucket waiting;
of 20 MB there are forty. Measured: a client that reads nothing holds 1.5 MB, the server's buffers included."""
CHUNK = 256 * 1024
"""Bytes handed on at a time: what the doors hand to a client at a time."""
ANSWER_S = 20.0
"""Longest the store may take over anything but taking in an image."""
PUT_S = 40.0
"""Longest an image may take to be stored: 20 MB at 4 Mbit/s. The caller waits for it."""
_RETRIES = 2
_RETRY = timedelta(seconds=10)
"""How often and how long obstore tries again. Its own ten times in three minutes are for batches, not for callers."""


class StoreError(Exception):
    """The store failed. The message names the kind of failure and quotes nothing."""


class NotStoredError(Exception):
    """Nothing lies under this path."""


class ImageStore:
    """One store. A folder is made when the first image is put, never before."""

    def __init__(self, location: Location, *, workers: Workers) -> None:
        """Opens nothing and calls nobody. Raises HostingSetupError when the environment lacks what a bucket needs."""
        self._folder = location.folder
        self._workers = workers
        self._local: LocalStore | None = None
        self._bucket: Bucket | None = None
        if location.bucket is not None:
            try:
                self._bucket = _bucket(location.bucket)
            except Exception as failed:  # noqa: BLE001 - obstore raises errors of many families, with secrets in them
                raise HostingSetupError(
                    f"GATEWAY_IMAGE_STORE cannot be opened ({type(failed).__name__}): see that the name of the bucket "
                    "and the store's environment variables, such as AWS_REGION, are right."
                ) from None

    @property
    def folder(self) -> Path | None:
        """The folder images lie in; None for a bucket."""
        return self._folder

    async def put(self, path: str, data: bytes, *, media_type: str, disposition: str, cache_control: str) -> None:
        """Store an image. It is there whole or not at all. Raises StoreError.

        A bucket is told the headers to serve it with; a folder knows none.
        """
        told = {"Content-Type": media_type, "Content-Disposition": disposition, "Cache-Control": cache_control}
        try:
            with _failures():
                async with asyncio.timeout(PUT_S):
                    # Never in parts: a file is moved into its place once whole, and no bucket keeps half an image.
                    await obstore.put_async(
                        await self._existing(make=True),
                        path,
                        data,
                        use_multipart=False,
                        attributes=told if self._bucket is not None else None,
                    )
        except NotStoredError:
            raise StoreError("there is no such bucket or folder") from None

    async def size(self, path: str) -> int:
        """Bytes of what lies there. Raises NotStoredError, StoreError."""
        with _failures():
            async with asyncio.timeout(ANSWER_S):
                return (await obstore.head_async(await self._existing(), path))["size"]

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``, in pieces of ``CHUNK`` at most, fetched as they are
        asked for. Raises NotStoredError, StoreError.
        """
        for at in range(start, end, WINDOW):
            with _failures():
                async with asyncio.timeout(ANSWER_S):
                    store = await self._existing()
                    window = await obstore.get_range_async(store, path, start=at, end=min(at + WINDOW, end))
            view = memoryview(window)
            for begin in range(0, len(view), CHUNK):
                yield bytes(view[begin : begin + CHUNK])

    async def sign(self, path: str, ttl_s: float) -> str:
        """The store's own URL for what lies there, good for ``ttl_s`` seconds. Raises StoreError."""
        if self._bucket is None:
            raise StoreError("a folder has no URLs")
        with _failures():
            async with asyncio.timeout(ANSWER_S):
                return await obstore.sign_async(self._bucket, "GET", path, timedelta(seconds=ttl_s))

    async def folders(self) -> list[str]:
        """The folders images lie in, from the oldest expiry on. Raises StoreError."""
        with _failures(), contextlib.suppress(NotStoredError):
            async with asyncio.timeout(ANSWER_S):
                listed = await obstore.list_with_delimiter_async(await self._existing(), FOLDER)
            return sorted(listed["common_prefixes"])
        return []

    async def listed(self, folder: str, portion: int) -> AsyncIterator[list[str]]:
        """The paths in a folder, so many at a time, in no order. Raises StoreError."""
        with _failures(), contextlib.suppress(NotStoredError):
            stream = aiter(obstore.list(await self._existing(), folder, chunk_size=portion))
            while True:
                async with asyncio.timeout(ANSWER_S):
                    found = await anext(stream, None)
                if found is None:
                    return
                yield [object["path"] for object in found]

    async def delete(self, paths: Sequence[str]) -> int:
        """Delete these; what is gone already is no failure. Returns how many were there, as far as the store told.
        Raises StoreError; of a folder only after having tried all.
        """
        with _failures(), contextlib.suppress(NotStoredError):
            store = await self._existing()
            if self._bucket is not None:
                with contextlib.suppress(FileNotFoundError):
                    async with asyncio.timeout(ANSWER_S):
                        await obstore.delete_async(store, paths)
                    return len(paths)
            # One that is missing, for another replica's sweeper was faster, ends a deletion of many early; so does a
            # file that cannot be deleted, which must not keep the others.
            deleted, failed = 0, None
            for path in paths:
                try:
                    async with asyncio.timeout(ANSWER_S):
                        await obstore.delete_async(store, path)
                    deleted += 1
                except FileNotFoundError:
                    pass
                except Exception as error:
                    if self._bucket is not None:  # away, most likely: the rest would be waited for one by one
                        raise
                    failed = error
            if failed is not None:
                raise failed
            return deleted
        return 0

    async def discard_leftovers(self, folder: str, due: Callable[[str], bool]) -> None:
        """Delete what a process that was killed had begun to write, and the folder once it is empty.

        Only folders need it, and obstore does not list such files: they are called like the image, with ``#`` and a
        number behind. ``due`` is asked with the image's path. Raises StoreError.
        """
        if self._folder is not None:
            with _failures():
                await self._workers.run(_discard, self._folder / folder, folder, due)

    async def _existing(self, *, make: bool = False) -> LocalStore | Bucket:
        if self._bucket is not None:
            return self._bucket
        if self._local is None and self._folder is not None:
            self._local = await self._workers.run(_open_folder, self._folder, make=make)
        if self._local is None:
            raise NotStoredError
        return self._local


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Whatever obstore or the disk raises, in our words."""
    try:
        yield
    except (StoreError, NotStoredError):
        raise
    except FileNotFoundError:
        raise NotStoredError("nothing lies there") from None
    except TimeoutError:
        raise StoreError("it does not answer in time") from None
    except Exception as failed:  # noqa: BLE001 - errors of many families, all of the store
        raise StoreError(type(failed).__name__) from None


def _bucket(url: str) -> Bucket:
    # No client options, though some would be welcome: given any, obstore forgets those of the environment, such as
    # AWS_ALLOW_HTTP.
    return from_url(url, retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY})  # type: ignore[return-value]


def _open_folder(folder: Path, *, make: bool) -> LocalStore | None:
    if make:
        (folder / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)  # others on this machine have no business here
    elif not folder.is_dir():
        return None
    return LocalStore(folder, automatic_cleanup=True)


def _discard(place: Path, folder: str, due: Callable[[str], bool]) -> None:
    try:
        entries = [entry.name for entry in os.scandir(place)]
    except FileNotFoundError:
        return
    for name in entries:
        image, mark, number = name.partition("#")
        if mark and number.isdigit() and due(f"{folder}/{image}"):
            (place / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty, or gone
        place.rmdir()
