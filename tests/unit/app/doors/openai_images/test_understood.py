"""Orders recalled: what a body was understood as lately, with another prompt."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.orders import Order, models_of, order_of, parsed, recalled, remember
from app.doors.openai_images.schema import MAX_PROMPT_CHARS
from app.doors.openai_images.understood import gist_of
from app.recent import Recent
from app.services import Services
from providers.spec.blob import InlineBlob
from providers.spec.request import ImageRequest
from tests.unit.app.catalog.shipped import NB2
from tests.unit.app.doors.traffic import CATALOG


def services() -> Services:
    own = SimpleNamespace(catalog=CATALOG, default_model=NB2, output_format=None, understood=Recent(8))
    return cast("Services", own)


def anew(own: Services, document: dict[str, Any]) -> Order:
    body = parsed(own, document, editing=False)
    return order_of(own, body, models_of(own, body))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from([NB2, f"fal/{NB2}", f"{NB2}:floor", "dall-e-3", None]),
        "n": st.sampled_from([1, 2, "2", 1.0, 0, True]),
        "size": st.sampled_from(["1024x1024", "auto", "4K", "1000x700", "16:9", ""]),
        "aspect_ratio": st.sampled_from(["1:1", "16:9", "7:1"]),
        "resolution": st.sampled_from(["1K", "2K", "512"]),
        "quality": st.sampled_from(["auto", "hd"]),
        "response_format": st.sampled_from(["url", "b64_json", "png"]),
        "output_format": st.sampled_from(["png", "webp", "jpeg"]),
        "output_compression": st.sampled_from([80, "80", 80.0]),
        "background": st.sampled_from(["auto", "opaque", "transparent"]),
        "moderation": st.sampled_from(["low", "auto"]),
        "stream": st.sampled_from([True, False, "true", 1]),
        "partial_images": st.sampled_from([0, 2]),
        "timeout": st.sampled_from([30, 30.5, "30"]),
        "user": st.text(max_size=5),
    },
)


@given(FIELDS, st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_an_order_that_is_recalled_is_the_one_that_would_be_understood(
    fields: dict[str, Any], first: str, second: str
) -> None:
    own = services()
    try:
        order = anew(own, {"prompt": first, **fields})
    except ApiError:
        return
    gist = gist_of({"prompt": first, **fields})
    assert gist is not None
    assert recalled(own, gist, second) is None
    remember(own, gist, order)
    again = gist_of({**fields, "prompt": second})
    assert again == gist
    assert recalled(own, gist, second) == anew(own, {"prompt": second, **fields})


@pytest.mark.parametrize(
    ("one", "other"),
    [({"n": 1}, {"n": True}), ({"n": 1}, {"n": 1.0}), ({"n": 1}, {"n": "1"}), ({"size": "1K"}, {"resolution": "1K"})],
)
def test_what_json_tells_apart_is_told_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert gist_of({"prompt": "fox", **one}) != gist_of({"prompt": "fox", **other})


def test_who_asks_is_no_part_of_it() -> None:
    said = {"prompt": "fox", "model": NB2}
    assert gist_of({**said, "user": "a", "api_key": "secret"}) == gist_of({**said, "user": "b"}) == gist_of(said)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"prompt": ""},
        {"prompt": 5},
        {"prompt": "x" * (MAX_PROMPT_CHARS + 1)},
        {"prompt": "fox", "seed": 5},
        {"prompt": "fox", "image": InlineBlob("")},
        {"prompt": "fox", "size": {"width": 5}},
        {"prompt": "fox", "size": "1024x1024" + " " * 60},
        {"prompt": "fox", "negative_prompt": "dog"},
        {"prompt": "fox", "a field that nobody knows": 1},
    ],
)
def test_other_bodies_are_understood_anew(document: dict[str, Any]) -> None:
    assert gist_of(document) is None


def test_no_prompt_is_kept() -> None:
    own = services()
    document = {"prompt": "a secret fox", "model": NB2}
    gist = gist_of(document)
    assert gist is not None
    remember(own, gist, anew(own, document))
    kept = own.understood.get(gist)
    assert kept is not None
    assert not any(isinstance(each, ImageRequest) for each in gc.get_referents(*kept[0]))
    assert "secret" not in repr([choice.request for choice in kept[0]])
