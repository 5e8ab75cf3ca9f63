"""fal against the contract: its replies as the vendor's documentation and its users' reports show them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from providers.fal import errors
from providers.fal.adapter import FalAdapter
from providers.fal.inputs import RESERVED_OPTIONS
from providers.spec.adapter import ProviderModel
from providers.spec.conversation import Reply
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, OutputFormat, Resolution
from tests.contract.job_dialect import FLUX_REQUEST, HTML_502, LOAD_BALANCER_GAVE_UP, RESET, JobContract, files_lost
from tests.contract.kit import FINAL_IMAGE, REQUESTS, Answer, Case, image_reply, json_reply

NANO_BANANA_2 = ProviderModel("fal-ai/nano-banana-2", "nano-banana-2", edit_id="fal-ai/nano-banana-2/edit")
NANO_BANANA_PRO = ProviderModel("fal-ai/nano-banana-pro", "nano-banana-pro", edit_id="fal-ai/nano-banana-pro/edit")
NANO_BANANA = ProviderModel("fal-ai/nano-banana", "nano-banana", edit_id="fal-ai/nano-banana/edit")
FLUX = ProviderModel("fal-ai/flux/schnell", "flux")

REQUEST_ID = "4f0d2a66-52a5-4b6e-9c0e-2f61b7b1d2aa"
JOB = f"https://queue.fal.run/fal-ai/nano-banana-2/requests/{REQUEST_ID}"
MEDIA = "https://v3b.fal.media/files/b/lighthouse/Qm81.png"

SUBMITTED = json_reply(
    {
        "status": "IN_QUEUE",
        "request_id": REQUEST_ID,
        "gateway_request_id": REQUEST_ID,
        "response_url": JOB,
        "status_url": f"{JOB}/status",
        "cancel_url": f"{JOB}/cancel",
        "queue_position": 0,
        "logs": None,
        "metrics": {},
    }
)


def status(state: str, http: int = 202, **more: Any) -> Reply:
    return json_reply({"status": state, "request_id": REQUEST_ID, "response_url": JOB, "logs": None, **more}, http)


QUEUED = status("IN_QUEUE", queue_position=1)
RUNNING = status("IN_PROGRESS", metrics={})
COMPLETED = status("COMPLETED", 200, metrics={"inference_time": 12.8})
RESULT = json_reply(
    {
        "images": [{"url": MEDIA, "content_type": None, "file_name": None, "file_size": None, "width": None}],
        "description": "",
    },
    headers={"x-fal-billable-units": "1"},
)
CANCELLING = json_reply({"status": "CANCELLATION_REQUESTED"}, 202)
TOO_LATE = json_reply({"status": "ALREADY_COMPLETED"}, 400)


def ended(*after: Answer) -> list[Answer]:
    """The replies of a job that ran to its end, and what came then."""
    return [SUBMITTED, RUNNING, COMPLETED, *after]


def model_error(kind: str, http: int = 422, headers: Mapping[str, str] | None = None, where: str = "prompt") -> Reply:
    item = {
        "loc": ["body", where],
        "msg": "What the vendor has to say about it.",
        "type": kind,
        "url": f"https://docs.fal.ai/errors#{kind}",
        "input": {"prompt": "what the caller wrote"},
    }
    return json_reply({"detail": [item]}, http, headers)


def request_error(kind: str, http: int) -> Reply:
    return json_reply({"detail": "What fal has to say about it", "error_type": kind}, http, {"x-fal-error-type": kind})


FREE = {"x-fal-billable-units": "0"}
BILLED = {"x-fal-billable-units": "1.5"}

MODEL_ERRORS: Sequence[tuple[str, int, Fault, str | None]] = (
    ("content_policy_violation", 422, Fault.CONTENT_REFUSED, None),
    ("no_media_generated", 422, Fault.BAD_REPLY, None),
    ("image_load_error", 422, Fault.INVALID_REQUEST, "image"),
    ("file_too_large", 422, Fault.INVALID_REQUEST, "image"),
    ("image_too_small", 422, Fault.INVALID_REQUEST, "image"),
    ("image_too_large", 422, Fault.INVALID_REQUEST, "image"),
    ("unsupported_image_format", 422, Fault.INVALID_REQUEST, "image"),
    ("image_aspect_ratio_error", 422, Fault.INVALID_REQUEST, "image"),
    ("face_detection_error", 422, Fault.INVALID_REQUEST, "image"),
    ("string_too_short", 422, Fault.INVALID_REQUEST, "prompt"),
    ("file_download_error", 422, Fault.UNSUPPORTED, "image"),
    ("missing", 422, Fault.UNSUPPORTED, None),
    ("literal_error", 422, Fault.UNSUPPORTED, None),
    ("value_error", 422, Fault.UNSUPPORTED, None),
    ("greater_than", 422, Fault.UNSUPPORTED, None),
    ("greater_than_equal", 422, Fault.UNSUPPORTED, None),
    ("less_than", 422, Fault.UNSUPPORTED, None),
    ("less_than_equal", 422, Fault.UNSUPPORTED, None),
    ("multiple_of", 422, Fault.UNSUPPORTED, None),
    ("one_of", 422, Fault.UNSUPPORTED, None),
    ("sequence_too_short", 422, Fault.UNSUPPORTED, None),
    ("sequence_too_long", 422, Fault.UNSUPPORTED, None),
    ("feature_not_supported", 422, Fault.UNSUPPORTED, None),
    ("invalid_request", 422, Fault.UNSUPPORTED, None),
    ("generation_timeout", 504, Fault.OVERLOADED, None),
    ("internal_server_error", 500, Fault.OVERLOADED, None),
    ("downstream_service_error", 400, Fault.OVERLOADED, None),
    ("downstream_service_unavailable", 500, Fault.OVERLOADED, None),
)

REQUEST_ERRORS: Sequence[tuple[str, int, Fault, Spend]] = (
    ("request_timeout", 504, Fault.OVERLOADED, Spend.NONE),
    ("startup_timeout", 504, Fault.OVERLOADED, Spend.NONE),
    ("runner_scheduling_failure", 503, Fault.OVERLOADED, Spend.NONE),
    ("runner_connection_timeout", 503, Fault.OVERLOADED, Spend.NONE),
    ("runner_disconnected", 503, Fault.OVERLOADED, Spend.NONE),
    ("runner_connection_refused", 503, Fault.OVERLOADED, Spend.NONE),
    ("runner_connection_error", 503, Fault.OVERLOADED, Spend.NONE),
    ("runner_incomplete_response", 502, Fault.OVERLOADED, Spend.NONE),
    ("runner_server_error", 500, Fault.OVERLOADED, Spend.NONE),
    ("internal_error", 500, Fault.OVERLOADED, Spend.NONE),
    ("client_disconnected", 499, Fault.OVERLOADED, Spend.POSSIBLE),
    ("client_cancelled", 499, Fault.OVERLOADED, Spend.POSSIBLE),
    ("bad_request", 400, Fault.UNSUPPORTED, Spend.NONE),
)

CASES = (
    *(
        Case(kind, ended(model_error(kind, http, FREE)), fault, covers=[f"model:{kind}"], parameter=parameter)
        for kind, http, fault, parameter in MODEL_ERRORS
    ),
    *(
        Case(kind, ended(request_error(kind, http)), fault, spend, covers=[f"request:{kind}"])
        for kind, http, fault, spend in REQUEST_ERRORS
    ),
    Case(
        "too many at once",
        [
            json_reply(
                {"detail": "Concurrent requests limit reached", "error_type": "concurrent_requests_limit"},
                429,
                {"retry-after": "4", "x-fal-needs-retry": "1"},
            )
        ],
        Fault.RATE_LIMITED,
        retry_after=4.0,
        covers=["request:concurrent_requests_limit", "status:429"],
    ),
    Case(
        "wrong key", [json_reply({"detail": "invalid key credentials"}, 401)], Fault.CREDENTIALS, covers=["status:401"]
    ),
    Case("pay first", [json_reply({"detail": "Payment is required"}, 402)], Fault.OUT_OF_FUNDS, covers=["status:402"]),
    Case("not allowed", [json_reply({"detail": "Access denied"}, 403)], Fault.CREDENTIALS, covers=["status:403"]),
    Case(
        "no balance",
        [json_reply({"detail": "User is locked. Reason: Exhausted balance. Top up your balance first."}, 403)],
        Fault.OUT_OF_FUNDS,
    ),
    Case(
        "no such app",
        [json_reply({"detail": 'Application "nope" not found'}, 404)],
        Fault.MODEL_GONE,
        covers=["status:404"],
    ),
    Case("a plain 422", ended(json_reply({"detail": "This is not possible here"}, 422)), Fault.UNSUPPORTED),
    Case("an unknown type", ended(model_error("brand_new_error")), Fault.UNSUPPORTED),
    Case("refused at submit", [model_error("content_policy_violation")], Fault.CONTENT_REFUSED),
    Case("refused without a word on the bill", ended(model_error("content_policy_violation")), Fault.CONTENT_REFUSED),
    Case(
        "refused and billed",
        ended(model_error("content_policy_violation", headers=BILLED)),
        Fault.CONTENT_REFUSED,
        Spend.CHARGED,
    ),
    Case(
        "a bill nobody can read",
        ended(model_error("no_media_generated", headers={"x-fal-billable-units": "nan"})),
        Fault.BAD_REPLY,
    ),
    Case("no start in time", [request_error("request_timeout", 504)], Fault.OVERLOADED),
    LOAD_BALANCER_GAVE_UP,
    Case("a submit that names no job", [json_reply({"status": "IN_QUEUE"})], Fault.BAD_REPLY, Spend.POSSIBLE),
    Case(
        "the job is unknown", ended(json_reply({"detail": "Request not found"}, 404)), Fault.BAD_REPLY, Spend.POSSIBLE
    ),
    Case(
        "no status for long",
        [SUBMITTED, HTML_502, RESET, HTML_502, json_reply({"status": "DREAMING"}), HTML_502, CANCELLING],
        Fault.OVERLOADED,
        Spend.POSSIBLE,
    ),
    Case(
        "no status, and the cancel came too late", [SUBMITTED, *[RESET] * 5, TOO_LATE], Fault.UNREACHABLE, Spend.CHARGED
    ),
    Case(
        "the wait of a status",
        [SUBMITTED, *[json_reply({"detail": "Slow down please"}, 429, {"retry-after": "2"})] * 5, CANCELLING],
        Fault.RATE_LIMITED,
        Spend.POSSIBLE,
        retry_after=2.0,
    ),
    Case("no result for long", ended(*[HTML_502] * 4, RESET), Fault.UNREACHABLE, Spend.POSSIBLE),
    Case(
        "no result, but the status knew why",
        [
            SUBMITTED,
            status("COMPLETED", 200, error="Runner disconnected", error_type="runner_disconnected"),
            *[HTML_502] * 5,
        ],
        Fault.OVERLOADED,
    ),
    Case(
        "no images",
        ended(json_reply({"images": [], "description": "Here is a poem."})),
        Fault.BAD_REPLY,
        Spend.POSSIBLE,
    ),
    Case("no images, and no bill", ended(json_reply({"images": None}, headers=FREE)), Fault.BAD_REPLY),
    Case(
        "a picture that was flagged",
        ended(json_reply({"images": [{"url": MEDIA}], "has_nsfw_concepts": [True]})),
        Fault.CONTENT_REFUSED,
        Spend.POSSIBLE,
    ),
    Case(
        "a picture that was flagged under another name",
        ended(json_reply({"image": {"url": MEDIA}, "nsfw_content_detected": True}, headers=BILLED)),
        Fault.CONTENT_REFUSED,
        Spend.CHARGED,
    ),
    *files_lost(ended(RESULT)),
)


class TestFal(JobContract):
    reads_uploads = (True, False)
    keyed_uploads = (True, False)
    # FLUX's checker may be switched off by whoever answers for it.
    defaults = frozenset({"enable_safety_checker"})

    def adapter(self) -> FalAdapter:
        return FalAdapter()

    def model(self) -> ProviderModel:
        return NANO_BANANA_2

    def success(self, request: ImageRequest) -> list[Reply]:
        return [SUBMITTED, QUEUED, RUNNING, COMPLETED, RESULT, image_reply(FINAL_IMAGE)]

    def uploaded(self, number: int) -> list[Reply]:
        place = {
            "upload_url": f"https://v3b.fal.media/upload/{number}?signature=Zm9v%2Fbar",
            "file_url": f"https://v3b.fal.media/files/b/{number}.png",
        }
        return [json_reply(place), Reply(200, {})]

    def reserved(self) -> frozenset[str]:
        return RESERVED_OPTIONS

    def set_by_the_gateway(self) -> Iterator[str]:
        for path in self._golden_folder().glob("*.json"):
            call = json.loads(path.read_text(encoding="utf-8"))
            if path.stem not in {"edit_large", "flux_512_jpeg_seed_steps"}:
                yield from call["body"]

    def cases(self) -> Sequence[Case]:
        return CASES

    def tables(self) -> Mapping[str, Collection[object]]:
        return {"model": errors.MODEL_ERRORS, "request": errors.REQUEST_ERRORS, "status": errors.STATUSES}

    def goldens(self) -> Mapping[str, ProviderModel]:
        return {
            **dict.fromkeys(sorted(REQUESTS), NANO_BANANA_2),
            "count_3": NANO_BANANA_2,
            "count_3_seed": NANO_BANANA_2,
            "edit_large": NANO_BANANA_2,
            "pro_generate_nothing_asked": NANO_BANANA_PRO,
            "pro_edit_4k": NANO_BANANA_PRO,
            "pro_safety_strict": NANO_BANANA_PRO,
            "pro_safety_standard": NANO_BANANA_PRO,
            "pro_safety_relaxed": NANO_BANANA_PRO,
            "first_generate_nothing_asked": NANO_BANANA,
            "first_edit": NANO_BANANA,
            "flux_wide": FLUX,
            "flux_nothing_asked": FLUX,
            "flux_512_jpeg_seed_steps": FLUX,
        }

    def more_requests(self) -> Mapping[str, ImageRequest]:
        nothing = REQUESTS["generate_nothing_asked"]
        return {
            **super().more_requests(),
            "count_3": replace(nothing, n=3),
            "count_3_seed": replace(nothing, n=3, seed=7),
            "edit_large": self.uploading(),
            "pro_generate_nothing_asked": nothing,
            "flux_nothing_asked": replace(nothing, resolution=None),
            "flux_512_jpeg_seed_steps": replace(
                FLUX_REQUEST,
                resolution=Resolution.R512,
                pixels=(512, 512),
                output_format=OutputFormat.JPEG,
                seed=42,
                provider_options={"fal": {"num_inference_steps": 4}, "replicate": {"go_fast": False}},
            ),
        }
