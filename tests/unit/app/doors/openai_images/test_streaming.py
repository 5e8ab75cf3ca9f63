"""Interim images of a stream: an extra that may fail without anybody noticing."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app.doors.openai_images.streaming import interim
from providers.blobs import MemoryBlob
from providers.spec.request import ImageRequest, OutputFormat
from tests.unit.app.test_attempting import Unreadable

REQUEST = ImageRequest("banana", "fox", output_format=OutputFormat.WEBP)


def picture() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 32), 60).save(out, "PNG")
    return out.getvalue()


def test_an_interim_image_comes_in_the_callers_format() -> None:
    shown = interim(MemoryBlob(picture()), REQUEST)
    assert shown is not None
    assert (shown.format, shown.width, shown.height) == (OutputFormat.WEBP, 64, 32)


@pytest.mark.parametrize("blob", [MemoryBlob(b"none"), MemoryBlob(picture()[:-40]), Unreadable()])
def test_one_that_is_damaged_or_cannot_be_read_is_left_out(blob: MemoryBlob) -> None:
    assert interim(blob, REQUEST) is None
