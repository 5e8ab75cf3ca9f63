"""A caller's own fields: merged object by object, and none that the gateway keeps for itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.google_dialect.options import RESERVED_OPTIONS, with_options
from providers.registry import PROVIDERS, reserved_options
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest

BODY: dict[str, object] = {
    "contents": ["the prompt"],
    "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"imageSize": "2K"}},
}


def nested(path: str, value: object) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


def snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def refused(options: dict[str, Any]) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        with_options(BODY, options, "Google")
    assert (raised.value.fault, raised.value.parameter) == (Fault.UNSUPPORTED, "provider_options")
    return raised.value


@pytest.mark.parametrize("path", sorted(RESERVED_OPTIONS))
@pytest.mark.parametrize("value", [None, {}, {"a": 1}, [], 2])
def test_no_reserved_field_gets_through_in_either_spelling(path: str, value: object) -> None:
    refused(nested(path, value))
    refused(nested(snake(path), value))


@pytest.mark.parametrize("value", [None, [], "x", 0])
def test_an_object_that_holds_reserved_fields_cannot_be_replaced_whole(value: object) -> None:
    refused({"generationConfig": value})
    refused({"generation_config": {"image_config": value}})


def test_options_are_merged_object_by_object_whatever_their_spelling() -> None:
    options = {
        "generation_config": {"temperature": 0.2, "imageConfig": {"personGeneration": "ALLOW_ALL"}},
        "labels": {"team_name": "a"},
    }
    merged = with_options(BODY, options, "Google")
    assert merged == {
        "contents": ["the prompt"],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"imageSize": "2K", "personGeneration": "ALLOW_ALL"},
            "temperature": 0.2,
        },
        "labels": {"team_name": "a"},
    }
    assert BODY["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"imageSize": "2K"}}


def test_what_json_cannot_say_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": [deep]}
    for options in ({"a": b"x"}, {"a": float("nan")}, {"a": {1, 2}}, {"labels": deep}):
        refused(options)


words = st.sampled_from([*"ab", "generationConfig", "image_config", "imageSize", "temperature", "contents", "seed"])
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(words, values, max_size=3))
def test_whatever_is_given_the_gateways_own_fields_stay_as_they_are(options: dict[str, Any]) -> None:
    try:
        merged: Any = with_options(BODY, options, "Google")
    except ProviderError:
        return
    assert merged["contents"] == BODY["contents"]
    assert merged["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
    assert merged["generationConfig"]["imageConfig"]["imageSize"] == "2K"


def test_every_provider_says_what_it_reserves() -> None:
    assert list(reserved_options()) == list(PROVIDERS)
    assert all(reserved_options().values())
    assert reserved_options()["gemini"] == reserved_options()["vertex"] == RESERVED_OPTIONS


def test_options_are_no_part_of_what_a_request_shows() -> None:
    assert "secret-1" not in repr(ImageRequest("m", "p", provider_options={"gemini": {"labels": {"a": "secret-1"}}}))
