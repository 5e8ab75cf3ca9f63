from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path

import pytest
from PIL import Image

from app.media.flat import is_flat
from benchmarks.image_path.pictures import PICTURES, Picture, write_answers


@pytest.mark.parametrize("size", ["small", "plain1k"])
def test_a_gradient_packs_well_and_is_not_taken_for_a_flat_colour(size: str) -> None:
    data = PICTURES[size].png()
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.size == (PICTURES[size].edge, PICTURES[size].edge)
    assert len(data) < 32 * 1024
    assert not is_flat(data, *image.size)


def test_noise_is_as_large_as_its_levels_say() -> None:
    data = Picture(256, 16).png()
    image = Image.open(io.BytesIO(data))
    image.load()
    pixels = 256 * 256
    assert pixels * 3 // 2 <= len(data) < pixels * 3 * 0.55
    assert sum(count > 0 for count in image.getchannel(0).histogram()) == 16


def test_every_vendor_answers_with_the_picture_or_a_link_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.image_path.pictures.PICTURES", {"small": Picture(64, 0)})
    lengths = write_answers(tmp_path, "http://127.0.0.1:9")
    image = (tmp_path / "media-small").read_bytes()
    assert lengths == {"small": len(image)}
    gemini = json.loads((tmp_path / "gemini-small").read_text())
    assert b64decode(gemini["candidates"][0]["content"]["parts"][0]["inlineData"]["data"]) == image
    openai = json.loads((tmp_path / "openai-small").read_text())
    assert b64decode(openai["data"][0]["b64_json"]) == image
    link = "http://127.0.0.1:9/media/small"
    assert json.loads((tmp_path / "replicate-small").read_text())["output"] == link
    assert json.loads((tmp_path / "falresult-small").read_text())["images"][0]["url"] == link
