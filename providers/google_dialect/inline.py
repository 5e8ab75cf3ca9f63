"""Images cut out of a generateContent reply: blobs that carry the media type stated beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from providers.spec.blob import Base64Text, Blob, Ends


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

    def pieces(self) -> Iterator[bytes]:
        """The image bytes in pieces. Raises BlobDamagedError when they cannot be had."""
        return self.blob.pieces()

    @property
    def ends(self) -> Ends | None:
        """What was seen of it while it came."""
        return self.blob.ends

    def base64(self) -> Base64Text:
        """The image as base64. Raises BlobDamagedError when it cannot be had."""
        return self.blob.base64()
