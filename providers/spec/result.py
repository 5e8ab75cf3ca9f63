"""ImageResult: what an adapter brings back when the vendor delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.spec.blob import Blob
from providers.spec.unguarded import unguarded


@dataclass(frozen=True, slots=True)
class Warning:
    """A wish that was not granted in full. ``message`` is ours, for the caller; never a vendor's text."""

    parameter: str
    message: str


@unguarded
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens the vendor says it counted. Zero where it says nothing."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_text_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    thought_tokens: int = 0

    @classmethod
    def of_all(cls, counted: Sequence[Usage]) -> Usage:
        """Of several calls together."""
        return cls(
            input_tokens=sum(each.input_tokens for each in counted),
            output_tokens=sum(each.output_tokens for each in counted),
            input_text_tokens=sum(each.input_text_tokens for each in counted),
            input_image_tokens=sum(each.input_image_tokens for each in counted),
            output_image_tokens=sum(each.output_image_tokens for each in counted),
            thought_tokens=sum(each.thought_tokens for each in counted),
        )


@unguarded
@dataclass(frozen=True, slots=True)
class ImageResult:
    """Delivered images, in order; at least one. Not yet verified: whoever acts must look at the bytes."""

    images: tuple[Blob, ...]
    usage: Usage | None = None
    warnings: tuple[Warning, ...] = ()
    made: int = 0
    """Images the vendor made and bills, those that could not be had included; 0: as many as there are here."""

    @property
    def billed(self) -> int:
        """Images the vendor bills."""
        return max(self.made, len(self.images))
