"""A caller's own fields: passed on, refused by name when they are the gateway's, refused when they are no JSON."""

from __future__ import annotations

import pytest

from providers.job_dialect.options import with_options
from providers.spec.errors import Fault, ProviderError, Spend

RESERVED = frozenset({"prompt", "seed"})


def refused(options: dict[str, object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        with_options({"prompt": "a fox"}, options, RESERVED, "fal")
    error = caught.value
    assert (error.fault, error.spend, error.parameter) == (Fault.UNSUPPORTED, Spend.NONE, "provider_options")
    return error


def test_fields_are_passed_on_as_they_are_and_rule_over_defaults() -> None:
    given = {"steps": 4, "deep": {"a": [None, 1.5]}}
    assert with_options({"prompt": "a fox", "steps": 1}, given, RESERVED, "fal") == {"prompt": "a fox", **given}
    assert with_options({"prompt": "a fox"}, {}, RESERVED, "fal") == {"prompt": "a fox"}


def test_what_was_handed_in_is_left_as_it_was() -> None:
    document: dict[str, object] = {"prompt": "a fox"}
    with_options(document, {"steps": 4}, RESERVED, "fal")
    assert document == {"prompt": "a fox"}


def test_every_reserved_field_is_named_and_nothing_else_of_the_callers() -> None:
    error = refused({"seed": 1, "prompt": "my secret", "steps": 4})
    assert "prompt, seed" in error.message
    assert "secret" not in error.message
    assert "steps" not in error.message


@pytest.mark.parametrize("value", [float("inf"), b"bytes", {1, 2}, [object()]])
def test_what_json_has_no_words_for_is_refused(value: object) -> None:
    refused({"mine": value})


def test_what_is_nested_without_end_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    refused({"mine": endless})
