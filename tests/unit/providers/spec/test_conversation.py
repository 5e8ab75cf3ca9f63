"""A JSON body with blobs in it is, byte for byte on the wire, JSON; and a reply is read without surprises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.blobs import MemoryBlob
from providers.spec.conversation import BLOB_KEY, AsBase64, BodyPart, Raw, Reply, json_body
from tests.base64_text import text_of

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.builds(
        AsBase64,
        st.binary(max_size=40).map(MemoryBlob),
        st.sampled_from(["", "data:image/png;base64,", 'a "quoted" prefix\\', "é\n"]),
    )
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


def plain(value: Any) -> Any:
    if isinstance(value, AsBase64):
        return value.prefix + text_of(value.blob.base64()).decode()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def wire(parts: tuple[BodyPart, ...]) -> bytes:
    pieces = []
    for part in parts:
        if isinstance(part, AsBase64):
            pieces.append(part.prefix.encode() + text_of(part.blob.base64()))
        elif isinstance(part, Raw):
            pieces.append(part.blob.read())
        else:
            pieces.append(part)
    return b"".join(pieces)


@given(documents)
def test_a_document_with_blobs_goes_out_as_the_json_it_stands_for(document: Any) -> None:
    assert wire(json_body(document)) == json.dumps(plain(document), separators=(",", ":")).encode()


def test_a_document_without_blobs_is_one_part() -> None:
    assert json_body({"a": [1, 2, {"b": None}]}) == (b'{"a":[1,2,{"b":null}]}',)


def test_a_blob_is_a_part_of_its_own_and_is_not_read() -> None:
    class Unread(MemoryBlob):
        def pieces(self) -> Iterator[bytes]:
            yield self.read()

        def base64(self) -> bytes:
            raise AssertionError("a body was built by reading a blob")

    before, part, after = json_body({"image": AsBase64(Unread(b"x"))})
    assert (before, after) == (b'{"image":"', b'"}')
    assert isinstance(part, AsBase64)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 200_000, b'{"a":', b"\x00", b'"\\ud800'])
def test_a_body_that_is_not_json_is_a_value_error_and_nothing_else(body: bytes) -> None:
    with pytest.raises(ValueError):
        Reply(200, {}, body).json()


@pytest.mark.parametrize("index", [1, -1, "0", None, 0.0])
def test_a_vendor_cannot_point_to_a_blob_that_is_not_there(index: object) -> None:
    body = json.dumps({"a": {BLOB_KEY: index}}).encode()
    assert Reply(200, {}, body, (MemoryBlob(b"x"),)).json() == {"a": {BLOB_KEY: index}}
