"""The generateContent body: what the golden files do not show."""

from __future__ import annotations

import pytest

from providers.google_dialect.wire import INT32_MAX, SCHEMAS, generate_content, unmet_wishes
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


def test_wishes_that_cannot_be_worded_are_warned_of() -> None:
    request = ImageRequest("m", "p", thinking="high", extras={"negative_prompt": "rain"})
    assert [warning.parameter for warning in unmet_wishes(request, OLD)] == ["negative_prompt", "thinking_level"]
    assert [warning.parameter for warning in unmet_wishes(request, NEW)] == ["negative_prompt"]
    assert unmet_wishes(ImageRequest("m", "p"), OLD) == ()


@pytest.mark.parametrize("value", [None, "", 7, ["x"]])
def test_a_system_prompt_that_is_no_text_is_left_out(value: object) -> None:
    assert "systemInstruction" not in generate_content(ImageRequest("m", "p", extras={"system_prompt": value}), NEW)
