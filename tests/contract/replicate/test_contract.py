"""Replicate against the contract: its replies as the vendor's documentation and its users' reports show them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from providers.replicate import errors
from providers.replicate.adapter import ReplicateAdapter
from providers.replicate.inputs import RESERVED_OPTIONS
from providers.spec.adapter import ProviderModel
from providers.spec.conversation import Reply
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, OutputFormat, Resolution
from tests.contract.job_dialect import FLUX_REQUEST, HTML_502, LOAD_BALANCER_GAVE_UP, RESET, JobContract, files_lost
from tests.contract.kit import FINAL_IMAGE, REQUESTS, Answer, Case, image_reply, json_reply

NANO_BANANA_2 = ProviderModel("google/nano-banana-2", "nano-banana-2")
NANO_BANANA_PRO = ProviderModel("google/nano-banana-pro", "nano-banana-pro")
NANO_BANANA = ProviderModel("google/nano-banana", "nano-banana")
FLUX_SCHNELL = ProviderModel("black-forest-labs/flux-schnell", "flux-schnell")
FLUX_DEV = ProviderModel("black-forest-labs/flux-dev", "flux-dev")

PREDICTION_ID = "q7v3k0r1z9rmy0cw1h2t8b4n5c"
JOB = f"https://api.replicate.com/v1/predictions/{PREDICTION_ID}"
FILE = "https://replicate.delivery/xezq/Jw9dTq/tmpk2a.png"
STARTED: dict[str, Any] = {"started_at": "2026-10-01T08:00:00.310Z"}
DONE: dict[str, Any] = {**STARTED, "completed_at": "2026-10-01T08:00:14.020Z"}


def prediction(status: object, output: object = None, http: int = 200, **more: Any) -> Reply:
    """A prediction as every call shows it."""
    return json_reply(
        {
            "id": PREDICTION_ID,
            "model": "google/nano-banana-2",
            "version": "hidden",
            "input": {"prompt": "what the caller wrote", "image_input": []},
            "logs": "",
            "output": output,
            "data_removed": False,
            "error": None,
            "status": status,
            "source": "api",
            "created_at": "2026-10-01T08:00:00.000Z",
            "urls": {"get": JOB, "cancel": f"{JOB}/cancel", "web": f"https://replicate.com/p/{PREDICTION_ID}"},
            **more,
        },
        http,
    )


CREATED = prediction("starting", http=201)
RUNNING = prediction("processing", **STARTED)
SUCCEEDED = prediction("succeeded", FILE, metrics={"predict_time": 13.7, "resolution": "2K"}, **DONE)
CANCELED = prediction("canceled")


def failed(error: object) -> list[Answer]:
    """A prediction that ran and failed with this error."""
    return [CREATED, RUNNING, prediction("failed", error=error, metrics={"predict_time": 6.2}, **DONE)]


def problem(http: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
    return json_reply({"title": title, "detail": detail, "status": http, **more}, http, headers)


SLOW_DOWN = "Request was throttled. Your rate limit for creating predictions is reduced. Your rate limit resets in ~5s."

CODES: Sequence[tuple[str, str, Fault]] = (
    ("E003", "Service is currently unavailable due to high demand. (E003)", Fault.OVERLOADED),
    ("E004", "Service is temporarily unavailable. Please try again later. (E004)", Fault.OVERLOADED),
    (
        "E005",
        "The input or output was flagged as sensitive. Please try different inputs. (E005)",
        Fault.CONTENT_REFUSED,
    ),
    ("E006", "Invalid input, or so it is said. (E006)", Fault.UNSUPPORTED),
    ("E1000", "E1000: something went wrong", Fault.OVERLOADED),
    ("E1001", "Out of memory (E1001)", Fault.OVERLOADED),
    ("E4875", "Webhook URL is empty (E4875)", Fault.BAD_REPLY),
    ("E6716", "Director: unexpected error handling prediction (E6716)", Fault.OVERLOADED),
    ("E8367", "Prediction stopped early (E8367)", Fault.OVERLOADED),
    ("E8765", "Health check failed (E8765)", Fault.OVERLOADED),
    ("E9243", "Could not start (E9243)", Fault.OVERLOADED),
    ("E9825", "Could not upload the file (E9825)", Fault.OVERLOADED),
    ("PA", "Prediction interrupted; please retry (code: PA)", Fault.OVERLOADED),
)

CASES = (
    *(Case(code, failed(text), fault, covers=[f"code:{code}"]) for code, text, fault in CODES),
    Case(
        "failed without a code but not safe",
        failed("NSFW content detected. Try another prompt."),
        Fault.CONTENT_REFUSED,
    ),
    Case("failed without a code but busy", failed("Please try again in a moment"), Fault.OVERLOADED),
    Case("failed without a code", failed("Something nobody has seen before"), Fault.BAD_REPLY),
    Case("failed with a code nobody knows", failed("Something odd happened (E002)"), Fault.BAD_REPLY),
    Case("failed without an error", failed(None), Fault.BAD_REPLY),
    Case(
        "failed with output",
        [CREATED, prediction("failed", FILE, error="flagged as sensitive (E005)")],
        Fault.CONTENT_REFUSED,
    ),
    Case("failed within the create", [prediction("failed", http=201, error="high demand (E003)")], Fault.OVERLOADED),
    Case(
        "canceled by somebody",
        [CREATED, RUNNING, prediction("canceled", **DONE)],
        Fault.OVERLOADED,
        Spend.POSSIBLE,
        covers=["end:canceled"],
    ),
    Case("aborted", [CREATED, prediction("aborted")], Fault.OVERLOADED, covers=["end:aborted"]),
    Case(
        "no token",
        [problem(401, "Unauthenticated", "You did not pass a valid token")],
        Fault.CREDENTIALS,
        covers=["status:401"],
    ),
    Case(
        "no credit",
        [problem(402, "Insufficient credit", "You have no credit")],
        Fault.OUT_OF_FUNDS,
        covers=["status:402"],
    ),
    Case("not allowed", [problem(403, "Forbidden", "You may not do this")], Fault.CREDENTIALS, covers=["status:403"]),
    Case(
        "no such model", [problem(404, "Not found", "It could not be found")], Fault.MODEL_GONE, covers=["status:404"]
    ),
    Case("slow request", [problem(408, "Timeout", "It took too long")], Fault.OVERLOADED, covers=["status:408"]),
    Case("closed", [problem(499, "Closed", "The client went away")], Fault.OVERLOADED, covers=["status:499"]),
    Case(
        "throttled, the wait in the text",
        [json_reply({"detail": SLOW_DOWN}, 429)],
        Fault.RATE_LIMITED,
        retry_after=5.0,
        covers=["status:429"],
    ),
    Case(
        "throttled, the wait in a field",
        [problem(429, "Request was throttled", SLOW_DOWN, {"retry-after": "9"}, retry_after=7)],
        Fault.RATE_LIMITED,
        retry_after=7.0,
    ),
    Case(
        "throttled, the wait in a header",
        [problem(429, "Request was throttled", SLOW_DOWN, {"retry-after": "9"})],
        Fault.RATE_LIMITED,
        retry_after=9.0,
    ),
    Case(
        "input that does not fit the schema",
        [
            problem(
                422,
                "Input validation failed",
                "- input.resolution: resolution must be one of the following",
                invalid_fields=[{"type": "enum", "field": "input.resolution", "description": "must be one of these"}],
            )
        ],
        Fault.UNSUPPORTED,
    ),
    Case("out of order", [problem(500, "Internal Server Error", "An unexpected error occurred.")], Fault.OVERLOADED),
    LOAD_BALANCER_GAVE_UP,
    Case("a create that names no job", [json_reply({"status": "starting"}, 201)], Fault.BAD_REPLY, Spend.POSSIBLE),
    Case("no picture", [CREATED, prediction("succeeded", None, **DONE)], Fault.BAD_REPLY),
    Case("an empty list", [CREATED, prediction("succeeded", [], **DONE)], Fault.BAD_REPLY),
    Case("text in place of a picture", [CREATED, prediction("succeeded", "Here is a poem", **DONE)], Fault.BAD_REPLY),
    Case(
        "a picture already deleted",
        [CREATED, RUNNING, prediction("succeeded", data_removed=True, **DONE)],
        Fault.BAD_REPLY,
        Spend.CHARGED,
    ),
    Case(
        "another model answered",
        [CREATED, prediction("succeeded", FILE, metrics={"resolution": "fallback"}, **DONE)],
        Fault.BAD_REPLY,
        Spend.CHARGED,
    ),
    Case(
        "a status nobody knows",
        [CREATED, *[prediction("dreaming")] * 5, json_reply({"detail": "Not found"}, 404)],
        Fault.BAD_REPLY,
        Spend.POSSIBLE,
    ),
    Case(
        "unknown after all",
        [CREATED, RUNNING, *[problem(404, "Not found", "No such thing")] * 5, HTML_502],
        Fault.BAD_REPLY,
        Spend.POSSIBLE,
    ),
    Case(
        "no answers for long",
        [CREATED, RUNNING, HTML_502, RESET, HTML_502, HTML_502, RESET, CANCELED],
        Fault.UNREACHABLE,
        Spend.POSSIBLE,
    ),
    Case(
        "no answers, and the cancel came too late", [CREATED, *[RESET] * 5, SUCCEEDED], Fault.UNREACHABLE, Spend.CHARGED
    ),
    *files_lost([CREATED, SUCCEEDED]),
)


class TestReplicate(JobContract):
    reads_uploads = (True,)
    keyed_uploads = (True,)

    def adapter(self) -> ReplicateAdapter:
        return ReplicateAdapter()

    def model(self) -> ProviderModel:
        return NANO_BANANA_2

    def success(self, request: ImageRequest) -> list[Reply]:
        return [CREATED, RUNNING, SUCCEEDED, image_reply(FINAL_IMAGE)]

    def uploaded(self, number: int) -> list[Reply]:
        file_id = f"q7v3k0r1z9rmy0cw1h2t8b4n5{number}"
        return [json_reply({"id": file_id, "urls": {"get": f"https://api.replicate.com/v1/files/{file_id}"}}, 201)]

    def reserved(self) -> frozenset[str]:
        return RESERVED_OPTIONS

    def set_by_the_gateway(self) -> Iterator[str]:
        for path in self._golden_folder().glob("*.json"):
            if path.stem != "flux_dev_own_fields":
                yield from json.loads(path.read_text(encoding="utf-8"))["body"]["input"]

    def cases(self) -> Sequence[Case]:
        return CASES

    def tables(self) -> Mapping[str, Collection[object]]:
        return {"code": errors.CODES, "end": errors.ENDINGS, "status": errors.STATUSES}

    def goldens(self) -> Mapping[str, ProviderModel]:
        lacking = {"generate_512", "format_webp", "thinking_minimal", "thinking_high", "extras"}
        sold_here = sorted(set(REQUESTS) - lacking)
        return {
            **dict.fromkeys(sold_here, NANO_BANANA_2),
            "image_search": NANO_BANANA_2,
            "pro_generate_no_tier": NANO_BANANA_PRO,
            "pro_edit_4k": NANO_BANANA_PRO,
            "pro_safety_strict": NANO_BANANA_PRO,
            "pro_safety_standard": NANO_BANANA_PRO,
            "pro_safety_relaxed": NANO_BANANA_PRO,
            "first_generate_nothing_asked": NANO_BANANA,
            "first_edit": NANO_BANANA,
            "flux_wide": FLUX_SCHNELL,
            "flux_512_webp_seed": FLUX_SCHNELL,
            "flux_dev_nothing_asked": FLUX_DEV,
            "flux_dev_own_fields": FLUX_DEV,
            "flux_count_3_quality": FLUX_SCHNELL,
        }

    def more_requests(self) -> Mapping[str, ImageRequest]:
        nothing = REQUESTS["generate_nothing_asked"]
        return {
            **super().more_requests(),
            "image_search": replace(nothing, image_search=True),
            "pro_generate_no_tier": replace(nothing, resolution=None),
            "flux_512_webp_seed": replace(
                FLUX_REQUEST, resolution=Resolution.R512, pixels=(672, 384), output_format=OutputFormat.WEBP, seed=42
            ),
            "flux_dev_nothing_asked": replace(nothing, resolution=None),
            "flux_dev_own_fields": replace(
                nothing,
                resolution=None,
                provider_options={"replicate": {"guidance": 2.5, "num_inference_steps": 20}, "fal": {"x": 1}},
            ),
            "flux_count_3_quality": replace(FLUX_REQUEST, n=3, output_format=OutputFormat.JPEG, output_compression=70),
        }
