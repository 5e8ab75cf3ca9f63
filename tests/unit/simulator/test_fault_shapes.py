"""Every fault at every vendor that can show it: the vendor's own shape, and what the books say of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from simulator.damage import BILLED_BUT_BROKEN
from simulator.faults import Kind, able
from simulator.vendors import Vendor
from tests.unit.simulator.kit import books, caller, data_uri, fal, fault, generate, image_of, picture

Look = Callable[[httpx.Response], object]


def reason(answer: httpx.Response) -> Any:
    """finishReason of the first candidate, or blockReason."""
    body = answer.json()
    if not body.get("candidates"):
        return body.get("promptFeedback", {}).get("blockReason", "no candidates")
    return body["candidates"][0]["finishReason"]


def detail(answer: httpx.Response) -> Any:
    """The type of the first item of fal's list, or its sentence."""
    told = answer.json()["detail"]
    return told[0]["type"] if isinstance(told, list) else told


def status(answer: httpx.Response) -> Any:
    return answer.json()["status"]


def google_reason(answer: httpx.Response) -> Any:
    return answer.json()["error"]["details"][0]["reason"]


def google_status(answer: httpx.Response) -> Any:
    return answer.json()["error"]["status"]


def is_html(answer: httpx.Response) -> object:
    return answer.headers["content-type"].startswith("text/html")


def retry_after(answer: httpx.Response) -> object:
    return answer.headers["retry-after"]


SHAPES: list[tuple[Vendor, Kind, int, Look, object]] = [
    (Vendor.GEMINI, Kind.TOO_MANY, 429, google_status, "RESOURCE_EXHAUSTED"),
    (Vendor.VERTEX, Kind.TOO_MANY, 429, google_status, "RESOURCE_EXHAUSTED"),
    (Vendor.FAL, Kind.TOO_MANY, 429, retry_after, "5"),
    (Vendor.REPLICATE, Kind.TOO_MANY, 429, retry_after, "5"),
    (Vendor.GEMINI, Kind.INTERNAL, 500, google_status, "INTERNAL"),
    (Vendor.VERTEX, Kind.INTERNAL, 500, google_status, "INTERNAL"),
    (Vendor.FAL, Kind.INTERNAL, 500, detail, "downstream_service_error"),
    (Vendor.REPLICATE, Kind.INTERNAL, 500, status, 500),
    (Vendor.GEMINI, Kind.UNAVAILABLE, 503, google_status, "UNAVAILABLE"),
    (Vendor.VERTEX, Kind.UNAVAILABLE, 503, google_status, "UNAVAILABLE"),
    (Vendor.FAL, Kind.UNAVAILABLE, 503, lambda a: a.headers["x-fal-error-type"], "runner_disconnected"),
    (Vendor.REPLICATE, Kind.UNAVAILABLE, 503, status, 503),
    (Vendor.GEMINI, Kind.HTML_502, 502, is_html, True),
    (Vendor.VERTEX, Kind.HTML_502, 502, is_html, True),
    (Vendor.FAL, Kind.HTML_502, 502, is_html, True),
    (Vendor.REPLICATE, Kind.HTML_502, 502, is_html, True),
    (Vendor.GEMINI, Kind.NO_IMAGE, 200, reason, "NO_IMAGE"),
    (Vendor.VERTEX, Kind.NO_IMAGE, 200, reason, "NO_IMAGE"),
    (Vendor.FAL, Kind.NO_IMAGE, 422, detail, "no_media_generated"),
    (Vendor.REPLICATE, Kind.NO_IMAGE, 201, lambda a: (status(a), a.json()["output"]), ("succeeded", None)),
    (Vendor.GEMINI, Kind.REFUSAL, 200, reason, "IMAGE_SAFETY"),
    (Vendor.VERTEX, Kind.REFUSAL, 200, reason, "IMAGE_SAFETY"),
    (Vendor.FAL, Kind.REFUSAL, 422, detail, "content_policy_violation"),
    (Vendor.REPLICATE, Kind.REFUSAL, 201, lambda a: (status(a), "(E005)" in a.json()["error"]), ("failed", True)),
    (Vendor.GEMINI, Kind.FLAGGED_BLACK, 200, reason, "IMAGE_SAFETY"),
    (Vendor.VERTEX, Kind.FLAGGED_BLACK, 200, reason, "IMAGE_SAFETY"),
    (Vendor.FAL, Kind.FLAGGED_BLACK, 200, lambda a: a.json()["has_nsfw_concepts"], [True]),
    (Vendor.REPLICATE, Kind.FLAGGED_BLACK, 201, lambda a: a.json()["error"].startswith("NSFW"), True),
    (Vendor.GEMINI, Kind.SHORT_COUNT, 200, lambda a: a.json()["candidates"], []),
    (Vendor.VERTEX, Kind.SHORT_COUNT, 200, lambda a: a.json()["candidates"], []),
    (Vendor.FAL, Kind.SHORT_COUNT, 200, lambda a: a.json()["images"], []),
    (Vendor.REPLICATE, Kind.SHORT_COUNT, 201, lambda a: (status(a), a.json()["output"]), ("succeeded", None)),
    (Vendor.REPLICATE, Kind.ABORTED, 201, lambda a: (status(a), a.json()["output"]), ("aborted", None)),
    (Vendor.GEMINI, Kind.RETIRED, 404, google_status, "NOT_FOUND"),
    (Vendor.VERTEX, Kind.RETIRED, 404, google_status, "NOT_FOUND"),
    (Vendor.FAL, Kind.RETIRED, 404, detail, 'Application "nano-banana-2" not found'),
    (Vendor.REPLICATE, Kind.RETIRED, 404, status, 404),
    (Vendor.GEMINI, Kind.OUT_OF_FUNDS, 403, google_reason, "BILLING_DISABLED"),
    (Vendor.VERTEX, Kind.OUT_OF_FUNDS, 403, google_reason, "BILLING_DISABLED"),
    (Vendor.FAL, Kind.OUT_OF_FUNDS, 403, lambda a: "User is locked" in detail(a), True),
    (Vendor.REPLICATE, Kind.OUT_OF_FUNDS, 402, status, 402),
    (Vendor.GEMINI, Kind.BAD_KEY, 400, google_reason, "API_KEY_INVALID"),
    (Vendor.VERTEX, Kind.BAD_KEY, 401, google_status, "UNAUTHENTICATED"),
    (Vendor.FAL, Kind.BAD_KEY, 401, detail, "invalid key credentials"),
    (Vendor.REPLICATE, Kind.BAD_KEY, 401, status, 401),
]
ELSEWHERE = {Kind.HANG, Kind.DRIP, Kind.RESET, Kind.THOUGHT_FIRST, Kind.PROCESSING_WITH_OUTPUT}
"""Kinds tested in files of their own: over a real connection, or by vendor."""


def named(shape: tuple[Any, ...]) -> str:
    return f"{shape[0]}-{shape[1]}"


@pytest.mark.parametrize(("vendor", "kind", "code", "look", "expected"), SHAPES, ids=map(named, SHAPES))
async def test_a_fault_has_the_vendors_own_shape_and_costs_nothing(
    vendor: Vendor, kind: Kind, code: int, look: Look, expected: object
) -> None:
    async with caller() as client:
        await fault(client, vendor, kind)
        answer = await generate(client, vendor)
        assert answer.status_code == code, answer.text
        assert look(answer) == expected
        (row,) = await books(client)
        assert (row["requests"], row["images"], row["billed_usd"], row["cancelled"]) == (1, 0, "0", 0)


def test_no_vendor_and_kind_is_left_untested() -> None:
    shown = {(vendor, kind) for vendor, kind, *_ in SHAPES}
    wanted = {(v, k) for k in Kind if k not in ELSEWHERE | BILLED_BUT_BROKEN for v in able(k)}
    assert shown == wanted


@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("kind", sorted(BILLED_BUT_BROKEN))
async def test_a_broken_delivery_is_billed_all_the_same(vendor: Vendor, kind: Kind) -> None:
    async with caller() as client:
        await fault(client, vendor, kind)
        answer = await generate(client, vendor)
        if kind is Kind.WRONG_SIZE:
            assert (await image_of(client, vendor, answer)).size == (512, 512)
        elif kind is Kind.WRONG_RATIO:
            width, height = (await image_of(client, vendor, answer)).size
            assert width / height == pytest.approx(16 / 9, rel=0.01)
            assert width * height == pytest.approx(1024 * 1024, rel=0.01)
        elif kind is Kind.TRUNCATED_BASE64:
            with pytest.raises(binascii.Error):
                base64.b64decode(inline_base64(vendor, answer), validate=True)
        else:
            with pytest.raises((OSError, SyntaxError)):
                await image_of(client, vendor, answer)
        (row,) = await books(client)
        assert (row["images"], row["billed_usd"] != "0") == (1, True)


def inline_base64(vendor: Vendor, answer: httpx.Response) -> str:
    body = answer.json()
    if vendor in (Vendor.GEMINI, Vendor.VERTEX):
        text: str = body["candidates"][0]["content"]["parts"][-1]["inlineData"]["data"]
        return text
    link: str = body["images"][0]["url"] if vendor is Vendor.FAL else body["output"]
    assert link.startswith("data:image/")
    return link.partition(",")[2]


async def test_a_wrong_ratio_is_never_the_one_that_was_asked_for() -> None:
    async with caller() as client:
        await fault(client, "fal", "wrong_ratio")
        for ratio in ("1:1", "16:9", "4:5", "8:1"):
            answer = await fal(client, {"prompt": "a red fox", "aspect_ratio": ratio})
            width, height = (await image_of(client, "fal", answer)).size
            across, down = map(int, ratio.split(":"))
            assert abs(width / height / (across / down) - 1) > 0.08


async def test_the_black_picture_of_google_is_black() -> None:
    async with caller() as client:
        await fault(client, "gemini", "flagged_black")
        image = await image_of(client, "gemini", await generate(client, "gemini"))
        assert image.convert("L").getextrema() == (0, 0)


async def test_kinds_with_two_shapes_take_turns() -> None:
    async with caller() as client:
        await fault(client, "gemini", "refusal", count=2)
        assert [reason(await generate(client, "gemini")) for _ in range(2)] == ["IMAGE_SAFETY", "PROHIBITED_CONTENT"]
        await fault(client, "vertex", "out_of_funds", count=2)
        codes = [(await generate(client, "vertex")).status_code for _ in range(2)]
        assert codes == [403, 400]


async def test_a_short_count_bills_what_was_delivered() -> None:
    async with caller() as client:
        await fault(client, "fal", "short_count")
        answer = await fal(client, {"prompt": "a red fox", "num_images": 3})
        assert len(answer.json()["images"]) == 2
        assert (await books(client))[0]["billed_usd"] == "0.16"


async def test_a_fault_for_one_model_leaves_the_edit_of_another_alone() -> None:
    async with caller() as client:
        await fault(client, "fal", "retired", model="fal-ai/nano-banana-pro")
        body = {"prompt": "make it blue", "image_urls": [data_uri(picture())]}
        assert (await fal(client, body, "fal-ai/nano-banana-2/edit")).status_code == 200
        assert (await fal(client, body, "fal-ai/nano-banana-pro/edit")).status_code == 404


async def test_two_vendors_pictures_of_one_prompt_differ() -> None:
    async with caller() as client:
        images: list[Image.Image] = [await image_of(client, v, await generate(client, v)) for v in Vendor]
        assert len({image.convert("RGB").resize((8, 8)).tobytes() for image in images}) == 4
