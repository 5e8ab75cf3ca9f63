"""The generateContent body: what the golden files do not show."""

from __future__ import annotations

from typing import Any

import pytest

from providers.blobs import MemoryBlob
from providers.google_dialect.wire import INT32_MAX, SCHEMAS, Schema, generate_content, shows_thoughts
from providers.spec.conversation import AsBase64
from providers.spec.request import ImageRequest

NEW, OLD = SCHEMAS["gemini-3-image"], SCHEMAS["gemini-2.5-image"]


@pytest.mark.parametrize("seed", [0, -1, INT32_MAX, INT32_MAX + 1, 2**63, -(2**63) - 5])
def test_a_seed_always_fits_the_field(seed: int) -> None:
    config = generate_content(ImageRequest("m", "p", seed=seed), NEW)["generationConfig"]
    assert isinstance(config, dict)
    sent = config["seed"]
    assert -INT32_MAX - 1 <= sent <= INT32_MAX
    if abs(seed) <= INT32_MAX:
        assert sent == seed


def test_nothing_asked_sends_no_image_config() -> None:
    config = generate_content(ImageRequest("m", "p", resolution=None), NEW)["generationConfig"]
    assert config == {"responseModalities": ["TEXT", "IMAGE"]}


def test_input_images_that_were_uploaded_are_named_and_the_others_sent() -> None:
    request = ImageRequest("m", "p", images=(MemoryBlob(b"a", "image/png"), MemoryBlob(b"b"), MemoryBlob(b"c")))
    body: Any = generate_content(request, NEW, uploaded={1: "https://google.test/files/1"})
    first, second, third, prompt = body["contents"][0]["parts"]
    assert first["inlineData"]["mimeType"] == "image/png"
    assert second == {"fileData": {"mimeType": "image/png", "fileUri": "https://google.test/files/1"}}
    assert isinstance(third["inlineData"]["data"], AsBase64)
    assert prompt == {"text": "p"}


@pytest.mark.parametrize("value", [None, ""])
def test_a_system_prompt_that_says_nothing_is_left_out(value: str | None) -> None:
    assert "systemInstruction" not in generate_content(ImageRequest("m", "p", system_prompt=value), NEW)


@pytest.mark.parametrize(("wanted", "schema", "shown"), [(2, NEW, True), (0, NEW, False), (2, OLD, False)])
def test_thoughts_are_shown_where_they_are_wanted_and_there_are_any(wanted: int, schema: Schema, shown: bool) -> None:
    request = ImageRequest("m", "p", partial_images=wanted)
    assert shows_thoughts(request, schema) is shown
    config: Any = generate_content(request, schema)["generationConfig"]
    assert config.get("thinkingConfig") == ({"includeThoughts": True} if shown else None)
