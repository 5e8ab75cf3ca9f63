"""Inline blobs: decoded late, and damaged ones say so."""

from __future__ import annotations

import base64

import pytest

from providers.spec.blob import BlobDamagedError, InlineBlob


@pytest.mark.parametrize("content", [b"", b"a", b"ab", b"abc", b"abcd", bytes(range(256))])
def test_an_inline_blob_knows_its_length_before_it_is_decoded(content: bytes) -> None:
    blob = InlineBlob(base64.b64encode(content).decode())
    assert blob.length == len(content)
    assert blob.read() == content
    assert blob.base64() == base64.b64encode(content)


@pytest.mark.parametrize(
    "text", ["a", "ab*c", "YWJj\n", "YWI", "Zoë=", "\ud800", "====", "YWJj=", "YWJj====", "YWI==="]
)
def test_a_damaged_inline_blob_is_found_when_it_is_read(text: str) -> None:
    blob = InlineBlob(text)
    assert blob.length >= 0
    with pytest.raises(BlobDamagedError):
        blob.read()


@pytest.mark.parametrize("text", ["Zoë=", "ab*c", "YWI"])
def test_text_that_cannot_be_base64_is_not_passed_on_as_such(text: str) -> None:
    with pytest.raises(BlobDamagedError):
        InlineBlob(text).base64()


def test_image_data_stays_out_of_reprs() -> None:
    assert "YWJj" not in repr(InlineBlob("YWJj"))
