"""fal's queue: order of calls, patience, cancelling, and the odd shapes of results."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import ClassVar

import pytest

from providers.fal.adapter import FIRST_PAUSES_S, LATER_PAUSE_S, FalAdapter
from providers.fal.uploads import INLINE_CHARACTERS, REST_URL
from providers.job_dialect.asking import LONGEST_PAUSE_S
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

MODEL = ProviderModel("fal-ai/nano-banana-2", "nano-banana-2", edit_id="fal-ai/nano-banana-2/edit")
FLUX = ProviderModel("fal-ai/flux/schnell", "flux")
REQUEST = ImageRequest("nano-banana-2", "a lighthouse in fog")
EDIT = replace(REQUEST, operation=Operation.EDIT, images=(Picture(b"reference"),))
PNG = Picture(b"a picture")

SUBMITTED = json_reply({"request_id": "r-1"})
QUEUED = json_reply({"status": "IN_QUEUE", "queue_position": 3}, 202)
RUNNING = json_reply({"status": "IN_PROGRESS"}, 202)
COMPLETED = json_reply({"status": "COMPLETED"})
FILE = "https://v3.fal.media/files/b/x.png"
RESULT = json_reply({"images": [{"url": FILE}]})
CANCELLING = json_reply({"status": "CANCELLATION_REQUESTED"}, 202)
TOO_LATE = json_reply({"status": "ALREADY_COMPLETED"}, 400)
RESET = Unanswered("the connection broke", sent=True)


def urls(*answers: Answer, request: ImageRequest = REQUEST, model: ProviderModel = MODEL) -> list[str]:
    return [call.url for call in drive(FalAdapter().converse(request, model), answers).calls]


class TestLinks:
    def test_without_links_they_are_built_from_owner_and_alias(self) -> None:
        assert urls(SUBMITTED, COMPLETED, RESULT, image_reply(PNG), request=EDIT) == [
            "/fal-ai/nano-banana-2/edit",
            "/fal-ai/nano-banana-2/requests/r-1/status",
            "/fal-ai/nano-banana-2/requests/r-1",
            FILE,
        ]

    def test_a_namespace_is_kept_before_owner_and_alias(self) -> None:
        model = ProviderModel("workflows/me/mine/deep", "nano-banana-2")
        assert urls(SUBMITTED, COMPLETED, RESULT, image_reply(PNG), model=model)[1:3] == [
            "/workflows/me/mine/requests/r-1/status",
            "/workflows/me/mine/requests/r-1",
        ]

    def test_an_edit_without_an_id_of_its_own_goes_to_the_model(self) -> None:
        model = ProviderModel("google/nano-banana-2", "nano-banana-2")
        assert urls(SUBMITTED, COMPLETED, RESULT, image_reply(PNG), request=EDIT, model=model)[0] == (
            "/google/nano-banana-2"
        )

    def test_an_id_cannot_leave_its_path_segment(self) -> None:
        submitted = json_reply({"request_id": "../../x?y#z"})
        assert urls(submitted, COMPLETED, RESULT, image_reply(PNG))[1] == (
            "/fal-ai/nano-banana-2/requests/..%2F..%2Fx%3Fy%23z/status"
        )

    def test_links_are_followed_as_they_come(self) -> None:
        links = {"status_url": "https://q/s?x=1", "response_url": "https://q/r/response", "cancel_url": "https://q/c"}
        outcome = drive(FalAdapter().converse(REQUEST, MODEL), [json_reply(links), COMPLETED, RESULT, image_reply(PNG)])
        assert [(call.url, call.trust) for call in outcome.calls[1:3]] == [
            ("https://q/s?x=1", Trust.RESPONSE),
            ("https://q/r/response", Trust.RESPONSE),
        ]

    def test_the_base_url_keeps_its_path(self) -> None:
        assert FalAdapter("http://127.0.0.1:9090/fal/").endpoint.base_url == "http://127.0.0.1:9090/fal"


class TestPatience:
    def test_it_asks_soon_and_then_less_often(self) -> None:
        answers = [SUBMITTED, *[RUNNING] * 14, COMPLETED, RESULT, image_reply(PNG)]
        steps = drive(FalAdapter().converse(REQUEST, MODEL), answers).steps
        pauses = [step.seconds for step in steps if isinstance(step, Pause)]
        assert pauses == [*FIRST_PAUSES_S, *[LATER_PAUSE_S] * (15 - len(FIRST_PAUSES_S))]

    def test_hiccups_that_pass_cost_nothing(self) -> None:
        hiccups: list[Answer] = [RESET, text_reply("<html>", 502), json_reply({}, 429), json_reply({"status": None})]
        answers = [SUBMITTED, *hiccups, RUNNING, *hiccups, COMPLETED, RESET, text_reply("<html>", 503), RESULT]
        outcome = drive(FalAdapter().converse(REQUEST, MODEL), [*answers, RESET, RESET, image_reply(PNG)])
        assert outcome.result is not None

    def test_a_stated_wait_is_kept_but_not_for_ever(self) -> None:
        slow, never = (json_reply({}, 429, {"retry-after": wait}) for wait in ("6", "86400"))
        answers = [SUBMITTED, slow, never, COMPLETED, RESULT, image_reply(PNG)]
        steps = drive(FalAdapter().converse(REQUEST, MODEL), answers).steps
        assert [step.seconds for step in steps if isinstance(step, Pause)] == [FIRST_PAUSES_S[0], 6.0, LONGEST_PAUSE_S]

    def test_a_lost_job_is_cancelled_before_it_is_given_up(self) -> None:
        conversation = FalAdapter().converse(REQUEST, MODEL)
        outcome = drive(conversation, [SUBMITTED, QUEUED, *[RESET] * 5, CANCELLING])
        assert (outcome.calls[-1].method, outcome.calls[-1].url) == (
            "PUT",
            "/fal-ai/nano-banana-2/requests/r-1/cancel",
        )
        assert (outcome.failure().fault, outcome.failure().spend) == (Fault.UNREACHABLE, Spend.POSSIBLE)


class TestLeaving:
    @pytest.mark.parametrize(
        ("seen", "cancel", "spend"),
        [
            ([], CANCELLING, Spend.POSSIBLE),
            ([QUEUED], CANCELLING, Spend.POSSIBLE),
            ([QUEUED], json_reply({"success": True}, 200), Spend.POSSIBLE),
            ([QUEUED, RUNNING], CANCELLING, Spend.POSSIBLE),
            ([QUEUED], TOO_LATE, Spend.CHARGED),
            ([RUNNING], TOO_LATE, Spend.CHARGED),
            ([QUEUED], json_reply({"status": "NOT_FOUND"}, 404), Spend.POSSIBLE),
            ([QUEUED], json_reply({"detail": "no"}, 400), Spend.POSSIBLE),
            ([QUEUED], RESET, Spend.POSSIBLE),
        ],
    )
    def test_the_cancel_tells_what_may_be_billed(self, seen: list[Reply], cancel: Answer, spend: Spend) -> None:
        abandoned, call = abandoned_after(FalAdapter().converse(REQUEST, MODEL), [SUBMITTED, *seen], cancel=cancel)
        assert call is not None
        assert call.method == "PUT"
        assert abandoned.spend is spend

    def test_a_completed_job_is_not_cancelled_and_its_bill_is_open(self) -> None:
        abandoned, call = abandoned_after(FalAdapter().converse(REQUEST, MODEL), [SUBMITTED, COMPLETED], cancel=RESET)
        assert call is None
        assert abandoned.spend is None

    def test_leaving_during_a_download_is_charged(self) -> None:
        abandoned, call = abandoned_after(
            FalAdapter().converse(REQUEST, MODEL), [SUBMITTED, COMPLETED, RESULT], cancel=RESET
        )
        assert call is None
        assert abandoned.spend is Spend.CHARGED

    def test_leaving_tells_the_bill_at_every_step_that_knows_it(self) -> None:
        answers: list[Answer] = [SUBMITTED, QUEUED, RUNNING, COMPLETED, RESULT, RESET, image_reply(PNG)]
        asking, downloading = [Spend.POSSIBLE] * 6, [Spend.CHARGED] * 3
        spends = spend_by_step(lambda: FalAdapter().converse(REQUEST, MODEL), answers, cancel=CANCELLING)
        assert spends == [None, *asking, None, *downloading]

    def test_leaving_while_a_lost_job_is_cancelled_does_not_cancel_twice(self) -> None:
        conversation = FalAdapter().converse(REQUEST, MODEL)
        step = pending(conversation, [SUBMITTED], 1)
        while not (isinstance(step, HttpCall) and step.method == "PUT"):
            step = conversation.throw(RESET) if isinstance(step, HttpCall) else conversation.send(None)
        with pytest.raises(Abandoned):
            conversation.throw(Abandoned(AbandonReason.HUNG_UP))


class TestResults:
    def images(self, result: Reply, *downloads: Answer) -> list[bytes]:
        outcome = drive(FalAdapter().converse(REQUEST, MODEL), [SUBMITTED, COMPLETED, result, *downloads])
        assert outcome.result is not None, outcome.error
        return [image.read() for image in outcome.result.images]

    def test_a_data_url_is_decoded_in_place(self) -> None:
        data_url = "data:image/webp;base64," + base64.b64encode(b"tiny").decode()
        outcome = drive(
            FalAdapter().converse(REQUEST, MODEL), [SUBMITTED, COMPLETED, json_reply({"images": [{"url": data_url}]})]
        )
        assert outcome.result is not None
        (image,) = outcome.result.images
        assert (image.read(), image.base64(), image.length, image.media_type) == (
            b"tiny",
            base64.b64encode(b"tiny"),
            4,
            "image/webp",
        )
        assert "dGlueQ" not in repr(image)

    def test_a_damaged_data_url_says_so_when_it_is_read(self) -> None:
        damaged = json_reply({"images": [{"url": "data:image/png;base64,dGlu*"}]})
        with pytest.raises(BlobDamagedError):
            self.images(damaged)

    def test_a_long_data_url_comes_as_a_blob(self) -> None:
        reply = replace(json_reply({"images": [{"url": {BLOB_KEY: 0}}]}), blobs=(PNG,))
        assert self.images(reply) == [b"a picture"]

    def test_one_image_in_place_of_a_list(self) -> None:
        assert self.images(json_reply({"image": {"url": FILE, "width": None}}), image_reply(PNG)) == [b"a picture"]

    def test_every_image_is_fetched_in_order(self) -> None:
        two = json_reply({"images": [{"url": FILE}, {"url": f"{FILE}?2"}]})
        assert self.images(two, image_reply(PNG), image_reply(Picture(b"second"))) == [b"a picture", b"second"]

    def test_fewer_images_than_asked_for_are_what_there_is(self) -> None:
        four = replace(REQUEST, n=4)
        two = json_reply({"images": [{"url": FILE}, {"url": f"{FILE}?2"}]})
        answers = [SUBMITTED, COMPLETED, two, image_reply(PNG), image_reply(Picture(b"second"))]
        outcome = drive(FalAdapter().converse(four, MODEL), answers)
        assert outcome.result is not None
        assert [image.read() for image in outcome.result.images] == [b"a picture", b"second"]

    def test_only_the_flagged_one_of_two_images_is_withheld(self) -> None:
        two = json_reply({"images": [{"url": FILE}, {"url": f"{FILE}?2"}], "has_nsfw_concepts": [True, False]})
        assert self.images(two, image_reply(Picture(b"second"))) == [b"second"]

    def test_an_image_that_is_no_link_is_no_image(self) -> None:
        for url in ("ftp://fal.media/x", "/relative.png", "", "https://fal.media/a b", None, 7, "data:image/png"):
            outcome = drive(
                FalAdapter().converse(REQUEST, MODEL), [SUBMITTED, COMPLETED, json_reply({"images": [{"url": url}]})]
            )
            assert outcome.failure().fault is Fault.BAD_REPLY, url


class TestInputs:
    def body(self, request: ImageRequest, model: ProviderModel = MODEL) -> dict[str, object]:
        call = next(FalAdapter().converse(request, model))
        assert isinstance(call, HttpCall)
        document = sent_json(call)
        assert isinstance(document, dict)
        return document

    def test_more_than_one_image_lifts_the_limit_of_one_per_round(self) -> None:
        document = self.body(replace(REQUEST, n=3))
        assert (document["num_images"], document["limit_generations"]) == (3, False)

    def test_an_unknown_media_type_is_called_png(self) -> None:
        for claimed in ("", "text/html", 'image/png";x="'):
            document = self.body(replace(EDIT, images=(Picture(b"x", claimed),)))
            assert document["image_urls"] == ["data:image/png;base64,eA=="]

    def test_a_callers_own_fields_rule_over_the_gateways_defaults(self) -> None:
        options = {"enable_safety_checker": False, "guidance_scale": 3.5, "loras": [{"path": "x"}]}
        document = self.body(replace(REQUEST, provider_options={"fal": options}), FLUX)
        assert options.items() <= document.items()
        assert document.keys() - self.body(REQUEST, FLUX).keys() == {"guidance_scale", "loras"}

    def test_another_providers_fields_are_not_passed_on(self) -> None:
        elsewhere = replace(REQUEST, provider_options={"replicate": {"prompt": "x", "go_fast": True}})
        assert self.body(elsewhere) == self.body(REQUEST)

    def test_a_seed_goes_along_for_one_image_only_and_with_flux_for_any_number(self) -> None:
        many = replace(REQUEST, seed=7, n=3)
        assert self.body(replace(many, n=1))["seed"] == 7
        assert "seed" not in self.body(many)
        assert self.body(many, FLUX)["seed"] == 7

    def test_safety_is_not_asked_of_a_model_without_levels(self) -> None:
        for schema in ("nano-banana", "flux"):
            model = ProviderModel("fal-ai/x", schema)
            assert self.body(replace(REQUEST, safety=Safety.STRICT), model) == self.body(REQUEST, model)

    @pytest.mark.parametrize(
        ("request_", "schema", "parameter"),
        [
            (replace(REQUEST, resolution=Resolution.R512), "nano-banana-pro", "resolution"),
            (replace(REQUEST, resolution=Resolution.R2K), "nano-banana", "resolution"),
            (EDIT, "flux", "image"),
            (replace(REQUEST, output_format=OutputFormat.WEBP), "flux", "output_format"),
            (replace(REQUEST, output_format=OutputFormat.AVIF), "nano-banana-2", "output_format"),
            (replace(REQUEST, web_search=True), "nano-banana", "web_search"),
            (replace(REQUEST, web_search=True), "flux", "web_search"),
            (replace(REQUEST, image_search=True), "nano-banana-2", "image_search"),
            (replace(REQUEST, mask=PNG), "nano-banana-2", "mask"),
        ],
    )
    def test_a_demand_without_a_field_is_unsupported(self, request_: ImageRequest, schema: str, parameter: str) -> None:
        with pytest.raises(ProviderError) as caught:
            next(FalAdapter().converse(request_, ProviderModel("fal-ai/x", schema)))
        assert (caught.value.fault, caught.value.parameter) == (Fault.UNSUPPORTED, parameter)
        assert caught.value.spend is Spend.NONE

    def test_a_seed_that_was_left_out_is_a_warning(self) -> None:
        answers = [SUBMITTED, COMPLETED, RESULT, image_reply(PNG)]
        for model, n, warned in ((MODEL, 2, ["seed"]), (MODEL, 1, []), (FLUX, 2, [])):
            outcome = drive(FalAdapter().converse(replace(REQUEST, seed=7, n=n), model), answers)
            assert outcome.result is not None
            assert [warning.parameter for warning in outcome.result.warnings] == warned


class TestUploads:
    LARGE = Picture(b"large" * 200_000, "image/webp")
    UPLOADING = replace(EDIT, images=(LARGE,))
    PLACE = json_reply({"upload_url": "https://v3.fal.media/put/1?s=a%2Fb", "file_url": "https://v3.fal.media/f/1"})
    DONE: ClassVar[list[Answer]] = [SUBMITTED, COMPLETED, RESULT, image_reply(PNG)]

    def test_the_bytes_go_where_the_reply_says_and_expire(self) -> None:
        conversation = FalAdapter().converse(self.UPLOADING, MODEL)
        calls = drive(conversation, [self.PLACE, Reply(200, {}), *self.DONE]).calls
        assert (calls[0].method, calls[0].url) == (
            "POST",
            f"{REST_URL}/storage/upload/initiate?storage_type=fal-cdn-v3",
        )
        assert calls[0].headers == {"x-fal-object-lifecycle": '{"expiration_duration_seconds": 3600}'}
        assert calls[1] == HttpCall(
            "PUT",
            "https://v3.fal.media/put/1?s=a%2Fb",
            Trust.RESPONSE,
            headers={"content-type": "image/webp"},
            body=(Raw(self.LARGE),),
        )
        assert sent_json(calls[2])["image_urls"] == ["https://v3.fal.media/f/1"]

    def test_the_key_goes_to_the_storage_of_fal_itself_only(self) -> None:
        assert FalAdapter().endpoint.also == {REST_URL}
        elsewhere = FalAdapter("http://127.0.0.1:9090/fal")
        assert elsewhere.endpoint.also == frozenset()
        call = next(elsewhere.converse(self.UPLOADING, MODEL))
        assert isinstance(call, HttpCall)
        assert call.url == "/storage/upload/initiate?storage_type=fal-cdn-v3"

    def test_images_of_a_few_hundred_kilobytes_are_not_uploaded(self) -> None:
        within = Picture(b"x" * (INLINE_CHARACTERS * 3 // 4 - 30))
        (first, *_) = drive(FalAdapter().converse(replace(EDIT, images=(within,)), MODEL), self.DONE).calls
        assert first.commits

    @pytest.mark.parametrize(
        "place", [{}, {"upload_url": "https://v3.fal.media/1"}, {"file_url": "x", "upload_url": 7}]
    )
    def test_a_place_without_both_links_is_no_place_and_its_link_stays_out_of_the_log(self, place: object) -> None:
        error = drive(FalAdapter().converse(self.UPLOADING, MODEL), [json_reply(place)]).failure()
        assert (error.fault, error.spend, error.detail) == (Fault.BAD_REPLY, Spend.NONE, "upload: HTTP 200")

    def test_a_file_that_is_too_large_is_unsupported_and_the_image_is_named(self) -> None:
        refused = json_reply({"detail": [{"type": "file_too_large", "msg": "no"}]}, 413)
        error = drive(FalAdapter().converse(self.UPLOADING, MODEL), [refused]).failure()
        assert (error.fault, error.parameter, error.detail) == (
            Fault.UNSUPPORTED,
            "image",
            "upload: HTTP 413 file_too_large",
        )

    def test_an_empty_account_is_known_by_its_upload_too(self) -> None:
        locked = json_reply({"detail": "User is locked. Reason: Exhausted balance."}, 403)
        error = drive(FalAdapter().converse(self.UPLOADING, MODEL), [locked]).failure()
        assert error.fault is Fault.OUT_OF_FUNDS
