"""Options for one vendor alone: passed on where they are free, refused where the gateway says the same thing itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.fields import Fields
from app.doors.openai_images.provider_options import take_provider_options
from providers.blobs import MemoryBlob
from providers.registry import PROVIDERS, reserved_options


def taken(said: Any, name: str = "provider_options") -> dict[str, dict[str, object]]:
    options = take_provider_options(Fields({name: said}), providers=PROVIDERS)
    return {provider: dict(own) for provider, own in options.items()}


def refused(said: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        taken(said)
    return caught.value


def test_options_are_kept_as_they_are_said() -> None:
    said = {"fal": {"enable_safety_checker": True, "loras": [{"path": "x"}]}, "gemini": {}}
    assert taken(said) == said
    assert taken(json.dumps(said), "providerOptions") == said
    assert taken(None) == {}


@pytest.mark.parametrize("said", [[], 5, {"openai": {}}, {"fal": 5}, {"fal": {"x": MemoryBlob(b"file")}}])
def test_what_is_no_such_object_is_refused(said: Any) -> None:
    assert refused(said).param.startswith("provider_options")


def test_they_are_bounded() -> None:
    assert "64" in refused({"fal": {"x": "y" * 70_000}}).message.replace("65,536", "64")


@pytest.mark.parametrize(
    ("provider", "path"), [(name, path) for name in PROVIDERS for path in sorted(reserved_options()[name])]
)
def test_what_the_gateway_says_itself_is_reserved(provider: str, path: str) -> None:
    options: Any = 1
    for key in reversed(path.split(".")):
        options = {key: options}
    assert refused({provider: options}).code == "unsupported_value"


def test_another_spelling_does_not_slip_through() -> None:
    assert refused({"gemini": {"generation_config": {"candidate_count": 4}}}).code == "unsupported_value"
