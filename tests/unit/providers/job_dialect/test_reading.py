"""Reading replies about jobs: odd bodies, links that are none, and the shapes a picture comes in."""

from __future__ import annotations

import pytest

from providers.job_dialect.reading import (
    UnreadableError,
    data_url,
    image_type,
    link,
    linked,
    object_if_any,
    object_in,
    path_segment,
    picture,
)
from providers.spec.blob import InlineBlob
from providers.spec.conversation import AsBase64, HttpCall, Reply, Trust
from tests.contract.driving import Picture, json_reply

PNG = Picture(b"a picture")
NO_LINKS: tuple[object, ...] = (
    "ftp://x/y",
    "/relative",
    "",
    "https://x/a b",
    "https://x/\n",
    "https://x/ö",
    "javascript:x",
    None,
    7,
    [],
)


@pytest.mark.parametrize("body", [b"", b"[1]", b"null", b'"text"', b"<html>", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_unreadable_or_empty(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        object_in(Reply(200, {}, body))
    assert object_if_any(Reply(500, {}, body)) == {}


def test_an_object_is_read_whatever_the_status() -> None:
    for status in (200, 404, 502):
        assert object_in(json_reply({"a": 1}, status)) == object_if_any(json_reply({"a": 1}, status)) == {"a": 1}


def test_a_link_goes_before_the_job_s_own_path_and_counts_as_read_out_of_a_reply() -> None:
    assert linked("PUT", "https://x/y?z=1", "/own", "/cancel") == HttpCall("PUT", "https://x/y?z=1", Trust.RESPONSE)


@pytest.mark.parametrize("link", NO_LINKS)
def test_without_a_usable_link_the_job_s_own_path_is_called(link: object) -> None:
    assert linked("PUT", link, "/own", "/cancel") == HttpCall("PUT", "/own/cancel")
    with pytest.raises(UnreadableError):
        linked("PUT", link, "", "/cancel")


def test_a_link_is_taken_as_it_is_and_anything_else_is_unreadable() -> None:
    assert link("https://x/y?z=%2F") == "https://x/y?z=%2F"
    for odd in NO_LINKS:
        with pytest.raises(UnreadableError):
            link(odd)


def test_an_id_cannot_leave_its_path_segment() -> None:
    assert path_segment("../x?y#z%") == "..%2Fx%3Fy%23z%25"


@pytest.mark.parametrize("odd", ["", "a b", "ö", "a\n", None, 7, {"id": "x"}])
def test_what_is_no_id_makes_no_path_segment(odd: object) -> None:
    assert path_segment(odd) == ""


def test_a_picture_is_a_blob_a_link_or_nothing() -> None:
    assert picture(PNG) is PNG
    assert picture("https://x/y.png") == "https://x/y.png"
    assert picture("DATA:Image/WebP;base64,dGlueQ==") == InlineBlob("dGlueQ==", "image/webp")


@pytest.mark.parametrize("odd", [*NO_LINKS, "data:image/png", True, 1.5, {}])
def test_what_names_no_picture_is_none(odd: object) -> None:
    assert picture(odd) is None


def test_an_input_image_of_doubtful_type_is_called_png() -> None:
    for claimed in ("", "text/html", 'image/png";x="', "IMAGE/PNG"):
        image = Picture(b"x", claimed)
        assert image_type(image) == "image/png"
        assert data_url(image) == AsBase64(image, "data:image/png;base64,")
    assert data_url(Picture(b"x", "image/webp")).prefix == "data:image/webp;base64,"
