"""Names of kept images. A name says until when the image may be had, so that no list of them is needed anywhere.

``1763705400-<token>.png`` lies in the store under ``images/1763705/``: one folder for each thousand seconds of expiry.
The sweeper therefore looks only into folders whose time has come, however many images there are.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from providers.spec.request import OutputFormat

FOLDER = "images"
"""Everything of ours in the store lies below, so that a bucket with other contents is neither listed nor touched."""
SLOT_S = 1000
"""Seconds of expiry that share a folder: a week's images are some 600 folders, an hour's are four."""
TOKEN_BYTES = 20
"""160 random bits: nobody guesses one, with or without the signature."""

_EXTENSIONS = {format: "jpg" if format is OutputFormat.JPEG else format.value for format in OutputFormat}
_MEDIA_TYPES = {extension: format.media_type for format, extension in _EXTENSIONS.items()}
_BY_MEDIA_TYPE = {media_type: extension for extension, media_type in _MEDIA_TYPES.items()}
_NAME = re.compile(rf"([0-9]{{10}})-([0-9a-f]{{{2 * TOKEN_BYTES}}})\.({'|'.join(_MEDIA_TYPES)})")
_SLOT = re.compile(rf"{FOLDER}/([0-9]{{7}})")
_FILENAME_CHARS = 12
"""Of the token, in the name a browser saves under: enough to tell one's own images apart."""


@dataclass(frozen=True, slots=True)
class Name:
    """The name of one kept image. ``expires`` is in unix seconds; ``token`` is random; ``extension`` has no dot."""

    expires: int
    token: str
    extension: str

    def __str__(self) -> str:
        return f"{self.expires:010d}-{self.token}.{self.extension}"

    @property
    def path(self) -> str:
        """Where the image lies in the store."""
        return f"{FOLDER}/{self.expires // SLOT_S:07d}/{self}"

    @property
    def media_type(self) -> str:
        """Of the image, for example ``image/png``."""
        return _MEDIA_TYPES[self.extension]

    @property
    def etag(self) -> str:
        """A strong validator: under one name lie the same bytes for ever."""
        return f'"{self.token}"'

    @property
    def disposition(self) -> str:
        """The Content-Disposition header: shown in place, and saved under a short name."""
        return f'inline; filename="image-{self.token[:_FILENAME_CHARS]}.{self.extension}"'


def draw(media_type: str, *, expires: int) -> Name | None:
    """A new name for an image of this type; None when it is no type that is ever delivered."""
    extension = _BY_MEDIA_TYPE.get(media_type)
    return Name(expires, secrets.token_hex(TOKEN_BYTES), extension) if extension is not None else None


def parsed(text: str) -> Name | None:
    """The name this text spells, in the one spelling a name has; None for anything else."""
    match = _NAME.fullmatch(text)
    return Name(int(match[1]), match[2], match[3]) if match else None


def parsed_path(path: str) -> Name | None:
    """The name of what lies under this path of the store; None when it is not ours."""
    name = parsed(path.rpartition("/")[2])
    return name if name is not None and name.path == path else None


def slot_begin(folder: str) -> int | None:
    """The earliest expiry in a folder of the store, in unix seconds; None when the folder is not ours."""
    match = _SLOT.fullmatch(folder)
    return int(match[1]) * SLOT_S if match else None
