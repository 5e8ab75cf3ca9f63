"""Events as bytes: one name, one line of JSON, an empty line; the image untouched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
)
from pydantic import BaseModel

from app.doors.openai_images.errors import ApiError, ParameterError
from app.doors.openai_images.sse import (
    HEARTBEAT,
    Event,
    Kind,
    completed_parts,
    error_parts,
    may_end,
    partial_parts,
)
from tests.base64_text import joined

LOOKS: Mapping[str, Any] = {
    "created": 1_795_000_000,
    "size": "1264x848",
    "quality": "high",
    "background": "opaque",
    "output_format": "png",
}
USAGE = {
    "total_tokens": 1210,
    "input_tokens": 10,
    "output_tokens": 1200,
    "input_tokens_details": {"text_tokens": 8, "image_tokens": 2},
}


def read(event: Event) -> tuple[str, dict[str, Any]]:
    """Name and data; fails unless the event is exactly two lines and an empty one."""
    name, data, *rest = joined(event).decode("ascii").split("\n")
    assert rest == ["", ""]
    assert name.startswith("event: ")
    assert data.startswith("data: ")
    document: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return name.removeprefix("event: "), document


def partial(kind: Kind = Kind.GENERATION) -> Event:
    return partial_parts(kind, base64=b"YWJj", index=1, **LOOKS)


@pytest.mark.parametrize(
    ("kind", "partial_type", "completed_type"),
    [
        (Kind.GENERATION, ImageGenPartialImageEvent, ImageGenCompletedEvent),
        (Kind.EDIT, ImageEditPartialImageEvent, ImageEditCompletedEvent),
    ],
)
def test_both_families_pass_the_official_types_strictly(
    kind: Kind, partial_type: type[BaseModel], completed_type: type[BaseModel]
) -> None:
    name, data = read(partial(kind))
    assert name == data["type"] == f"{kind.value}.partial_image"
    partial_type.model_validate(data, strict=True)
    name, data = read(completed_parts(kind, base64=b"YWJj", **LOOKS))
    assert name == data["type"] == f"{kind.value}.completed"
    completed_type.model_validate(data, strict=True)


def test_a_partial_image_has_its_index_and_looks() -> None:
    assert read(partial())[1] == {
        "type": "image_generation.partial_image",
        "created_at": 1_795_000_000,
        "size": "1264x848",
        "quality": "high",
        "background": "opaque",
        "output_format": "png",
        "partial_image_index": 1,
        "b64_json": "YWJj",
    }


def test_a_completed_image_carries_usage_and_metadata() -> None:
    _, data = read(completed_parts(Kind.EDIT, base64=b"YWJj", usage=USAGE, metadata={"provider": "fal"}, **LOOKS))
    assert data["usage"] == USAGE
    assert data["metadata"] == {"provider": "fal"}
    assert data["b64_json"] == "YWJj"


@pytest.mark.parametrize("usage", [None, {}])
def test_usage_is_all_zeros_when_the_vendor_counted_nothing(usage: Mapping[str, object] | None) -> None:
    _, data = read(completed_parts(Kind.GENERATION, base64=b"YWJj", usage=usage, **LOOKS))
    assert data["usage"] == {
        "total_tokens": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
    }
    assert "metadata" not in data


def test_a_url_stands_in_the_place_of_the_base64() -> None:
    _, data = read(completed_parts(Kind.GENERATION, url="http://127.0.0.1/i/1.png", **LOOKS))
    assert data["url"] == "http://127.0.0.1/i/1.png"
    assert "b64_json" not in data


@pytest.mark.parametrize("image", [{}, {"base64": b"YWJj", "url": "http://127.0.0.1/"}])
def test_a_completed_image_is_either_base64_or_a_url(image: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either"):
        completed_parts(Kind.GENERATION, **image, **LOOKS)


def test_the_images_base64_is_handed_through_without_a_copy() -> None:
    held = memoryview(bytearray(b"YWJj"))
    for event in (
        partial_parts(Kind.EDIT, base64=held, index=0, **LOOKS),
        completed_parts(Kind.EDIT, base64=held, metadata={}, **LOOKS),
    ):
        assert any(part is held for part in event)


def test_an_error_is_nested_with_all_four_keys() -> None:
    error = ParameterError("size", "The size must be WxH.")
    assert read(error_parts(error)) == (
        "error",
        {
            "type": "error",
            "error": {
                "message": "The size must be WxH.",
                "type": "invalid_request_error",
                "code": "invalid_value",
                "param": "size",
            },
        },
    )


def test_an_error_tells_what_was_tried_beside_it() -> None:
    error = ApiError(502, "Nobody delivered.", type="server_error", metadata={"attempts": []})
    _, data = read(error_parts(error))
    assert data["metadata"] == {"attempts": []}
    assert data["error"]["code"] is None
    assert data["error"]["param"] is None


def test_line_ends_and_lone_surrogates_in_a_message_do_not_break_the_framing() -> None:
    message = "one\ntwo\r\n\r\nevent: x\u2028\ud83d é"
    _, data = read(error_parts(ApiError(400, message, type="invalid_request_error")))
    assert data["error"]["message"] == message


def test_a_stream_may_end_with_a_completed_image_or_an_error_and_nothing_else() -> None:
    assert may_end(completed_parts(Kind.GENERATION, base64=b"YWJj", **LOOKS))
    assert may_end(completed_parts(Kind.EDIT, url="http://127.0.0.1/", **LOOKS))
    assert may_end(error_parts(ApiError(500, "m", type="server_error")))
    assert not may_end(partial(Kind.GENERATION))
    assert not may_end(partial(Kind.EDIT))
    assert not may_end([HEARTBEAT])
    assert not may_end([b"event: errors\ndata: {}\n\n"])
