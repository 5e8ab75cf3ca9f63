"""Answers: a good one is counted, and nothing that no caller may get passes for one."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from benchmarks.rig.answers import LEFT, Seen, counted, seen
from benchmarks.rig.caller import Heard

PNG = "iVBORw0KGgoAAAA"
METADATA = {"cost_usd": "0.0448", "attempts": [{"outcome": "ok"}], "warnings": []}


def heard(document: Any, status: int = 200, **more: Any) -> Heard:
    headers = {"content-type": "application/json", "x-request-id": "req_1"}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Heard(status=status, headers=headers, body=body, whole=True, seconds=1.5, **more)


def error(code: str) -> dict[str, Any]:
    return {"error": {"message": "no", "type": "server_error", "param": None, "code": code}}


def test_an_answer_with_its_images_is_as_it_should_be() -> None:
    found = seen("512", heard({"data": [{"b64_json": PNG}], "metadata": METADATA}), wanted=1)
    assert (found.told, found.images, found.cost_usd, found.wrong, found.twice) == ("200", 1, Decimal("0.0448"), "", 0)


def test_a_second_purchase_of_an_image_that_was_there_is_seen() -> None:
    twice = {**METADATA, "attempts": [{"outcome": "ok"}, {"outcome": "bad_reply"}, {"outcome": "ok"}]}
    assert seen("512", heard({"data": [{"b64_json": PNG}], "metadata": twice}), wanted=1).twice == 1


@pytest.mark.parametrize(
    ("document", "status", "wrong"),
    [
        (b"<html>", 200, "unreadable"),
        (b"[]", 200, "unreadable"),
        (error("internal_error"), 500, "internal error"),
        ({"error": "no"}, 503, "an error outside of the envelope"),
        ({"detail": "no"}, 404, "an error without an envelope"),
        ({"data": [], "metadata": METADATA}, 200, "0 images of 2"),
        ({"data": [{"b64_json": PNG}], "metadata": METADATA}, 200, "images missing without a warning"),
        ({"data": [{"b64_json": "PGh0"}] * 2, "metadata": METADATA}, 200, "not an image"),
        ({"data": [{"b64_json": PNG}] * 2, "metadata": {}}, 200, "an image without a cost"),
    ],
)
def test_what_no_caller_may_get_is_told(document: Any, status: int, wrong: str) -> None:
    assert seen("several", heard(document, status), wanted=2).wrong == wrong


def test_fewer_images_with_a_warning_are_as_promised() -> None:
    warned = {**METADATA, "warnings": [{"parameter": "n", "message": "1 of 2"}]}
    assert seen("several", heard({"data": [{"b64_json": PNG}], "metadata": warned}), wanted=2).wrong == ""


def test_an_error_in_the_envelope_is_an_answer() -> None:
    found = seen("512", heard(error("provider_unavailable"), 503), wanted=1)
    assert (found.told, found.wrong, found.images) == ("503 provider_unavailable", "", 0)


def test_bad_input_must_be_refused_as_such() -> None:
    assert seen("bad input", heard(error("invalid_value"), 400), wanted=0, refused=True).wrong == ""
    assert seen("bad input", heard(error("provider_timeout"), 504), wanted=0, refused=True).wrong
    assert seen("bad input", heard({"data": []}), wanted=0, refused=True).wrong


def test_a_stream_counts_by_its_last_event() -> None:
    done = {"type": "image_generation.completed", "b64_json": PNG, "metadata": METADATA}
    body = f"event: x\ndata: {json.dumps({'type': 'x.partial_image'})}\n\ndata: {json.dumps(done)}\n\n".encode()
    told = heard(body)
    told.headers["content-type"] = "text/event-stream; charset=utf-8"
    assert (found := seen("stream", told, wanted=1)).wrong == ""
    assert found.images == 1
    told.body = f"data: {json.dumps({'type': 'error', **error('provider_timeout')})}\n\n".encode()
    assert seen("stream", told, wanted=1).told == "200 in a stream provider_timeout"


def test_those_who_left_are_no_failures_and_those_who_were_left_are() -> None:
    assert seen("gone", Heard(left=True), wanted=1) == Seen("gone", LEFT, 0.0)
    assert seen("512", Heard(trouble="unanswered"), wanted=1).wrong == "unanswered"
    assert seen("512", Heard(status=200), wanted=1).told == "200 cut short"


def test_answers_are_counted() -> None:
    assert counted([Seen("a", "200", 1.0), Seen("b", "503 x", 1.0), Seen("a", "200", 2.0)]) == {"200": 2, "503 x": 1}
