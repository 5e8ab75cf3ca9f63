"""Names with brackets become the document the client meant; names that mean nothing are refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.form import MAX_BRACKETS, MAX_NAME_CHARS, nested

UNDERSTOOD: list[tuple[list[tuple[str, Any]], dict[str, Any]]] = [
    ([], {}),
    ([("prompt", "a fox"), ("n", "2")], {"prompt": "a fox", "n": "2"}),
    ([("image_config[aspect_ratio]", "1:1")], {"image_config": {"aspect_ratio": "1:1"}}),
    ([("svg[reasoning][effort]", "low"), ("svg[model]", "m")], {"svg": {"reasoning": {"effort": "low"}, "model": "m"}}),
    ([("provider[only][]", "fal"), ("provider[only][]", "x")], {"provider": {"only": ["fal", "x"]}}),
    ([("tags[]", "a")], {"tags": ["a"]}),
    ([("tags[]", "a"), ("tags[]", "b")], {"tags": ["a", "b"]}),
    ([("tag", "a"), ("tag", "b")], {"tag": ["a", "b"]}),
    (
        [("loras[][path]", "a"), ("loras[][path]", "b"), ("loras[][scale]", "1"), ("loras[][scale]", "2")],
        {"loras": [{"path": "a", "scale": "1"}, {"path": "b", "scale": "2"}]},
    ),
    (
        [("loras[][path]", "a"), ("loras[][scale]", "1"), ("loras[][path]", "b")],
        {"loras": [{"path": "a", "scale": "1"}, {"path": "b"}]},
    ),
    ([("a[1]", "second"), ("a[0]", "first")], {"a": ["first", "second"]}),
    ([("a[999999999]", "z"), ("a[7]", "y")], {"a": ["y", "z"]}),
    ([("a[0][b]", "1"), ("a[1][b]", "2"), ("a[0][c]", "3")], {"a": [{"b": "1", "c": "3"}, {"b": "2"}]}),
    ([("a[0][]", "1"), ("a[0][]", "2")], {"a": [["1", "2"]]}),
    ([("loras[][tags][]", "x")], {"loras": [{"tags": ["x"]}]}),
    ([("images[][image_url]", "u"), ("images[]", "v")], {"images": [{"image_url": "u"}, "v"]}),
    ([("image_url[url]", "u")], {"image_url": {"url": "u"}}),
    ([("a[b", "1"), ("a]b", "2"), ("[x]", "3"), ("a[b]c", "4")], {"a[b": "1", "a]b": "2", "[x]": "3", "a[b]c": "4"}),
]


@pytest.mark.parametrize(("parts", "document"), UNDERSTOOD, ids=lambda value: str(value)[:40])
def test_parts_become_the_document_that_was_meant(parts: list[tuple[str, Any]], document: dict[str, Any]) -> None:
    assert nested(parts) == document


def test_images_keep_the_order_in_which_they_came_however_they_are_numbered() -> None:
    names = ["image[2]", "image", "image[]", "image[0]", "image[0]"]
    assert nested([(name, place) for place, name in enumerate(names)]) == {"image": [0, 1, 2, 3, 4]}


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a[b]"],
        ["a[b]", "a"],
        ["a[]", "a[b]"],
        ["a[]", "a[0]"],
        ["a[0]", "a[]"],
        ["a[0]", "a[0]"],
        ["a[0][b]", "a[0]"],
        ["a[b][c]", "a[b]"],
        ["a[][]"],
        ["loras[][tags][]", "loras[][tags][]"],
        ["a" + "[b]" * (MAX_BRACKETS + 1)],
        ["x" * (MAX_NAME_CHARS + 1)],
    ],
)
def test_names_that_contradict_each_other_or_go_too_far_are_refused_by_name(names: list[str]) -> None:
    with pytest.raises(ParameterError) as refused:
        nested([(name, "x") for name in names])
    assert refused.value.param[:4] == names[-1][:4]
    assert refused.value.status == 400
    assert len(refused.value.message) < 250


def test_a_part_without_a_name_is_refused() -> None:
    with pytest.raises(ParameterError, match="no name"):
        nested([("", "x")])


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


NAMES = st.one_of(
    st.text(alphabet="ab[]01 ", max_size=12),
    st.builds(
        lambda root, inner: root + "".join(f"[{each}]" for each in inner),
        st.sampled_from(["a", "b", "image"]),
        st.lists(st.sampled_from(["", "0", "1", "x", "y"]), max_size=3),
    ),
)


@given(st.lists(NAMES, max_size=12))
def test_whatever_the_names_every_value_is_in_the_document_once_or_they_are_refused(names: list[str]) -> None:
    try:
        document = nested(list(zip(names, range(len(names)), strict=True)))
    except ParameterError:
        return
    assert sorted(leaves(document)) == list(range(len(names)))


OBJECTS = st.recursive(
    st.integers(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, min_size=1, max_size=3),
    ),
    max_leaves=12,
)


def spelled(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [part for key, item in value.items() for part in spelled(f"{name}[{key}]", item)]
    if isinstance(value, list):
        return [part for place, item in enumerate(value) for part in spelled(f"{name}[{place}]", item)]
    return [(name, value)]


@given(OBJECTS)
def test_what_is_spelled_out_with_numbers_comes_back_as_it_was(value: Any) -> None:
    name = "a"
    parts = spelled(name, value)
    if any(part.count("[") > MAX_BRACKETS for part, _ in parts):
        return
    assert json.dumps(nested(parts)) == json.dumps({name: value})
