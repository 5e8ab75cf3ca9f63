"""Input images and masks, in every shape clients send them."""

from __future__ import annotations

from typing import Any

import pytest

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.fields import Fields
from app.doors.openai_images.references import refuse_markup, take_images, take_mask
from providers.blobs import MemoryBlob

FILE = MemoryBlob(b"file")
OTHER = MemoryBlob(b"other")
URL = "https://example.com/a.png"
IMAGE = {"type": "image_url", "image_url": {"url": URL}}


def taken(**document: Any) -> list[tuple[str, object]]:
    return [(source.param, source.content) for source in take_images(Fields(document))]


def refused(**document: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        take_images(Fields(document))
    return caught.value


@pytest.mark.parametrize(
    ("document", "sources"),
    [
        ({"image": FILE}, [("image", FILE)]),
        ({"image": URL}, [("image", URL)]),
        ({"image": [FILE, OTHER]}, [("image[0]", FILE), ("image[1]", OTHER)]),
        ({"images": [{"image_url": URL}]}, [("images[0].image_url", URL)]),
        ({"images": [{"image_url": FILE}, FILE]}, [("images[0].image_url", FILE), ("images[1]", FILE)]),
        ({"image_url": {"url": URL}}, [("image_url.url", URL)]),
        ({"input_references": [IMAGE]}, [("input_references[0].image_url.url", URL)]),
        ({"image": FILE, "images": [OTHER]}, [("image", FILE), ("images[0]", OTHER)]),
        ({"image": []}, []),
        ({"image": ["", None]}, []),
        ({"images": [{}]}, []),
        ({}, []),
    ],
)
def test_images_come_in_many_shapes(document: dict[str, Any], sources: list[tuple[str, object]]) -> None:
    assert taken(**document) == sources


@pytest.mark.parametrize("value", [7, True, [7], {"image_url": 7}, {"a": 1}, {"image_url": URL, "file_id": "f"}])
def test_what_is_no_image_is_refused_by_name(value: Any) -> None:
    assert refused(image=value).param.startswith("image")


def test_files_kept_elsewhere_are_refused_with_what_to_do() -> None:
    error = refused(images=[{"file_id": "file-1"}])
    assert (error.param, error.code) == ("images[0].file_id", "unsupported_value")
    assert "URL" in error.message


def test_there_may_be_sixteen() -> None:
    assert len(taken(image=[FILE] * 16)) == 16
    assert refused(image=[FILE] * 17).message == "At most 16 input images; these are 17."


@pytest.mark.parametrize("mask", [FILE, {"image_url": FILE}, [FILE]])
def test_a_mask_is_one_image(mask: Any) -> None:
    source = take_mask(Fields({"mask": mask}))
    assert source is not None
    assert source.content is FILE
    assert source.param.startswith("mask")


def test_no_mask_is_none_and_two_are_too_many() -> None:
    assert take_mask(Fields({"mask": {}})) is None
    assert take_mask(Fields({})) is None
    with pytest.raises(ParameterError):
        take_mask(Fields({"mask": [FILE, OTHER]}))


def test_markup_is_refused_and_not_dropped() -> None:
    with pytest.raises(ParameterError) as caught:
        refuse_markup(Fields({"markup": FILE}))
    assert "mask" in caught.value.message
