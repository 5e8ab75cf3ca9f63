"""Input images as fal and Replicate take them: data URIs, and links to what this simulator itself holds."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from simulator.media import Media
from simulator.shelf import Shelf

UPLOADS = 128_000_000
"""Bytes of uploaded files that are held; the longest unused go first."""


class Unfetchable(Exception):
    """The link leads nowhere. The simulator fetches nothing from other machines."""


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file."""

    data: bytes
    media_type: str
    name: str


class Files:
    """Uploaded files, by id."""

    def __init__(self) -> None:
        self._shelf: Shelf[File] = Shelf(UPLOADS)

    def keep(self, file_id: str, file: File) -> None:
        """Hold a file."""
        self._shelf.put(file_id, file, len(file.data))

    def find(self, file_id: str) -> File | None:
        """The file, unless it was never here or had to go."""
        return self._shelf.get(file_id)

    def clear(self) -> None:
        """Forget all files."""
        self._shelf.clear()


def too_long(url: str, most: int) -> bool:
    """Whether this is a data URI of more than so many characters."""
    return len(url) > most and url[:5].lower() == "data:"


async def fetched(url: str, media: Media, files: Files) -> bytes:
    """The bytes behind a link. Unfetchable when it is neither a data URI nor one of ours."""
    if url.startswith("data:"):
        return data_uri_bytes(url)
    try:
        path = urlsplit(url).path
    except ValueError:
        raise Unfetchable from None
    if path.startswith("/media/") and (medium := media.find(path.removeprefix("/media/"))):
        return await media.paint(medium.recipe)
    if "/files/" in path and (file := files.find(unquote(path.rpartition("/")[2]))):
        return file.data
    raise Unfetchable


def data_uri_bytes(url: str) -> bytes:
    """The content of a data URI. Unfetchable when it is malformed."""
    head, comma, content = url.partition(",")
    if not comma:
        raise Unfetchable
    if not head.endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return base64.b64decode(unquote_to_bytes(content), validate=True)
    except binascii.Error:
        raise Unfetchable from None
