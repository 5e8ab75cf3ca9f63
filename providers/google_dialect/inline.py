"""Images inside a generateContent reply: base64 text, and blobs that carry the media type stated beside them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from providers.spec.blob import Blob, BlobDamagedError


@dataclass(frozen=True, slots=True)
class InlineBlob:
    """An image whose base64 text was short enough to stay in the reply; decoded only when somebody reads it."""

    text: str = field(repr=False)
    media_type: str = ""

    @property
    def length(self) -> int:
        """Bytes once decoded, computed from the text's length and padding."""
        padding = len(self.text) - len(self.text.rstrip("="))
        return max(0, len(self.text) * 3 // 4 - padding)

    def read(self) -> bytes:
        """The decoded bytes. Raises BlobDamagedError when the text is not strict standard base64."""
        try:
            return base64.b64decode(self.text, validate=True)
        except ValueError as broken:
            raise BlobDamagedError("the base64 text is damaged") from broken

    def base64(self) -> bytes:
        """The text itself. Raises BlobDamagedError when it cannot be base64."""
        try:
            return self.text.encode("ascii")
        except UnicodeEncodeError as broken:
            raise BlobDamagedError("the base64 text is damaged") from broken


@dataclass(frozen=True, slots=True)
class Labelled:
    """A blob under the media type that stood beside it in the reply: a string cut out of JSON does not know its own."""

    blob: Blob
    media_type: str

    @property
    def length(self) -> int:
        """Bytes of the image."""
        return self.blob.length

    def read(self) -> bytes:
        """The image bytes. Raises BlobDamagedError when they cannot be had."""
        return self.blob.read()

    def base64(self) -> bytes:
        """The image as base64. Raises BlobDamagedError when it cannot be had."""
        return self.blob.base64()
