"""Large input images go through the Files API, small ones inline, and no failure of it costs anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from providers.gemini.adapter import GeminiAdapter
from providers.gemini.files import INLINE_BASE64, POLLS
from providers.spec.adapter import ProviderModel
from providers.spec.conversation import HttpCall, Pause, Raw, Reply, Trust, Unanswered
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Operation
from tests.contract.driving import Answer, Outcome, drive, json_reply, sent_json, text_reply
from tests.contract.google_dialect import ECHO, MODEL_3, answer, error, error_info, image_part, retry_info
from tests.contract.kit import FINAL_IMAGE, PROMPT

BASE = "https://generativelanguage.googleapis.com"
TARGET = f"{BASE}/upload/v1beta/files?upload_id=1"
BEGUN = Reply(200, {"x-goog-upload-url": TARGET, "x-goog-upload-status": "active"})
FILE = {"name": "files/abc-1", "uri": f"{BASE}/v1beta/files/abc-1", "mimeType": "image/jpeg", "state": "ACTIVE"}
STORED = json_reply({"file": FILE})
MADE = json_reply(answer(image_part(FINAL_IMAGE)))


@dataclass(frozen=True, slots=True)
class Large:
    """A picture whose bytes are read by nobody here."""

    length: int
    media_type: str = "image/jpeg"

    def read(self) -> bytes:
        raise AssertionError("an adapter read an image")

    def pieces(self) -> Iterator[bytes]:
        yield self.read()

    def base64(self) -> bytes:
        return b"QUFB"

    @property
    def ends(self) -> None:
        return None


ONE = ImageRequest("m", PROMPT, Operation.EDIT, (Large(12_000_000),))


def converse(answers: list[Answer], request: ImageRequest = ONE, model: ProviderModel = MODEL_3) -> Outcome:
    return drive(GeminiAdapter().converse(request, model), answers)


def test_a_large_image_is_uploaded_and_named_in_the_call_that_makes_the_image() -> None:
    outcome = converse([BEGUN, STORED, MADE])
    start, upload, make = outcome.calls
    assert (start.method, start.url, start.trust) == ("POST", "/upload/v1beta/files", Trust.CONFIGURED)
    assert start.headers["x-goog-upload-protocol"] == "resumable"
    assert start.headers["x-goog-upload-command"] == "start"
    assert start.headers["x-goog-upload-header-content-length"] == "12000000"
    assert start.headers["x-goog-upload-header-content-type"] == "image/jpeg"
    assert sent_json(start) == {"file": {"display_name": "image-1"}}
    assert (upload.method, upload.url, upload.trust) == ("POST", TARGET, Trust.RESPONSE)
    assert upload.headers["x-goog-upload-command"] == "upload, finalize"
    assert upload.headers["x-goog-upload-offset"] == "0"
    assert upload.body == (Raw(ONE.images[0]),)
    assert [call.commits for call in outcome.calls] == [False, False, True]
    (image, _) = sent_json(make)["contents"][0]["parts"]
    assert image == {"fileData": {"mimeType": "image/jpeg", "fileUri": FILE["uri"]}}
    assert outcome.result is not None


def test_the_largest_go_first_until_the_rest_fits_inline() -> None:
    sizes = (3_000_000, 8_000_000, 4_000_000, 5_000_000)
    outcome = converse([BEGUN, STORED, BEGUN, STORED, MADE], replace(ONE, images=tuple(map(Large, sizes))))
    parts = sent_json(outcome.calls[-1])["contents"][0]["parts"]
    assert ["fileData" in part for part in parts] == [False, True, False, True, False]
    assert sum((size + 2) // 3 * 4 for size in (sizes[0], sizes[2])) <= INLINE_BASE64


@pytest.mark.parametrize(("length", "calls"), [(INLINE_BASE64 // 4 * 3, 1), (INLINE_BASE64 // 4 * 3 + 1, 3)])
def test_an_image_goes_inline_up_to_the_limit(length: int, calls: int) -> None:
    outcome = converse([MADE] if calls == 1 else [BEGUN, STORED, MADE], replace(ONE, images=(Large(length),)))
    assert len(outcome.calls) == calls


def test_a_file_that_is_still_processed_is_asked_for_a_few_times() -> None:
    busy = {**FILE, "state": "PROCESSING"}
    outcome = converse([BEGUN, json_reply({"file": busy}), json_reply(busy), json_reply(FILE), MADE])
    assert [call.url for call in outcome.calls[2:4]] == ["/v1beta/files/abc-1"] * 2
    assert len([step for step in outcome.steps if isinstance(step, Pause)]) == 2
    assert outcome.result is not None
    late = converse([BEGUN, json_reply({"file": busy}), *[json_reply(busy)] * POLLS])
    assert (late.failure().fault, late.failure().spend, late.unused) == (Fault.OVERLOADED, Spend.NONE, 0)


def _stored(**more: object) -> list[Answer]:
    return [BEGUN, json_reply({"file": {**FILE, **more}})]


@pytest.mark.parametrize(
    ("answers", "fault", "parameter"),
    [
        ([json_reply(error(400, "INVALID_ARGUMENT"), 400)], Fault.UNSUPPORTED, "image"),
        ([json_reply(error(413, "INVALID_ARGUMENT"), 413)], Fault.UNSUPPORTED, "image"),
        ([BEGUN, json_reply(error(413, "INVALID_ARGUMENT"), 413)], Fault.UNSUPPORTED, "image"),
        ([text_reply(f"<html>{ECHO}", 413)], Fault.UNSUPPORTED, "image"),
        ([json_reply(error(404, "NOT_FOUND"), 404)], Fault.UNSUPPORTED, "image"),
        (
            [json_reply(error(400, "INVALID_ARGUMENT", details=[error_info("API_KEY_INVALID")]), 400)],
            Fault.CREDENTIALS,
            None,
        ),
        ([json_reply(error(403, "PERMISSION_DENIED"), 403)], Fault.CREDENTIALS, None),
        ([BEGUN, json_reply(error(503, "UNAVAILABLE"), 503)], Fault.OVERLOADED, None),
        ([BEGUN, json_reply(error(504, "DEADLINE_EXCEEDED"), 504)], Fault.OVERLOADED, None),
        ([BEGUN, json_reply(error(503, "UNAVAILABLE"))], Fault.OVERLOADED, None),
        ([Unanswered("refused", sent=False)], Fault.UNREACHABLE, None),
        ([BEGUN, Unanswered("cut short", sent=True)], Fault.UNREACHABLE, None),
        ([Reply(200, {})], Fault.BAD_REPLY, None),
        ([BEGUN, text_reply(f"<html>{ECHO}", 200)], Fault.BAD_REPLY, None),
        ([BEGUN, json_reply([])], Fault.BAD_REPLY, None),
        ([BEGUN, json_reply({"file": None})], Fault.BAD_REPLY, None),
        (_stored(state="FAILED"), Fault.UNSUPPORTED, "image"),
        (_stored(state="PROCESSING", name="files/../../v1/models"), Fault.BAD_REPLY, None),
        (_stored(uri=None), Fault.BAD_REPLY, None),
        (_stored(uri="https://elsewhere.test/v1beta/files/1"), Fault.BAD_REPLY, None),
        (_stored(uri="http://generativelanguage.googleapis.com/v1beta/files/1"), Fault.BAD_REPLY, None),
        (_stored(uri="https://x@generativelanguage.googleapis.com/v1beta/files/1"), Fault.BAD_REPLY, None),
        (_stored(uri="https://[broken"), Fault.BAD_REPLY, None),
    ],
)
def test_an_upload_that_fails_costs_nothing_and_says_what_it_was(
    answers: list[Answer], fault: Fault, parameter: str | None
) -> None:
    outcome = converse(answers)
    failed = outcome.failure()
    assert (failed.fault, failed.parameter, failed.spend) == (fault, parameter, Spend.NONE), failed.detail
    assert outcome.unused == 0
    assert not [call for call in outcome.calls if call.commits]
    assert "canary" not in failed.message + failed.detail


def test_a_wait_that_is_stated_is_passed_on() -> None:
    limited = json_reply(error(429, "RESOURCE_EXHAUSTED", details=[retry_info("9s")]), 429)
    failed = converse([limited]).failure()
    assert (failed.fault, failed.retry_after) == (Fault.RATE_LIMITED, 9.0)


def test_a_reserved_option_is_refused_before_anything_is_uploaded() -> None:
    outcome = converse([], replace(ONE, provider_options={"gemini": {"contents": []}}))
    assert outcome.failure().parameter == "provider_options"
    assert not [step for step in outcome.steps if isinstance(step, HttpCall)]


def test_the_api_version_is_that_of_the_call() -> None:
    outcome = drive(GeminiAdapter(api_version="v1").converse(ONE, MODEL_3), [BEGUN, STORED, MADE])
    assert outcome.calls[0].url == "/upload/v1/files"


def test_a_file_that_is_gone_says_nothing_about_the_key() -> None:
    gone = json_reply(error(403, "PERMISSION_DENIED"), 403)
    outcome = converse([BEGUN, STORED, gone])
    assert outcome.error is not None
    assert (outcome.error.fault, outcome.error.parameter) == (Fault.UNSUPPORTED, "image")
    small = converse([gone], replace(ONE, images=()))
    assert small.error is not None
    assert small.error.fault is Fault.CREDENTIALS
