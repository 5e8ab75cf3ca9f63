"""Uploads: pictures that callers send, as files in a form."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping, Sequence
from typing import Final

from PIL import Image

_BOUNDARY: Final = "rig-boundary-7f3a9c"
FORM: Final[Mapping[str, str]] = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
"""The headers of such a form."""


@functools.cache
def photograph(width: int, height: int) -> bytes:
    """A JPEG with grain, which no format makes small: about half a byte a pixel."""
    grain = Image.effect_noise((width, height), 64)
    slope = Image.linear_gradient("L").resize((width, height))
    return _encoded(Image.merge("RGB", (grain, slope, slope.rotate(180))), "JPEG", quality=90)


@functools.cache
def heavy(megabytes: int) -> bytes:
    """A PNG of noise of about so many MB."""
    edge = int((megabytes * 1e6 / 3) ** 0.5)
    bands = [Image.effect_noise((edge, edge), 128) for _ in range(3)]
    return _encoded(Image.merge("RGB", bands), "PNG", compress_level=1)


@functools.cache
def mask(width: int, height: int) -> bytes:
    """A PNG whose middle is transparent: that is to change."""
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (width // 4, height // 4, width // 2, height // 2))
    return _encoded(picture, "PNG")


def form(fields: Mapping[str, object], files: Sequence[tuple[str, bytes]]) -> bytes:
    """The body of a form with these fields and, under their names, these files."""
    parts: list[bytes] = []
    for name, value in fields.items():
        parts.append(f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, data in files:
        head = f'content-disposition: form-data; name="{name}"; filename="{name}"\r\ncontent-type: image/png'
        parts += [f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode(), data, b"\r\n"]
    return b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])


def _encoded(picture: Image.Image, format: str, **options: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()
