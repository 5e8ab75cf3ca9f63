"""Lenient reading: what counts as absent, as a number, as a flag; and what is not JSON at all."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.fields import MAX_DEPTH, Fields, parse_object

NOT_JSON = [
    b"", b"   ", b"{", b"hello", b"{'a': 1}", b"[]", b'"text"', b"null", b"1", b'{"a": NaN}', b'{"a": -Infinity}',
    b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": ' + b"[" * 100_000, b'{"a":' * 50_000,
    b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", b'{"prompt": "\xff"}', '{"a": 1}'.encode("utf-16"), b'{"a": "\x00"}',
    b'{"a": 1} trailing',
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:20]))
def test_what_is_no_json_object_is_a_400_that_names_the_body(body: bytes) -> None:
    with pytest.raises(ParameterError) as refused:
        parse_object(body)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, "body", "invalid_json")
    assert len(refused.value.message) < 250


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(ParameterError):
        assert isinstance(parse_object(body), dict)


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"a": 1}', b' {"a": 2, "a": 1} ', b'{"a": 1}\n'])
def test_a_byte_order_mark_spaces_and_duplicate_keys_are_forgiven(body: bytes) -> None:
    assert parse_object(body) == {"a": 1}


def test_nesting_up_to_the_limit_is_read() -> None:
    depth = MAX_DEPTH - 1
    assert parse_object(b'{"a": ' + b"[" * depth + b"]" * depth + b"}")
    with pytest.raises(ParameterError):
        parse_object(b'{"a": ' + b"[" * (depth + 1) + b"]" * (depth + 1) + b"}")


@pytest.mark.parametrize("body", [rb'{"prompt": "a \ud83d"}', rb'{"prompt": ["\uDE00 x"]}'])
def test_half_a_surrogate_pair_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(ParameterError) as refused:
        parse_object(body)
    assert (refused.value.param, refused.value.code) == ("prompt", "invalid_value")


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_object(rb'{"prompt": "\ud83d\ude00"}') == {"prompt": "😀"}


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_every_valid_object_comes_back_as_it_was(document: dict[str, object]) -> None:
    try:
        encoded = json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return
    assert parse_object(encoded) == document


@pytest.mark.parametrize("absent", [{}, {"n": None}, {"n": ""}, {"n": "  "}])
def test_missing_null_and_empty_are_absent(absent: dict[str, object]) -> None:
    fields = Fields(absent)
    assert fields.integer(1, 10, "n") is None
    assert fields.rest() == {}


@pytest.mark.parametrize("value", [3, "3", " 3 ", 3.0, "3.0", "+3"])
def test_a_whole_number_may_come_as_text(value: object) -> None:
    assert Fields({"n": value}).integer(1, 10, "n") == 3


@pytest.mark.parametrize("value", [0, 11, 1.5, "1.5", "three", "1_0", "٣", True, [3], {"n": 3}, 10**30, "9" * 5000])
def test_anything_else_is_no_whole_number_in_range(value: object) -> None:
    with pytest.raises(ParameterError) as refused:
        Fields({"n": value}).integer(1, 10, "n")
    assert refused.value.param == "n"
    assert "1 to 10" in refused.value.message


@pytest.mark.parametrize(("value", "flag"), [(True, True), ("false", False), ("TRUE", True), (1, True), ("0", False)])
def test_a_flag_may_come_as_text_or_digit(value: object, flag: bool) -> None:
    assert Fields({"stream": value}).flag("stream") is flag


@pytest.mark.parametrize("value", ["maybe", 2, [], {}, 1.0])
def test_anything_else_is_no_flag(value: object) -> None:
    with pytest.raises(ParameterError) as refused:
        Fields({"stream": value}).flag("stream")
    assert refused.value.param == "stream"


@pytest.mark.parametrize(("value", "seconds"), [(30, 30.0), (0.5, 0.5), ("12.5", 12.5), ("600", 600.0)])
def test_seconds_may_come_as_text(value: object, seconds: float) -> None:
    assert Fields({"timeout": value}).seconds(600, "timeout") == seconds


@pytest.mark.parametrize("value", [0, -1, 601, "600.1", "inf", "nan", "1e2", True, [1]])
def test_anything_else_is_no_number_of_seconds_in_range(value: object) -> None:
    with pytest.raises(ParameterError) as refused:
        Fields({"timeout": value}).seconds(600, "timeout")
    assert "600" in refused.value.message


def test_synonyms_that_agree_are_one_and_the_callers_spelling_is_kept() -> None:
    fields = Fields({"outputFormat": "png", "output_format": "png", "other": 1})
    assert fields.take("output_format", "outputFormat") == ("output_format", "png")
    assert fields.rest() == {"other": 1}
    assert Fields({"outputFormat": "png"}).take("output_format", "outputFormat") == ("outputFormat", "png")


@pytest.mark.parametrize("second", ["jpeg", 1])
def test_synonyms_that_differ_are_refused(second: object) -> None:
    with pytest.raises(ParameterError) as refused:
        Fields({"a": True, "b": second}).take("a", "b")
    assert refused.value.param == "b"
