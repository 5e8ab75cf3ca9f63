"""Inline images: decoded late, and damaged ones say so."""

from __future__ import annotations

import base64

import pytest

from providers.google_dialect.inline import InlineBlob, Labelled
from providers.spec.blob import BlobDamagedError


@pytest.mark.parametrize("content", [b"", b"a", b"ab", b"abc", b"abcd", bytes(range(256))])
def test_an_inline_blob_knows_its_length_before_it_is_decoded(content: bytes) -> None:
    blob = InlineBlob(base64.b64encode(content).decode())
    assert blob.length == len(content)
    assert blob.read() == content
    assert blob.base64() == base64.b64encode(content)


@pytest.mark.parametrize("text", ["a", "ab*c", "YWJj\n", "YWI", "Zoë=", "\ud800", "===="])
def test_a_damaged_inline_blob_is_found_when_it_is_read(text: str) -> None:
    blob = InlineBlob(text)
    assert blob.length >= 0
    with pytest.raises(BlobDamagedError):
        blob.read()


def test_text_that_cannot_be_base64_is_not_passed_on_as_such() -> None:
    with pytest.raises(BlobDamagedError):
        InlineBlob("Zoë=").base64()


def test_a_label_changes_the_media_type_and_nothing_else() -> None:
    blob = Labelled(InlineBlob("YWJj"), "image/png")
    assert (blob.media_type, blob.length, blob.read(), blob.base64()) == ("image/png", 3, b"abc", b"YWJj")


def test_image_data_stays_out_of_reprs() -> None:
    assert "YWJj" not in repr(InlineBlob("YWJj"))
