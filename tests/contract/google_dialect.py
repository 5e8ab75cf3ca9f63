"""What the Gemini API and Vertex AI have in common: recorded-style replies and the case table of generateContent."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from providers.google_dialect import errors
from providers.google_dialect.wire import SCHEMAS
from providers.spec.adapter import ProviderModel
from providers.spec.conversation import HttpCall, Interim, NextEvent, Reply, Unanswered
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, OutputFormat, Safety
from tests.contract.kit import (
    FINAL_IMAGE,
    INTERIM_IMAGE,
    PROMPT,
    REQUESTS,
    AdapterContract,
    Answer,
    Case,
    Picture,
    json_reply,
    text_reply,
)

ECHO = f"Simulated words of the vendor about {PROMPT}"

MODEL_3 = ProviderModel("gemini-3.1-flash-image", "gemini-3-image")
MODEL_25 = ProviderModel("gemini-2.5-flash-image", "gemini-2.5-image")

GOLDENS: Mapping[str, ProviderModel] = {
    **dict.fromkeys(
        (
            "generate_ratio_2k",
            "generate_nothing_asked",
            "generate_512",
            "generate_4k",
            "edit_one_image_no_ratio",
            "edit_two_images",
            "seed",
            "web_search",
            "thinking_minimal",
            "thinking_high",
            "extras",
            "safety_strict",
            "safety_standard",
            "safety_relaxed",
            "image_search",
            "web_and_image_search",
            "partial_images",
            "partial_images_thinking_high",
            "options",
        ),
        MODEL_3,
    ),
    "generate_no_tier": MODEL_25,
    "tier_and_thinking_the_model_lacks": MODEL_25,
    "partial_images_of_a_model_without_thoughts": MODEL_25,
}

_PLAIN = REQUESTS["generate_ratio_2k"]
STREAMED = replace(_PLAIN, partial_images=2)
OPTIONS: Mapping[str, object] = {
    "generation_config": {"temperature": 0.4, "image_config": {"person_generation": "ALLOW_ALL"}},
    "labels": {"cost_center": "a"},
}

MORE_REQUESTS: Mapping[str, ImageRequest] = {
    "tier_and_thinking_the_model_lacks": replace(_PLAIN, thinking="high", seed=2**40 + 7),
    **{f"safety_{level.value}": replace(_PLAIN, safety=level) for level in Safety},
    "image_search": replace(_PLAIN, image_search=True),
    "web_and_image_search": replace(_PLAIN, image_search=True, web_search=True),
    "partial_images": STREAMED,
    "partial_images_thinking_high": replace(STREAMED, thinking="high"),
    "partial_images_of_a_model_without_thoughts": STREAMED,
    "options": replace(_PLAIN, provider_options={"gemini": OPTIONS, "vertex": OPTIONS, "fal": {"seed": 1}}),
    "jpeg_of_a_quality": replace(_PLAIN, output_format=OutputFormat.JPEG, output_compression=0),
    "png_of_a_quality": replace(_PLAIN, output_format=OutputFormat.PNG, output_compression=50),
}


def image_part(picture: Picture, *, thought: bool = False) -> dict[str, object]:
    """An inline image as Google sends it."""
    inline = {"mimeType": picture.media_type, "data": base64.b64encode(picture.content).decode()}
    return {"inlineData": inline, "thoughtSignature": "c2lnbmVk", **({"thought": True} if thought else {})}


def answer(*parts: object, finish: str | None = "STOP", **more: object) -> dict[str, object]:
    """A generateContent answer with one candidate."""
    candidate: dict[str, object] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-3.1-flash-image", "responseId": "r1", **more}


USAGE = {
    "promptTokenCount": 1132,
    "candidatesTokenCount": 1125,
    "thoughtsTokenCount": 108,
    "toolUsePromptTokenCount": 20,
    "totalTokenCount": 2385,
    "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}, {"modality": "TEXT", "tokenCount": 12}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
}


def error(code: int, status: str, message: str = ECHO, details: Sequence[object] | None = None) -> dict[str, object]:
    """Google's error body."""
    body: dict[str, object] = {"code": code, "message": message, "status": status}
    return {"error": body if details is None else {**body, "details": list(details)}}


def error_info(reason: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def retry_info(delay: object) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota(*ids: str, value: str | None = None) -> dict[str, object]:
    violations = [{"quotaId": name, "quotaDimensions": {"location": "global"}} for name in ids]
    if value is not None:
        violations[0]["quotaValue"] = value
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


def _refused(reason: str) -> Case:
    withheld = {"candidates": [{"content": {"role": "model"}, "finishReason": reason, "finishMessage": ECHO}]}
    return Case(f"finish {reason}", [json_reply(withheld)], Fault.CONTENT_REFUSED, covers=[f"refusal:{reason}"])


def _blocked(reason: str) -> Case:
    feedback = {"promptFeedback": {"blockReason": reason, "blockReasonMessage": ECHO}}
    return Case(f"prompt blocked {reason}", [json_reply(feedback)], Fault.CONTENT_REFUSED)


def _no_image(name: str, document: object, spend: Spend = Spend.NONE) -> Case:
    return Case(name, [json_reply(document)], Fault.BAD_REPLY, spend)


def _status(
    code: int, status: str, fault: Fault, details: Sequence[object] | None = None, *, listed: bool = True
) -> Case:
    reply = json_reply(error(code, status, details=details), code)
    return Case(f"{code} {status}", [reply], fault, covers=[f"status:{code}"] if listed else ())


def _limited(name: str, wait: float | None, message: str = ECHO, details: Sequence[object] | None = None) -> Case:
    reply = json_reply(error(429, "RESOURCE_EXHAUSTED", message, details), 429)
    return Case(f"429 {name}", [reply], Fault.RATE_LIMITED, retry_after=wait)


PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"

CASES: Sequence[Case] = (
    *map(
        _refused,
        (
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
            "ESCALATION",
        ),
    ),
    *map(
        _blocked,
        ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK", "A_REASON_TO_COME"),
    ),
    Case(
        "a black picture beside a refusal",
        [json_reply(answer(image_part(INTERIM_IMAGE), finish="IMAGE_SAFETY", usageMetadata=USAGE))],
        Fault.CONTENT_REFUSED,
    ),
    _no_image("text only", answer({"text": ECHO})),
    _no_image("text that asks back", answer({"text": "Which colour did you have in mind?"})),
    _no_image("NO_IMAGE", {"candidates": [{"finishReason": "NO_IMAGE", "index": 0}], "usageMetadata": USAGE}),
    _no_image("a thought picture and NO_IMAGE", answer(image_part(INTERIM_IMAGE, thought=True), finish="NO_IMAGE")),
    _no_image("IMAGE_OTHER", {"candidates": [{"content": {"role": "model"}, "finishReason": "IMAGE_OTHER"}]}),
    _no_image("OTHER", answer(finish="OTHER")),
    _no_image("MALFORMED_RESPONSE", answer(finish="MALFORMED_RESPONSE")),
    _no_image("MAX_TOKENS", answer({"text": "Planning", "thought": True}, finish="MAX_TOKENS")),
    _no_image("a reason nobody knows", answer(finish="A_REASON_TO_COME")),
    _no_image("no finish reason", answer({"text": "Here you are."}, finish=None)),
    _no_image("no candidates", {"candidates": [], "usageMetadata": USAGE}),
    _no_image("candidates null", {"candidates": None, "promptFeedback": None, "usageMetadata": None}),
    _no_image("an empty object", {}),
    _no_image("a picture without data", answer({"inlineData": {"mimeType": "image/png", "data": ""}})),
    _no_image("sound for a picture", answer({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}})),
    Case("200 HTML", [text_reply(f"<html>{ECHO}</html>", 200)], Fault.BAD_REPLY, Spend.POSSIBLE),
    Case(
        "200 with an error inside",
        [json_reply([error(503, "UNAVAILABLE")])],
        Fault.OVERLOADED,
    ),
    _status(401, "UNAUTHENTICATED", Fault.CREDENTIALS, [error_info("ACCESS_TOKEN_EXPIRED")]),
    _status(402, "RESOURCE_EXHAUSTED", Fault.OUT_OF_FUNDS),
    _status(403, "PERMISSION_DENIED", Fault.CREDENTIALS, [error_info("IAM_PERMISSION_DENIED")]),
    _status(404, "NOT_FOUND", Fault.MODEL_GONE),
    _status(408, "DEADLINE_EXCEEDED", Fault.OVERLOADED),
    _status(413, "INVALID_ARGUMENT", Fault.UNSUPPORTED),
    _status(429, "RESOURCE_EXHAUSTED", Fault.RATE_LIMITED),
    _status(499, "CANCELLED", Fault.OVERLOADED),
    _status(500, "INTERNAL", Fault.OVERLOADED, listed=False),
    _status(503, "UNAVAILABLE", Fault.OVERLOADED, listed=False),
    Case(
        "503 with a wait",
        [json_reply(error(503, "UNAVAILABLE", details=[retry_info("2.5s")]), 503)],
        Fault.OVERLOADED,
        retry_after=2.5,
    ),
    Case("504", [json_reply(error(504, "DEADLINE_EXCEEDED"), 504)], Fault.OVERLOADED, Spend.POSSIBLE),
    Case("502 HTML", [text_reply(f"<html>{ECHO}</html>", 502)], Fault.OVERLOADED),
    Case("400 unknown field", [json_reply(error(400, "INVALID_ARGUMENT"), 400)], Fault.UNSUPPORTED),
    Case("400 in a list", [json_reply([error(400, "INVALID_ARGUMENT")], 400)], Fault.UNSUPPORTED),
    Case(
        "400 key not valid",
        [json_reply(error(400, "INVALID_ARGUMENT", details=[error_info("API_KEY_INVALID")]), 400)],
        Fault.CREDENTIALS,
        covers=["reason:API_KEY_INVALID"],
    ),
    Case(
        "403 billing disabled",
        [json_reply(error(403, "PERMISSION_DENIED", details=[error_info("BILLING_DISABLED")]), 403)],
        Fault.OUT_OF_FUNDS,
        covers=["reason:BILLING_DISABLED"],
    ),
    Case(
        "400 account not set up",
        [json_reply(error(400, "FAILED_PRECONDITION"), 400)],
        Fault.CREDENTIALS,
        covers=["canonical:FAILED_PRECONDITION"],
    ),
    *(
        Case(
            f"400 {message}",
            [json_reply(error(400, "INVALID_ARGUMENT", f"{message}. Please retry or report it."), 400)],
            Fault.INVALID_REQUEST,
            covers=[f"bad input image:{message}"],
            request=REQUESTS["edit_two_images"],
            parameter="image",
        )
        for message in ("Provided image is not valid", "Unable to process input image")
    ),
    Case(
        "400 about an image nobody sent",
        [json_reply(error(400, "INVALID_ARGUMENT", "Provided image is not valid."), 400)],
        Fault.UNSUPPORTED,
    ),
    _limited("per minute", 45.0, details=[quota(PER_MINUTE), retry_info("45s")]),
    _limited("per minute to the nanosecond", 45.578569677, details=[quota(PER_MINUTE), retry_info("45.578569677s")]),
    _limited(
        "wait in the message only", 45.578569677, "Simulated. Please retry in 45.578569677s.", [quota(PER_MINUTE)]
    ),
    _limited("wait unreadable", None, details=[quota(PER_MINUTE), retry_info("soon")]),
    _limited("per day among others", 3600.0, details=[quota(PER_MINUTE, PER_DAY), retry_info("38s")]),
    _limited("shared quota, nothing stated", None, "Resource exhausted. Please try again later."),
    _limited("a limit that is not zero", None, "Simulated quota, limit: 0.5 per second"),
    Case(
        "429 in a list with the header",
        [json_reply([error(429, "RESOURCE_EXHAUSTED")], 429, {"retry-after": "8"})],
        Fault.RATE_LIMITED,
        retry_after=8.0,
    ),
    Case(
        "429 limit zero in the message",
        [json_reply(error(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0, model: x"), 429)],
        Fault.OUT_OF_FUNDS,
    ),
    Case(
        "429 limit zero in the details",
        [json_reply(error(429, "RESOURCE_EXHAUSTED", details=[quota(PER_DAY, value="0")]), 429)],
        Fault.OUT_OF_FUNDS,
    ),
    Case("refused connection", [Unanswered("connection refused", sent=False)], Fault.UNREACHABLE),
    Case("reset", [Unanswered("connection reset", sent=True)], Fault.UNREACHABLE, Spend.POSSIBLE),
)


class GoogleContract(AdapterContract):
    """The contract plus what only generateContent can get wrong."""

    def model(self) -> ProviderModel:
        return MODEL_3

    def success(self, request: ImageRequest) -> list[Reply]:
        return [json_reply(answer({"text": "Here it is."}, image_part(FINAL_IMAGE), usageMetadata=USAGE))]

    def cases(self) -> Sequence[Case]:
        return CASES

    def tables(self) -> Mapping[str, Collection[object]]:
        return {
            "refusal": errors.REFUSALS,
            "status": errors.STATUSES,
            "canonical": errors.CANONICAL,
            "reason": errors.REASONS,
            "bad input image": errors.BAD_INPUT_IMAGE,
        }

    def goldens(self) -> Mapping[str, ProviderModel]:
        return GOLDENS

    def more_requests(self) -> Mapping[str, ImageRequest]:
        return MORE_REQUESTS

    def test_the_schemas_are_those_of_the_dialect(self) -> None:
        assert self.adapter().schemas == frozenset(SCHEMAS)

    def test_usage_is_read_as_it_is_billed(self) -> None:
        result = self._drive(self.success(self.request())).result
        assert result is not None
        usage = result.usage
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens) == (1152, 1233)
        assert (usage.input_text_tokens, usage.input_image_tokens) == (12, 1120)
        assert (usage.output_image_tokens, usage.thought_tokens) == (1120, 108)

    def test_a_reserved_option_is_refused_before_any_call(self) -> None:
        name = self.adapter().name
        taken: tuple[dict[str, object], ...] = (
            {"contents": []},
            {"generation_config": {"candidate_count": 2}},
            {"generationConfig": None},
        )
        for options in taken:
            request = replace(self.request(), provider_options={name: options})
            outcome = self._drive([], request=request)
            error = outcome.failure()
            assert (error.fault, error.parameter) == (Fault.UNSUPPORTED, "provider_options")
            assert (error.spend, outcome.steps) == (Spend.NONE, [])

    def test_a_reply_that_is_no_stream_is_read_whole(self) -> None:
        outcome = self._drive(GoogleContract.success(self, self.request()), request=STREAMED)
        assert outcome.result is not None
        assert [blob.read() for blob in outcome.result.images] == [FINAL_IMAGE.content]


EVENTS = Reply(200, {"content-type": "text/event-stream"}, events=True)
"""The head of a streamed answer."""

THOUGHT = json_reply(
    answer(image_part(INTERIM_IMAGE, thought=True), finish=None, usageMetadata={"promptTokenCount": 9})
)
PICTURE = json_reply(answer(image_part(FINAL_IMAGE), finish=None))
LAST = json_reply(answer({"text": "", "thoughtSignature": "c2ln"}, usageMetadata=USAGE))


def _broken(name: str, *events: Answer, fault: Fault, spend: Spend = Spend.NONE, wait: float | None = None) -> Case:
    return Case(f"stream: {name}", [EVENTS, *events], fault, spend, wait, request=STREAMED)


STREAM_CASES: Sequence[Case] = (
    _broken("nothing at all", fault=Fault.BAD_REPLY, spend=Spend.POSSIBLE),
    _broken("no finish reason", THOUGHT, PICTURE, fault=Fault.BAD_REPLY, spend=Spend.POSSIBLE),
    _broken(
        "it breaks",
        THOUGHT,
        Unanswered("cut short", sent=True),
        fault=Fault.UNREACHABLE,
        spend=Spend.POSSIBLE,
    ),
    _broken("not JSON", text_reply(f"<html>{ECHO}", 200), fault=Fault.BAD_REPLY, spend=Spend.POSSIBLE),
    _broken("an error at once", json_reply(error(503, "UNAVAILABLE")), fault=Fault.OVERLOADED),
    _broken(
        "an error after a picture",
        THOUGHT,
        json_reply(error(503, "UNAVAILABLE", details=[retry_info("2.5s")])),
        fault=Fault.OVERLOADED,
        spend=Spend.POSSIBLE,
        wait=2.5,
    ),
    _broken(
        "a limit after words",
        json_reply(answer({"text": "Working on it."}, finish=None)),
        json_reply(error(429, "RESOURCE_EXHAUSTED", details=[retry_info("7s")])),
        fault=Fault.RATE_LIMITED,
        wait=7.0,
    ),
    _broken("refused after a thought", THOUGHT, json_reply(answer(finish="IMAGE_SAFETY")), fault=Fault.CONTENT_REFUSED),
    _broken(
        "refused beside a picture", PICTURE, json_reply(answer(finish="IMAGE_SAFETY")), fault=Fault.CONTENT_REFUSED
    ),
    _broken(
        "a blocked prompt",
        json_reply({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": ECHO}}),
        fault=Fault.CONTENT_REFUSED,
    ),
    _broken("words only", json_reply(answer({"text": ECHO}, finish=None)), LAST, fault=Fault.BAD_REPLY),
    _broken("a thought and NO_IMAGE", THOUGHT, json_reply(answer(finish="NO_IMAGE")), fault=Fault.BAD_REPLY),
)


class GoogleStreamContract(GoogleContract):
    """The same contract where interim images are wanted, and the answer comes event by event."""

    def request(self) -> ImageRequest:
        return STREAMED

    def success(self, request: ImageRequest) -> list[Reply]:
        return [EVENTS, THOUGHT, PICTURE, LAST]

    def cases(self) -> Sequence[Case]:
        return STREAM_CASES

    def tables(self) -> Mapping[str, Collection[object]]:
        return {}

    def test_every_call_says_where_its_url_came_from(self) -> None:
        (call,) = self._drive(self.success(self.request())).calls
        assert call.url.endswith(":streamGenerateContent?alt=sse")
        assert call.events

    def test_an_interim_image_is_handed_out_before_the_next_event_is_asked_for(self) -> None:
        steps = [type(step) for step in self._drive(self.success(self.request())).steps]
        assert steps == [HttpCall, NextEvent, Interim, NextEvent, NextEvent, NextEvent]

    def test_no_more_interim_images_are_handed_out_than_were_asked_for(self) -> None:
        outcome = self._drive([EVENTS, *[THOUGHT] * 5, PICTURE, LAST])
        assert outcome.interims == [INTERIM_IMAGE.content] * 2
        assert outcome.result is not None

    def test_the_last_picture_that_is_no_thought_is_the_answer(self) -> None:
        early = json_reply(answer(image_part(Picture(b"of a default size")), finish=None))
        outcome = self._drive([EVENTS, early, PICTURE, THOUGHT, LAST])
        assert outcome.result is not None
        assert [blob.read() for blob in outcome.result.images] == [FINAL_IMAGE.content]

    def test_an_only_picture_marked_as_a_thought_is_the_answer_when_the_model_finished(self) -> None:
        outcome = self._drive([EVENTS, THOUGHT, LAST])
        assert outcome.result is not None
        assert [blob.read() for blob in outcome.result.images] == [INTERIM_IMAGE.content]
