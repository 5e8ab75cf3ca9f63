"""Picture files: where the command line writes images, and in which format."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from providers.spec.request import OutputFormat

FORMATS = {
    ".png": OutputFormat.PNG,
    ".jpg": OutputFormat.JPEG,
    ".jpeg": OutputFormat.JPEG,
    ".webp": OutputFormat.WEBP,
    ".avif": OutputFormat.AVIF,
    ".gif": OutputFormat.GIF,
}
"""Endings a file may have, and the format each stands for."""


class PictureError(Exception):
    """No picture. The message is for the person who asked for it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A file, or with several images as many, numbered: ``cat.png`` becomes ``cat-1.png``, ``cat-2.png``."""

    path: Path
    named: OutputFormat | None = None
    """The format asked for by name; None: the one the file's ending stands for."""

    @property
    def format(self) -> OutputFormat:
        """What the images are to be. Raises PictureError when neither the ending nor a name says."""
        if self.named is not None:
            return self.named
        format = FORMATS.get(self.path.suffix.lower())
        if format is None:
            raise PictureError(f"{self.path.name}: the file's ending must be one of {', '.join(FORMATS)}.")
        return format

    def check(self, count: int) -> None:
        """Whether the files can be written, asked before anybody is paid. Raises PictureError."""
        format = self.format
        for number in range(1, count + 1):
            path = self.numbered(number, of=count, format=format)
            if not path.parent.is_dir():
                raise PictureError(f"{path.parent} is not a folder.")
            if path.is_dir():
                raise PictureError(f"{path} is a folder.")
            if not os.access(path if path.exists() else path.parent, os.W_OK):
                raise PictureError(f"{path} cannot be written.")

    def numbered(self, number: int, *, of: int, format: OutputFormat) -> Path:
        """The file of one image, with the ending of what it is."""
        fits = FORMATS.get(self.path.suffix.lower()) is format
        ending = self.path.suffix if fits else f".{format.value}"
        name = self.path.stem if self.path.suffix.lower() in FORMATS else self.path.name
        return self.path.with_name(f"{name}-{number}{ending}" if of > 1 else f"{name}{ending}")

    def write(self, data: bytes, format: OutputFormat, number: int, *, of: int) -> Path:
        """Write one image; where that fails, somewhere else: it is paid for. Raises PictureError saying where."""
        path = self.numbered(number, of=of, format=format)
        try:
            path.write_bytes(data)
        except OSError as failed:
            with tempfile.NamedTemporaryFile(prefix="image-", suffix=path.suffix, delete=False) as rescue:
                rescue.write(data)
            raise PictureError(
                f"{path} cannot be written ({failed.strerror}); the image is in {rescue.name}."
            ) from None
        return path
