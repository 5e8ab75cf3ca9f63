"""Replicate's predictions: order of calls, patience, cancelling, and the odd shapes of output."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from providers.job_dialect.asking import LONGEST_PAUSE_S
from providers.replicate.adapter import FIRST_PAUSES_S, LATER_PAUSE_S, ReplicateAdapter
from providers.spec.adapter import ProviderModel
from providers.spec.blob import BlobDamagedError
from providers.spec.conversation import (
    BLOB_KEY,
    Abandoned,
    AbandonReason,
    HttpCall,
    Pause,
    Raw,
    Reply,
    Trust,
    Unanswered,
)
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution, Safety
from tests.contract.driving import Answer, Picture, drive, image_reply, json_reply, pending, sent_json, text_reply
from tests.unit.providers.leaving import abandoned_after, spend_by_step

MODEL = ProviderModel("google/nano-banana-2", "nano-banana-2")
FLUX = ProviderModel("black-forest-labs/flux-schnell", "flux-schnell")
REQUEST = ImageRequest("nano-banana-2", "a lighthouse in fog")
EDIT = replace(REQUEST, operation=Operation.EDIT, images=(Picture(b"reference"),))
PNG = Picture(b"a picture")
FILE = "https://replicate.delivery/xezq/a/b.png"
RESET = Unanswered("the connection broke", sent=True)


def prediction(status: str, output: object = None, **more: Any) -> Reply:
    return json_reply({"id": "p1", "status": status, "output": output, **more})


CREATED = prediction("starting")
RUNNING = prediction("processing")
SUCCEEDED = prediction("succeeded", FILE)
CANCELED = prediction("canceled")


class TestLinks:
    def test_without_links_they_are_built_from_the_id(self) -> None:
        outcome = drive(ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, SUCCEEDED, image_reply(PNG)])
        assert [(call.method, call.url) for call in outcome.calls] == [
            ("POST", "/v1/models/google/nano-banana-2/predictions"),
            ("GET", "/v1/predictions/p1"),
            ("GET", FILE),
        ]

    def test_an_id_cannot_leave_its_path_segment(self) -> None:
        created = json_reply({"id": "../x?y", "status": "starting"})
        outcome = drive(ReplicateAdapter().converse(REQUEST, MODEL), [created, SUCCEEDED, image_reply(PNG)])
        assert outcome.calls[1].url == "/v1/predictions/..%2Fx%3Fy"

    def test_links_are_followed_as_they_come(self) -> None:
        created = prediction("starting", urls={"get": "https://r/g", "cancel": "https://r/c"})
        outcome = drive(ReplicateAdapter().converse(REQUEST, MODEL), [created, SUCCEEDED, image_reply(PNG)])
        assert (outcome.calls[1].url, outcome.calls[1].trust) == ("https://r/g", Trust.RESPONSE)

    def test_the_base_url_keeps_its_path(self) -> None:
        adapter = ReplicateAdapter("http://127.0.0.1:9090/replicate/")
        assert adapter.endpoint.base_url == "http://127.0.0.1:9090/replicate"


class TestPatience:
    def test_it_asks_soon_and_then_less_often(self) -> None:
        answers = [CREATED, *[RUNNING] * 8, SUCCEEDED, image_reply(PNG)]
        steps = drive(ReplicateAdapter().converse(REQUEST, MODEL), answers).steps
        pauses = [step.seconds for step in steps if isinstance(step, Pause)]
        assert pauses == [*FIRST_PAUSES_S, *[LATER_PAUSE_S] * (9 - len(FIRST_PAUSES_S))]

    def test_a_create_that_waited_long_enough_is_not_asked_about(self) -> None:
        outcome = drive(ReplicateAdapter().converse(REQUEST, MODEL), [SUCCEEDED, image_reply(PNG)])
        assert outcome.result is not None
        assert not [step for step in outcome.steps if isinstance(step, Pause)]

    def test_hiccups_that_pass_cost_nothing(self) -> None:
        hiccups: list[Answer] = [RESET, text_reply("<html>", 502), prediction("dreaming"), json_reply([])]
        answers = [CREATED, *hiccups, RUNNING, *hiccups, SUCCEEDED, RESET, text_reply("<html>", 503), image_reply(PNG)]
        assert drive(ReplicateAdapter().converse(REQUEST, MODEL), answers).result is not None

    def test_a_stated_wait_is_kept_but_not_for_ever(self) -> None:
        slow, never = (json_reply({"retry_after": wait}, 429) for wait in (6, 86_400))
        steps = drive(
            ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, slow, never, SUCCEEDED, image_reply(PNG)]
        ).steps
        assert [step.seconds for step in steps if isinstance(step, Pause)] == [FIRST_PAUSES_S[0], 6.0, LONGEST_PAUSE_S]

    def test_a_lost_prediction_is_cancelled_before_it_is_given_up(self) -> None:
        outcome = drive(ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, *[RESET] * 5, CANCELED])
        assert (outcome.calls[-1].method, outcome.calls[-1].url) == ("POST", "/v1/predictions/p1/cancel")
        assert (outcome.failure().fault, outcome.failure().spend) == (Fault.UNREACHABLE, Spend.POSSIBLE)


class TestLeaving:
    @pytest.mark.parametrize(
        ("seen", "cancel", "spend"),
        [
            ([], CANCELED, Spend.NONE),
            ([], prediction("aborted"), Spend.NONE),
            ([], prediction("canceled", started_at="2026-10-01T08:00:00Z"), Spend.POSSIBLE),
            ([RUNNING], CANCELED, Spend.POSSIBLE),
            ([prediction("starting", started_at="2026-10-01T08:00:00Z")], CANCELED, Spend.POSSIBLE),
            ([], prediction("processing"), Spend.POSSIBLE),
            ([RUNNING], SUCCEEDED, Spend.CHARGED),
            ([], json_reply({"detail": "no such prediction"}, 404), Spend.POSSIBLE),
            ([], RESET, Spend.POSSIBLE),
        ],
    )
    def test_the_cancel_tells_what_may_be_billed(self, seen: list[Reply], cancel: Answer, spend: Spend) -> None:
        abandoned, call = abandoned_after(ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, *seen], cancel=cancel)
        assert call is not None
        assert call.method == "POST"
        assert abandoned.spend is spend

    def test_leaving_during_a_download_is_charged(self) -> None:
        abandoned, call = abandoned_after(
            ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, prediction("processing", FILE)], cancel=RESET
        )
        assert call is None
        assert abandoned.spend is Spend.CHARGED

    def test_leaving_tells_the_bill_at_every_step_that_knows_it(self) -> None:
        answers: list[Answer] = [CREATED, RUNNING, SUCCEEDED, RESET, image_reply(PNG)]
        starting, running, downloading = [Spend.NONE] * 2, [Spend.POSSIBLE] * 2, [Spend.CHARGED] * 3
        spends = spend_by_step(lambda: ReplicateAdapter().converse(REQUEST, MODEL), answers, cancel=CANCELED)
        assert spends == [None, *starting, *running, *downloading]

    def test_leaving_while_a_lost_prediction_is_cancelled_does_not_cancel_twice(self) -> None:
        conversation = ReplicateAdapter().converse(REQUEST, MODEL)
        step = pending(conversation, [CREATED], 1)
        while not (isinstance(step, HttpCall) and step.method == "POST"):
            step = conversation.throw(RESET) if isinstance(step, HttpCall) else conversation.send(None)
        with pytest.raises(Abandoned):
            conversation.throw(Abandoned(AbandonReason.HUNG_UP))


class TestOutput:
    def images(self, shown: Reply, *downloads: Answer, request: ImageRequest = REQUEST) -> list[bytes]:
        outcome = drive(ReplicateAdapter().converse(request, MODEL), [CREATED, shown, *downloads])
        assert outcome.result is not None, outcome.error
        return [image.read() for image in outcome.result.images]

    def test_output_is_ready_whatever_the_status_says(self) -> None:
        for status in ("starting", "processing", "succeeded"):
            assert self.images(prediction(status, FILE), image_reply(PNG)) == [b"a picture"]

    def test_output_may_be_a_list_or_an_object(self) -> None:
        for output in ([FILE], {"image": FILE}, {"images": [FILE], "seed": 7}, [{"url": FILE}]):
            assert self.images(prediction("succeeded", output), image_reply(PNG)) == [b"a picture"]

    def test_a_list_still_growing_is_waited_for(self) -> None:
        both = prediction("processing", [FILE, f"{FILE}?2"])
        answers = [both, image_reply(PNG), image_reply(Picture(b"second"))]
        wanted = replace(REQUEST, n=2)
        assert self.images(prediction("processing", [FILE]), *answers, request=wanted) == [b"a picture", b"second"]

    def test_fewer_pictures_than_asked_for_are_what_there_is_once_it_ended(self) -> None:
        wanted = replace(REQUEST, n=3)
        assert self.images(
            prediction("succeeded", [FILE, f"{FILE}?2"]),
            image_reply(PNG),
            image_reply(Picture(b"second")),
            request=wanted,
        ) == [b"a picture", b"second"]

    def test_a_data_url_is_decoded_in_place(self) -> None:
        data_url = "data:image/png;base64," + base64.b64encode(b"tiny").decode()
        outcome = drive(ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, prediction("succeeded", data_url)])
        assert outcome.result is not None
        (image,) = outcome.result.images
        assert (image.read(), image.base64(), image.length, image.media_type) == (
            b"tiny",
            base64.b64encode(b"tiny"),
            4,
            "image/png",
        )

    def test_a_damaged_data_url_says_so_when_it_is_read(self) -> None:
        with pytest.raises(BlobDamagedError):
            self.images(prediction("succeeded", "data:image/png;base64,dGlu*"))

    def test_a_long_data_url_comes_as_a_blob(self) -> None:
        assert self.images(replace(prediction("succeeded", {BLOB_KEY: 0}), blobs=(PNG,))) == [b"a picture"]


class TestInputs:
    @pytest.mark.parametrize(
        ("request_", "schema", "parameter"),
        [
            (replace(REQUEST, resolution=Resolution.R512), "nano-banana-2", "resolution"),
            (replace(REQUEST, resolution=Resolution.R2K), "nano-banana", "resolution"),
            (replace(REQUEST, resolution=Resolution.R2K), "flux-schnell", "resolution"),
            (replace(REQUEST, output_format=OutputFormat.WEBP), "nano-banana-pro", "output_format"),
            (EDIT, "flux-dev", "image"),
            (replace(REQUEST, output_format=OutputFormat.GIF), "flux-schnell", "output_format"),
            (replace(REQUEST, web_search=True), "nano-banana-pro", "web_search"),
            (replace(REQUEST, image_search=True), "nano-banana-pro", "image_search"),
            (replace(REQUEST, image_search=True), "flux-dev", "image_search"),
            (replace(REQUEST, mask=PNG), "nano-banana-2", "mask"),
        ],
    )
    def test_a_demand_without_a_field_is_unsupported(self, request_: ImageRequest, schema: str, parameter: str) -> None:
        with pytest.raises(ProviderError) as caught:
            next(ReplicateAdapter().converse(request_, ProviderModel("google/x", schema)))
        assert (caught.value.fault, caught.value.parameter) == (Fault.UNSUPPORTED, parameter)
        assert caught.value.spend is Spend.NONE

    def test_an_unknown_media_type_is_called_png(self) -> None:
        call = next(ReplicateAdapter().converse(replace(EDIT, images=(Picture(b"x", "text/html"),)), MODEL))
        assert isinstance(call, HttpCall)
        assert sent_json(call)["input"]["image_input"] == ["data:image/png;base64,eA=="]

    def body(self, request: ImageRequest, model: ProviderModel = MODEL) -> dict[str, object]:
        call = next(ReplicateAdapter().converse(request, model))
        assert isinstance(call, HttpCall)
        document: dict[str, object] = sent_json(call)["input"]
        return document

    def test_web_search_alone_says_nothing_of_images(self) -> None:
        searching = self.body(replace(REQUEST, web_search=True))
        assert searching["google_search"] is True
        assert "image_search" not in searching

    def test_safety_is_not_asked_of_a_model_without_levels(self) -> None:
        for model in (MODEL, FLUX):
            assert self.body(replace(REQUEST, safety=Safety.STRICT), model) == self.body(REQUEST, model)

    def test_a_callers_own_fields_go_into_the_input(self) -> None:
        options: dict[str, dict[str, object]] = {
            "replicate": {"go_fast": False, "disable_safety_checker": True},
            "fal": {"prompt": "x"},
        }
        document = self.body(replace(REQUEST, provider_options=options), FLUX)
        assert document == {**self.body(REQUEST, FLUX), "go_fast": False, "disable_safety_checker": True}

    def test_the_prompt_in_an_error_text_stays_out_of_the_detail(self) -> None:
        failed = prediction("failed", error="could not paint a lighthouse in fog, sorry")
        error = drive(ReplicateAdapter().converse(REQUEST, MODEL), [CREATED, failed]).failure()
        assert "lighthouse" not in error.detail


class TestUploads:
    LARGE = Picture(b"large" * 60_000, "image/jpeg")
    UPLOADING = replace(EDIT, images=(LARGE,))
    LINK = "https://api.replicate.com/v1/files/f1"
    STORED = json_reply({"id": "f1", "urls": {"get": LINK}}, 201)

    def test_an_upload_is_a_form_of_one_part_that_is_read_while_it_is_sent(self) -> None:
        adapter = ReplicateAdapter(boundary=lambda: "b0undary")
        calls = drive(adapter.converse(self.UPLOADING, MODEL), [self.STORED, SUCCEEDED, image_reply(PNG)]).calls
        head = (
            b"--b0undary\r\n"
            b'Content-Disposition: form-data; name="content"; filename="image-1.jpg"\r\n'
            b"Content-Type: image/jpeg\r\n\r\n"
        )
        assert calls[0] == HttpCall(
            "POST",
            "/v1/files",
            headers={"content-type": "multipart/form-data; boundary=b0undary"},
            body=(head, Raw(self.LARGE), b"\r\n--b0undary--\r\n"),
        )
        assert sent_json(calls[1])["input"]["image_input"] == [self.LINK]

    def test_no_two_uploads_have_the_same_boundary(self) -> None:
        calls = [next(ReplicateAdapter().converse(self.UPLOADING, MODEL)) for _ in range(2)]
        boundaries = {call.headers["content-type"] for call in calls if isinstance(call, HttpCall)}
        assert len(boundaries) == 2

    def test_a_media_type_cannot_break_out_of_its_line(self) -> None:
        odd = replace(self.UPLOADING, images=(Picture(self.LARGE.content, 'image/png\r\nX: y"'),))
        call = next(ReplicateAdapter().converse(odd, MODEL))
        assert isinstance(call, HttpCall)
        assert isinstance(call.body[0], bytes)
        assert b'filename="image-1.png"\r\nContent-Type: image/png\r\n\r\n' in call.body[0]

    def test_what_the_documentation_allows_inline_is_not_uploaded(self) -> None:
        within, beyond = (Picture(b"x" * size) for size in (196_000, 200_000))
        for image, uploaded in ((within, False), (beyond, True)):
            call = next(ReplicateAdapter().converse(replace(EDIT, images=(image,)), MODEL))
            assert isinstance(call, HttpCall)
            assert call.commits is not uploaded

    @pytest.mark.parametrize("stored", [{}, {"urls": None}, {"urls": {"get": "ftp://x"}}, {"urls": {"get": 7}}])
    def test_a_file_without_a_link_is_a_bad_reply(self, stored: object) -> None:
        error = drive(ReplicateAdapter().converse(self.UPLOADING, MODEL), [json_reply(stored, 201)]).failure()
        assert (error.fault, error.spend, error.detail) == (Fault.BAD_REPLY, Spend.NONE, "upload: HTTP 201")

    def test_a_throttled_upload_says_how_long_to_wait(self) -> None:
        throttled = json_reply({"detail": "Request was throttled. Your rate limit resets in ~30s."}, 429)
        error = drive(ReplicateAdapter().converse(self.UPLOADING, MODEL), [throttled]).failure()
        assert (error.fault, error.retry_after) == (Fault.RATE_LIMITED, 30.0)
