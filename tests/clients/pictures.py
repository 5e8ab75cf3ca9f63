"""A look at the pictures callers get back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.clients.uploads import HOLE


def delivered(file: str, *, format: str, size: str) -> Image.Image:
    """The picture in a file, decoded to its last byte, after checking that it is what the answer calls it."""
    picture = Image.open(io.BytesIO(Path(file).read_bytes()))  # in memory: of formats with frames a file stays open
    picture.load()
    assert (picture.format or "").lower() == format
    assert f"{picture.width}x{picture.height}" == size
    return picture


def all_delivered(answer: dict[str, Any]) -> list[Image.Image]:
    """Every picture of an answer, each checked; no two are the same file."""
    assert answer.get("error") is None, answer["error"]
    images = answer["images"]
    assert len({Path(image["file"]).read_bytes() for image in images}) == len(images)
    return [delivered(image["file"], format=answer["output_format"], size=answer["size"]) for image in images]


def differing_share(one: Image.Image, other: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Which share of the pixels within the box differ, 0 to 1."""
    first, second = (each.convert("RGB").crop(box) for each in (one, other))
    assert first.size == second.size
    pairs = zip(_pixels(first), _pixels(second), strict=True)
    return sum(one != other for one, other in pairs) / (first.width * first.height)


def outside_is_untouched(original: Image.Image, edited: Image.Image) -> bool:
    """Whether every pixel beyond the hole of the mask is the original's, bit for bit."""
    covered = []
    for picture in (original, edited):
        copy = picture.convert("RGB")
        copy.paste((0, 0, 0), HOLE)
        covered.append(copy.tobytes())
    return covered[0] == covered[1]


def _pixels(picture: Image.Image) -> list[bytes]:
    data = picture.tobytes()
    return [data[place : place + 3] for place in range(0, len(data), 3)]
