"""Reading answers as their user would: decode the picture, look at its size and format."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image


def opened(b64_json: str) -> Image.Image:
    """The decoded picture; raises when any byte of it is wrong."""
    picture = Image.open(io.BytesIO(base64.b64decode(b64_json, validate=True)))
    picture.load()
    return picture


def checked(answer: dict[str, Any]) -> Image.Image:
    """The answer's picture, after checking that ``size`` and ``output_format`` tell the truth about it."""
    picture = opened(answer["data"][0]["b64_json"])
    assert answer["size"] == f"{picture.width}x{picture.height}"
    assert answer["output_format"] == (picture.format or "").lower()
    return picture
