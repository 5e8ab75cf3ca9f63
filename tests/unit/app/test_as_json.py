"""JSON as it is written for every request."""

from __future__ import annotations

import json

import pytest

from app.as_json import as_json


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.5, True, None, 'ü \U0001f98a \n " \u2028'], "b": {"c": ""}},
        "half of a pair: \ud800",
        [1e300, -0.0],
    ],
)
def test_it_reads_as_what_was_written(value: object) -> None:
    assert json.loads(as_json(value)) == value


def test_what_is_no_json_is_made_something_else() -> None:
    assert json.loads(as_json({"a": object()}, default=lambda value: type(value).__name__)) == {"a": "object"}
    with pytest.raises(TypeError):
        as_json({"a": object()})
