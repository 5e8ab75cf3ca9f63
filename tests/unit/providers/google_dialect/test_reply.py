"""Which picture of a reply is the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest

from providers.google_dialect.reply import Told, read_reply
from providers.spec.blob import Blob
from providers.spec.conversation import BLOB_KEY, Reply
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult, Usage

REQUEST = ImageRequest("m", "a lighthouse in the fog")


def picture(content: bytes, **more: object) -> dict[str, object]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(content).decode()}, **more}


def read(document: Mapping[str, object], *blobs: Blob) -> ImageResult:
    return read_reply(Reply(200, {}, json.dumps(document).encode(), blobs), "Google", REQUEST)


def answered(*parts: object, finish: str = "STOP", **more: object) -> Mapping[str, object]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": finish}], **more}


def test_thought_pictures_are_dropped() -> None:
    result = read(answered(picture(b"draft", thought=True), picture(b"final")))
    assert [blob.read() for blob in result.images] == [b"final"]


def test_of_several_pictures_the_last_is_the_answer() -> None:
    assert read(answered(picture(b"default size"), picture(b"asked size"))).images[0].read() == b"asked size"


def test_an_only_picture_marked_as_a_thought_is_taken_when_the_model_finished() -> None:
    drafts = (picture(b"one", thought=True), picture(b"two", thought=True))
    assert read(answered(*drafts)).images[0].read() == b"two"
    with pytest.raises(ProviderError) as raised:
        read(answered(*drafts, finish="NO_IMAGE"))
    assert raised.value.fault is Fault.BAD_REPLY


def test_a_thought_flag_that_is_null_or_false_is_no_thought() -> None:
    assert read(answered(picture(b"final", thought=None))).images[0].read() == b"final"
    assert read(answered(picture(b"final", thought=False))).images[0].read() == b"final"


def test_a_picture_counts_whatever_else_made_the_model_stop() -> None:
    assert read(answered(picture(b"final"), finish="MAX_TOKENS")).images[0].read() == b"final"


def test_a_picture_cut_out_of_the_body_keeps_the_type_stated_beside_it() -> None:
    blob = read(answered(picture(b"cut out"))).images[0]
    document = answered({"inlineData": {"mimeType": "image/JPEG", "data": {BLOB_KEY: 0}}})
    labelled = read(document, blob).images[0]
    assert (labelled.media_type, labelled.length, labelled.read()) == ("image/jpeg", 7, b"cut out")


def test_a_picture_without_a_type_is_a_picture() -> None:
    data = base64.b64encode(b"untyped").decode()
    blob = read(answered({"inlineData": {"data": data}})).images[0]
    assert (blob.media_type, blob.read()) == ("", b"untyped")


def test_of_a_stream_the_last_pictures_and_the_last_counts_are_kept() -> None:
    told = Told()
    for number in range(200):
        part = picture(f"picture {number}".encode(), thought=number % 2 == 0)
        event = answered(part, {"text": "w" * 1000}, finish="STOP", usageMetadata={"promptTokenCount": number})
        told = told.followed_by(Told.of(event))
    told = told.followed_by(Told.of({"usageMetadata": None}))
    assert [blob.read() for blob in (*told.thought_pictures, *told.pictures)] == [b"picture 198", b"picture 199"]
    assert told.finish_reasons == ("STOP",)
    assert told.usage == {"promptTokenCount": 199}
    assert sum(map(len, told.said)) <= 50 * 300


def test_a_stream_has_ended_when_a_reason_was_stated() -> None:
    assert not Told.of(answered(picture(b"final"), finish="")).ended
    assert Told.of(answered(finish="STOP")).ended
    assert Told.of({"promptFeedback": {"blockReason": "SAFETY"}}).ended


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        (None, None),
        ({}, None),
        ("many", None),
        ({"candidatesTokenCount": 1290}, Usage(output_tokens=1290, output_image_tokens=1290)),
        (
            {
                "candidatesTokenCount": 1300,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}, None, {"modality": "TEXT"}],
                "promptTokenCount": -4,
                "thoughtsTokenCount": 1e9,
                "promptTokensDetails": {"modality": "TEXT"},
            },
            Usage(output_tokens=1300, output_image_tokens=1290),
        ),
    ],
)
def test_usage_is_what_can_be_believed(counted: object, usage: Usage | None) -> None:
    assert read(answered(picture(b"final"), usageMetadata=counted)).usage == usage


def test_what_the_model_says_instead_of_drawing_reaches_the_operator() -> None:
    with pytest.raises(ProviderError) as raised:
        read(answered({"text": "Which harbour do you mean?"}))
    assert raised.value.detail == "STOP: Which harbour do you mean?"
    with pytest.raises(ProviderError) as raised:
        read(answered({"text": "You want a lighthouse in the fog, yes?"}))
    assert "lighthouse" not in raised.value.detail
