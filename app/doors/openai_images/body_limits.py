"""How large a request's body may be, part by part, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass

from app.doors.openai_images.errors import INVALID_REQUEST, ApiError, shown

_MIB = 1024 * 1024
_LIST = 16
"""Input images of an edit, as OpenAI's API reference has it."""
_DATA_URL = 20_971_520
"""Characters of an ``image_url`` in a JSON body, likewise."""
_TEXT = 4 * _MIB


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bytes unless said otherwise. The totals leave room for a mask beside the images."""

    json_bytes: int = (_LIST + 1) * _DATA_URL + _TEXT
    """A JSON body: every image as the longest data URL there may be, and the text."""
    total_bytes: int = (_LIST + 1) * 50 * _MIB + _TEXT + _MIB
    """A multipart body: every image as large as it may be, the text, and a MiB for headers and boundaries."""
    image_bytes: int = 50 * _MIB
    """One uploaded file; OpenAI's reference says 50 MB."""
    images: int = _LIST
    parts: int = 1000
    """Parts of a form. Real ones have some twenty."""
    header_bytes: int = 4096 + 128
    """One header line of a part; a file name of 255 characters of four bytes fits four times."""
    text_image_bytes: int = 28 * _MIB
    """One text part: a data URL of 20 MiB, with room."""
    text_bytes: int = _TEXT
    """What is not an image, all together: a prompt of 32,000 characters is at most 400 KB as escaped JSON."""
    silence_s: float = 60.0
    """Seconds without a byte."""
    seconds: float = 600.0
    """Seconds for the whole, the time after which the official clients give up a request."""
    bytes_per_s: int = 4096
    """How fast it must come on the whole, once ``grace_s`` is over: as fast as an answer must be read."""
    grace_s: float = 30.0
    """Seconds a body is given before its pace is looked at: a phone may need some to find its network again."""


def part_too_large(name: str, limit: int) -> ApiError:
    """413: one part of a form has more than ``limit`` bytes."""
    named = shown(name)
    return ApiError(
        413, f"{named} is larger than {limit:,} bytes.", type=INVALID_REQUEST, param=named, code="request_too_large"
    )
