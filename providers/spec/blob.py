"""Blob: a handle to image bytes. Where the bytes lie (memory, file, store) is the implementation's business."""

from __future__ import annotations

from typing import Protocol


class BlobDamagedError(Exception):
    """The bytes behind a blob cannot be read as what they claim to be, for example broken base64."""


class Blob(Protocol):
    """Image bytes by reference. Reading one of 20 MB is work for a worker thread, not for the event loop."""

    @property
    def media_type(self) -> str:
        """Media type as its sender claimed it, lower case; empty when unknown. Never trusted: the bytes decide."""

    @property
    def length(self) -> int:
        """Size of the image in bytes (decoded, never the size of its base64 text)."""

    def read(self) -> bytes:
        """The image bytes. Raises BlobDamagedError when they cannot be had."""

    def base64(self) -> bytes:
        """The image bytes as standard base64 without line breaks. Raises BlobDamagedError likewise."""
