"""Base64 text of an image, however it lies, as bytes."""

from __future__ import annotations

from collections.abc import Iterable

from providers.spec.blob import Base64Text


def text_of(*parts: Base64Text) -> bytes:
    """All of it, joined."""
    return joined(parts)


def joined(parts: Iterable[Base64Text]) -> bytes:
    """The same, of parts of an answer."""
    return b"".join(part if isinstance(part, bytes | memoryview) else b"".join(part.pieces()) for part in parts)
