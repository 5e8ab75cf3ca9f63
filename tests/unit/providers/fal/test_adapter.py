"""fal's queue: order of calls, patience, cancelling, and the odd shapes of results."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from providers.fal.adapter import FIRST_PAUSES_S, LATER_PAUSE_S, FalAdapter
from providers.job_dialect.asking import LONGEST_PAUSE_S
from providers.spec.adapter import ProviderModel
from providers.spec.blob import BlobDamagedError
from providers.spec.conversation import BLOB_KEY, Abandoned, AbandonReason, HttpCall, Pause, Reply, Trust, Unanswered
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
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

    def test_junk_in_extras_is_not_passed_on(self) -> None:
        extras = {"system_prompt": 7, "num_inference_steps": True, "loras": ["x"]}
        assert self.body(replace(REQUEST, extras=extras)) == self.body(REQUEST)
        assert self.body(replace(REQUEST, extras=extras), FLUX) == self.body(REQUEST, FLUX)

    @pytest.mark.parametrize(
        ("request_", "schema", "parameter"),
        [
            (replace(REQUEST, resolution=Resolution.R512), "nano-banana-pro", "resolution"),
            (replace(REQUEST, resolution=Resolution.R2K), "nano-banana", "resolution"),
            (EDIT, "flux", "image"),
            (replace(REQUEST, output_format=OutputFormat.WEBP), "flux", "output_format"),
            (replace(REQUEST, mask=PNG), "nano-banana-2", "mask"),
        ],
    )
    def test_a_demand_without_a_field_is_unsupported(self, request_: ImageRequest, schema: str, parameter: str) -> None:
        with pytest.raises(ProviderError) as caught:
            next(FalAdapter().converse(request_, ProviderModel("fal-ai/x", schema)))
        assert (caught.value.fault, caught.value.parameter) == (Fault.UNSUPPORTED, parameter)
        assert caught.value.spend is Spend.NONE

    def test_wishes_without_a_field_become_warnings(self) -> None:
        extras = {"negative_prompt": "rain", "system_prompt": "be brief"}
        answers = [SUBMITTED, COMPLETED, RESULT, image_reply(PNG)]
        for model, warned in ((MODEL, ["negative_prompt"]), (FLUX, ["negative_prompt", "system_prompt"])):
            outcome = drive(FalAdapter().converse(replace(REQUEST, extras=extras), model), answers)
            assert outcome.result is not None
            assert [warning.parameter for warning in outcome.result.warnings] == warned
