"""Labels: a blob under the media type that stood beside it."""

from __future__ import annotations

from providers.google_dialect.inline import Labelled
from providers.spec.blob import InlineBlob


def test_a_label_changes_the_media_type_and_nothing_else() -> None:
    blob = Labelled(InlineBlob("YWJj"), "image/png")
    assert (blob.media_type, blob.length, blob.read(), blob.base64()) == ("image/png", 3, b"abc", b"YWJj")
