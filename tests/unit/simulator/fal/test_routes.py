"""fal: submit, status, result, cancel, direct call, uploads."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from simulator.settings import SimulatorSettings
from tests.unit.simulator.kit import KEY, books, caller, data_uri, decoded, fal, fault, picture

SLOW = SimulatorSettings(time_scale=0.01)


@pytest.mark.parametrize(
    ("endpoint", "body", "size", "format_"),
    [
        ("nano-banana-2", {"resolution": "0.5K", "aspect_ratio": "3:4"}, (448, 600), "PNG"),
        ("nano-banana-2", {"output_format": "webp", "seed": None}, (1024, 1024), "WEBP"),
        ("nano-banana-pro", {"aspect_ratio": "16:9", "resolution": "2K"}, (2752, 1536), "PNG"),
        ("nano-banana", {"aspect_ratio": "16:9", "output_format": "jpeg"}, (1344, 768), "JPEG"),
        ("flux/schnell", {"image_size": "square_hd"}, (1024, 1024), "JPEG"),
        ("flux/dev", {"image_size": {"width": 800, "height": 600}, "output_format": "png"}, (800, 600), "PNG"),
    ],
)
async def test_pictures_are_what_was_asked_for(
    endpoint: str, body: dict[str, Any], size: tuple[int, int], format_: str
) -> None:
    async with caller() as client:
        answer = await fal(client, {"prompt": "a red fox", **body}, f"fal-ai/{endpoint}")
        told = answer.json()["images"][0]
        image = decoded((await client.get(told["url"])).content)
        assert (image.size, image.format) == (size, format_)
        assert (told["width"], told["height"]) == size


async def test_an_edit_follows_its_first_input() -> None:
    async with caller() as client:
        body = {"prompt": "make it blue", "image_urls": [data_uri(picture((900, 500))), data_uri(picture())]}
        answer = await fal(client, body, "fal-ai/nano-banana-2/edit")
        image = decoded((await client.get(answer.json()["images"][0]["url"])).content)
        assert image.size == (1376, 768)
        (row,) = await books(client)
        assert (row["operation"], row["billed_usd"]) == ("edit", "0.08")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "missing"),
        ({"prompt": "ab"}, "string_too_short"),
        ({"prompt": "x" * 50_001}, "string_too_long"),
        ({"prompt": "a fox", "resolution": "512"}, "literal_error"),
        ({"prompt": "a fox", "aspect_ratio": "7:5"}, "literal_error"),
        ({"prompt": "a fox", "output_format": "jpg"}, "literal_error"),
        ({"prompt": "a fox", "safety_tolerance": 4}, "literal_error"),
        ({"prompt": "a fox", "num_images": 5}, "less_than_equal"),
        ({"prompt": "a fox", "num_images": "2"}, "int_type"),
    ],
)
async def test_a_wrong_input_is_refused_by_the_result_not_by_the_submit(body: dict[str, Any], kind: str) -> None:
    async with caller() as client:
        answer = await fal(client, body)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["type"] == kind
        assert answer.headers["x-fal-billable-units"] == "0"


@pytest.mark.parametrize(
    ("urls", "kind"),
    [
        (["https://elsewhere.example/a.png"], "file_download_error"),
        (["data:image/png;base64,AAAA"], "image_load_error"),
        ([], "sequence_too_short"),
    ],
)
async def test_inputs_that_cannot_be_used_are_named_as_fal_does(urls: list[str], kind: str) -> None:
    async with caller() as client:
        answer = await fal(client, {"prompt": "a fox", "image_urls": urls}, "fal-ai/nano-banana-2/edit")
        assert answer.json()["detail"][0]["type"] == kind


async def test_several_images_and_surcharges_are_billed() -> None:
    async with caller() as client:
        body = {"prompt": "a fox", "num_images": 3, "resolution": "2K", "enable_web_search": True}
        answer = await fal(client, body | {"thinking_level": "high"})
        assert len({image["url"] for image in answer.json()["images"]}) == 3
        (row,) = await books(client)
        assert (row["requests"], row["images"], row["billed_usd"]) == (1, 3, "0.377")


async def test_billable_units_count_the_base_price() -> None:
    async with caller() as client:
        answer = await fal(client, {"prompt": "a fox", "resolution": "2K"})
        assert answer.headers["x-fal-billable-units"] == "1.5"


async def test_credentials_are_demanded_as_a_key() -> None:
    async with caller() as client:
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Key "}):
            answer = await client.post("/fal/fal-ai/nano-banana-2", json={"prompt": "a fox"}, headers=headers)
            assert answer.status_code == 401
            assert isinstance(answer.json()["detail"], str)


async def test_a_waiting_status_holds_logs_and_queue_position_and_follow_up_paths_drop_the_sub_path() -> None:
    async with caller(SLOW) as client:
        body = {"prompt": "make it blue", "image_urls": [data_uri(picture())]}
        told = (await client.post("/fal/fal-ai/nano-banana-2/edit", json=body, headers=KEY)).json()
        assert told["status_url"].startswith("http://simulator.test/fal/fal-ai/nano-banana-2/requests/")
        status = await client.get(told["status_url"], headers=KEY)
        assert status.status_code == 202
        assert {"logs", "queue_position"} <= set(status.json())
        assert (await client.get(told["response_url"], headers=KEY)).status_code == 400


async def test_cancelling_says_accepted_then_too_late_and_unknown_jobs_are_not_found() -> None:
    async with caller(SLOW) as client:
        told = (await client.post("/fal/fal-ai/nano-banana-2", json={"prompt": "a fox"}, headers=KEY)).json()
        first = await client.put(told["cancel_url"], headers=KEY)
        assert (first.status_code, first.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
        second = await client.put(told["cancel_url"], headers=KEY)
        assert (second.status_code, second.json()) == (400, {"status": "ALREADY_COMPLETED"})
        unknown = await client.put("/fal/fal-ai/nano-banana-2/requests/none/cancel", headers=KEY)
        assert (unknown.status_code, unknown.json()) == (404, {"status": "NOT_FOUND"})
        (row,) = await books(client)
        assert (row["requests"], row["images"], row["billed_usd"], row["cancelled"]) == (1, 0, "0", 1)


async def test_beyond_its_concurrency_fal_queues_and_only_the_direct_call_says_429() -> None:
    async with caller(SLOW) as client:
        await client.post("/_control/settings", json={"provider": "fal", "concurrency": 1, "latency_s": 1000})
        submits = [
            (await client.post("/fal/fal-ai/nano-banana-2", json={"prompt": "a fox"}, headers=KEY)).json()
            for _ in range(3)
        ]
        states = [(await client.get(told["status_url"], headers=KEY)).json() for told in submits]
        assert [(state["status"], state.get("queue_position")) for state in states] == [
            ("IN_PROGRESS", None),
            ("IN_QUEUE", 0),
            ("IN_QUEUE", 1),
        ]
        direct = await client.post("/fal-run/fal-ai/nano-banana-2", json={"prompt": "a fox"}, headers=KEY)
        assert (direct.status_code, direct.headers["x-fal-error-type"]) == (429, "concurrent_requests_limit")


async def test_the_status_stream_ends_when_the_job_does() -> None:
    async with caller() as client:
        told = (await client.post("/fal/fal-ai/nano-banana-2", json={"prompt": "a fox"}, headers=KEY)).json()
        async with asyncio.timeout(20):
            answer = await client.get(told["status_url"] + "/stream?logs=1", headers=KEY)
        states = [json.loads(line[6:])["status"] for line in answer.text.split("\n\n") if line]
        assert states[-1] == "COMPLETED"


async def test_an_uploaded_file_can_be_edited() -> None:
    async with caller() as client:
        asked = {"content_type": "image/png", "file_name": "in.png"}
        told = (await client.post("/fal/storage/upload/initiate", json=asked, headers=KEY)).json()
        await client.put(told["upload_url"], content=picture(), headers={"content-type": "image/png"})
        body = {"prompt": "make it blue", "image_urls": [told["file_url"]]}
        assert (await fal(client, body, "fal-ai/nano-banana-2/edit")).status_code == 200


async def test_machinery_failures_stand_in_the_status_and_model_failures_do_not() -> None:
    async with caller() as client:
        await fault(client, "fal", "503", count=1)
        await fault(client, "fal", "refusal", count=1)
        seen = []
        for _ in range(2):
            answer = await fal(client, {"prompt": "a fox"})
            status = await client.get(answer.request.url.path + "/status", headers=KEY)
            seen.append((answer.status_code, status.json().get("error_type")))
        assert seen == [(503, "runner_disconnected"), (422, None)]


async def test_flux_says_so_when_it_gives_a_filtered_black_picture() -> None:
    async with caller() as client:
        await fault(client, "fal", "flagged_black")
        told = (await fal(client, {"prompt": "a fox"}, "fal-ai/flux/schnell")).json()
        assert told["has_nsfw_concepts"] == [True]
        assert decoded((await client.get(told["images"][0]["url"])).content).getextrema() == ((0, 0),) * 3
        assert (await books(client))[0]["billed_usd"] == "0"


async def test_the_key_is_looked_at_before_the_body() -> None:
    async with caller() as client:
        await fault(client, "fal", "bad_key")
        for path in ("fal-ai/nano-banana-2", "nobody/nothing"):
            answer = await client.post(f"/fal/{path}", json=[], headers=KEY)
            assert (answer.status_code, answer.json()["detail"]) == (401, "invalid key credentials")


async def test_only_a_waiting_job_tells_its_place_and_others_tell_logs() -> None:
    async with caller() as client:
        done = await fal(client, {"prompt": "a fox"})
        status = (await client.get(done.request.url.path + "/status?logs=1", headers=KEY)).json()
        assert status["status"] == "COMPLETED"
        assert status["logs"]
        assert "queue_position" not in status


@pytest.mark.parametrize("body", [[], 3, "a", {"file_name": ["a"]}, {"file_name": "a b?#/é%.png"}])
async def test_storage_takes_any_body_for_an_answer(body: Any) -> None:
    async with caller() as client:
        answer = await client.post("/fal/storage/upload/initiate", json=body, headers=KEY)
        if not isinstance(body, dict):
            assert answer.status_code == 422
            return
        told = answer.json()
        await client.put(told["upload_url"], content=picture())
        edit = {"prompt": "make it blue", "image_urls": [told["file_url"]]}
        assert (await fal(client, edit, "fal-ai/nano-banana-2/edit")).status_code == 200


async def test_storage_wants_a_key_to_name_a_place_and_the_place_wants_none() -> None:
    async with caller() as client:
        initiate = "/fal/storage/upload/initiate?storage_type=fal-cdn-v3"
        assert (await client.post(initiate, json={})).status_code == 401
        told = (await client.post(initiate, json={"file_name": "image-1.png"}, headers=KEY)).json()
        assert (await client.put(told["upload_url"], content=picture())).status_code == 200
        file = await client.get(told["file_url"])
        assert file.content == picture()
        assert (await client.put("/fal/storage/upload/1-99-made-up.png", content=picture())).status_code == 403


async def test_a_data_uri_that_should_have_been_uploaded_is_too_large() -> None:
    async with caller() as client:
        for letters, kind in ((9_000_000, "image_load_error"), (10_000_000, "file_too_large")):
            body = {"prompt": "make it blue", "image_urls": ["data:image/png;base64," + "A" * letters]}
            answer = await fal(client, body, "fal-ai/nano-banana-2/edit")
            assert answer.json()["detail"][0]["type"] == kind


async def test_a_short_list_is_billed_for_what_it_holds() -> None:
    async with caller() as client:
        await fault(client, "fal", "short_count")
        answer = await fal(client, {"prompt": "a fox", "num_images": 4, "limit_generations": False})
        assert len(answer.json()["images"]) == 3
        (row,) = await books(client)
        assert (row["images"], row["billed_usd"]) == (3, "0.24")


async def test_input_images_are_written_down_as_they_arrived() -> None:
    async with caller() as client:
        told = (await client.post("/fal/storage/upload/initiate", json={}, headers=KEY)).json()
        await client.put(told["upload_url"], content=picture((900, 500)))
        urls = [told["file_url"], data_uri(picture())]
        await fal(client, {"prompt": "make it blue", "image_urls": urls}, "fal-ai/nano-banana-2/edit")
        arrived = (await client.get("/_control/inputs")).json()
        assert [(each["provider"], each["width"], each["bytes"]) for each in arrived] == [
            ("fal", 900, len(picture((900, 500)))),
            ("fal", 640, len(picture())),
        ]


@pytest.mark.parametrize(
    ("endpoint", "body", "fine"),
    [
        ("nano-banana-2", {"safety_tolerance": "6"}, True),
        ("nano-banana-2", {"safety_tolerance": "7"}, False),
        ("flux/schnell", {"enable_safety_checker": False, "num_inference_steps": 4}, True),
        ("flux/schnell", {"enable_safety_checker": "no"}, False),
    ],
)
async def test_safety_fields_are_checked(endpoint: str, body: dict[str, Any], fine: bool) -> None:
    async with caller() as client:
        answer = await fal(client, {"prompt": "a fox", **body}, f"fal-ai/{endpoint}")
        assert answer.status_code == (200 if fine else 422)
