"""Pictures as users have them, and answers as users read them: decoded, their size and format looked at."""

from __future__ import annotations

import base64
import functools
import io
from typing import Any

from PIL import Image, ImageDraw

ORIENTATION = 0x0112
MAKER = 0x010F
SOUTH_UP = 6
"""The orientation of a photograph taken upright by a phone whose sensor lies across: turned clockwise to be seen."""
CORNERS = ((220, 40, 40), (40, 180, 60), (50, 70, 220), (230, 200, 40))
"""Colours of a scene's corners: top left, top right, bottom left, bottom right."""


def scene(width: int, height: int, *, noise: int = 0) -> Image.Image:
    """A picture whose corners have different colours, so that turning or cropping it shows; ``noise`` in levels."""
    tile = Image.new("RGB", (2, 2))
    tile.putdata(CORNERS)
    picture = tile.resize((width, height), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((width * 0.3, height * 0.3, width * 0.7, height * 0.7), fill=(245, 245, 240))
    if noise:
        grain = Image.effect_noise((width, height), noise).convert("RGB")
        picture = Image.blend(picture, grain, 0.5)
    return picture


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


@functools.cache
def photograph() -> bytes:
    """A JPEG of 4000x3000 pixels and more than 12 MB whose EXIF says that it is to be seen turned, as 3000x4000."""
    exif = Image.Exif()
    exif[ORIENTATION] = SOUTH_UP
    exif[MAKER] = "A phone that tells where its owner lives"
    seen = scene(3000, 4000, noise=120)
    data = encoded(seen.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=97, subsampling=0, exif=exif)
    assert len(data) > 12_000_000, len(data)
    return data


def mask_for(width: int, height: int, hole: tuple[int, int, int, int]) -> bytes:
    """A mask as OpenAI's clients send it: transparent within ``hole`` (left, top, right, bottom), opaque elsewhere."""
    mask = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), hole)
    return encoded(mask, "PNG")


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """The bytes as a URL that holds them."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def opened(b64_json: str) -> Image.Image:
    """The decoded picture; raises when any byte of it is wrong."""
    picture = Image.open(io.BytesIO(base64.b64decode(b64_json, validate=True)))
    picture.load()
    return picture


def pictures(answer: dict[str, Any]) -> list[Image.Image]:
    """All of the answer's pictures, decoded."""
    return [opened(each["b64_json"]) for each in answer["data"]]


def checked(answer: dict[str, Any]) -> Image.Image:
    """The answer's picture, after checking that ``size`` and ``output_format`` tell the truth about it."""
    picture = opened(answer["data"][0]["b64_json"])
    assert answer["size"] == f"{picture.width}x{picture.height}"
    assert answer["output_format"] == (picture.format or "").lower()
    return picture
