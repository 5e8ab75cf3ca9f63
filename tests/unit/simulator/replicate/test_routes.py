"""Replicate: create, wait, poll, cancel, deadlines, files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from simulator.settings import SimulatorSettings
from tests.unit.simulator.kit import TOKEN, books, caller, data_uri, decoded, fault, picture, replicate

SLOW = SimulatorSettings(time_scale=0.01)
CREATE = "/replicate/v1/models/google/nano-banana-2/predictions"
FOX = {"input": {"prompt": "a red fox"}}


@pytest.mark.parametrize(
    ("model", "given", "size", "format_"),
    [
        ("google/nano-banana-2", {"aspect_ratio": "1:8", "output_format": "png"}, (384, 3072), "PNG"),
        ("google/nano-banana-pro", {}, (2048, 2048), "JPEG"),
        ("google/nano-banana", {"aspect_ratio": "9:16"}, (768, 1344), "JPEG"),
        ("black-forest-labs/flux-dev", {"aspect_ratio": "9:21", "output_format": "jpg"}, (640, 1536), "JPEG"),
        ("black-forest-labs/flux-schnell", {"megapixels": "0.25"}, (512, 512), "WEBP"),
    ],
)
async def test_pictures_are_what_was_asked_for(
    model: str, given: dict[str, Any], size: tuple[int, int], format_: str
) -> None:
    async with caller() as client:
        answer = await replicate(client, {"prompt": "a red fox", **given}, model)
        told = answer.json()
        assert (answer.status_code, told["status"], told["version"]) == (201, "succeeded", "hidden")
        link = told["output"][0] if "flux" in model else told["output"]
        image = decoded((await client.get(link)).content)
        assert (image.size, image.format) == (size, format_)


async def test_an_edit_matches_its_input() -> None:
    async with caller() as client:
        answer = await replicate(client, {"prompt": "blue", "image_input": [data_uri(picture((500, 900)))]})
        assert decoded((await client.get(answer.json()["output"])).content).size == (768, 1376)
        assert (await books(client))[0]["operation"] == "edit"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "input"),
        ({"prompt": "a", "resolution": "512"}, "input.resolution"),
        ({"prompt": "a", "output_format": "webp"}, "input.output_format"),
        ({"prompt": "a", "aspect_ratio": "9:21"}, "input.aspect_ratio"),
        ({"prompt": "a", "image_input": "x"}, "input.image_input"),
        ({"prompt": "a", "seed": 1}, "input"),
    ],
)
async def test_a_wrong_input_is_a_problem_that_names_the_field(given: dict[str, Any], field: str) -> None:
    async with caller() as client:
        answer = await replicate(client, given)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["invalid_fields"][0]["field"] == field
        assert await books(client) == []


async def test_a_create_that_does_not_wait_is_starting_and_is_then_polled() -> None:
    async with caller(SLOW) as client:
        answer = await client.post(CREATE, json=FOX, headers=TOKEN)
        told = answer.json()
        assert (told["status"], told["output"]) == ("starting", None)
        assert answer.headers["location"] == told["urls"]["get"]
        await client.post("/_control/settings", json={"provider": "replicate", "latency_s": 0})
        second = (await client.post(CREATE, json=FOX, headers=TOKEN)).json()
        assert (await client.get(second["urls"]["get"], headers=TOKEN)).json()["status"] == "succeeded"


async def test_a_wait_that_expires_says_starting_though_work_has_begun() -> None:
    async with caller(SLOW) as client:
        await client.post("/_control/settings", json={"provider": "replicate", "latency_s": 900})
        answer = await client.post(CREATE, json=FOX, headers=TOKEN | {"prefer": "wait=1"})
        assert (answer.json()["status"], answer.json()["output"]) == ("starting", None)
        assert (await client.get(answer.json()["urls"]["get"], headers=TOKEN)).json()["status"] == "processing"


async def test_a_model_may_be_named_as_a_version() -> None:
    async with caller() as client:
        body = {"version": "google/nano-banana-2", **FOX}
        assert (await client.post("/replicate/v1/predictions", json=body, headers=TOKEN)).status_code == 201
        unknown = {"version": "nobody/nothing", **FOX}
        assert (await client.post("/replicate/v1/predictions", json=unknown, headers=TOKEN)).status_code == 404


async def test_a_cancelled_prediction_is_not_billed() -> None:
    async with caller(SLOW) as client:
        told = (await client.post(CREATE, json=FOX, headers=TOKEN)).json()
        assert (await client.post(told["urls"]["cancel"], headers=TOKEN)).json()["status"] == "canceled"
        (row,) = await books(client)
        assert (row["requests"], row["billed_usd"], row["cancelled"]) == (1, "0", 1)


@pytest.mark.parametrize(("kind", "status"), [(None, "aborted"), ("hang", "canceled")])
async def test_cancel_after_aborts_what_has_not_started_and_cancels_what_has(kind: str | None, status: str) -> None:
    async with caller(SLOW) as client:
        if kind:
            await client.post("/_control/settings", json={"provider": "replicate", "latency_s": 0})
            await fault(client, "replicate", kind)
        told = (await client.post(CREATE, json=FOX, headers=TOKEN | {"cancel-after": "0s"})).json()
        assert (await client.get(told["urls"]["get"], headers=TOKEN)).json()["status"] == status


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1m", 60), ("1h30m", 5400), ("5", 5)])
async def test_cancel_after_is_read_in_all_its_units(text: str, seconds: int) -> None:
    async with caller(SLOW) as client:
        told = (await client.post(CREATE, json=FOX, headers=TOKEN | {"cancel-after": text})).json()
        begun, deadline = (told[name].removesuffix("Z") for name in ("created_at", "deadline"))
        assert (datetime.fromisoformat(deadline) - datetime.fromisoformat(begun)).total_seconds() == seconds


async def test_processing_with_output_answers_the_output_before_the_status() -> None:
    async with caller(SimulatorSettings(time_scale=1000.0)) as client:
        await fault(client, "replicate", "processing_with_output")
        told = (await replicate(client, {"prompt": "a red fox"})).json()
        assert told["status"] == "processing"
        assert decoded((await client.get(told["output"])).content).size == (1024, 1024)
        assert (await books(client))[0]["images"] == 1


async def test_beyond_its_concurrency_replicate_throttles() -> None:
    async with caller(SLOW) as client:
        await client.post("/_control/settings", json={"provider": "replicate", "concurrency": 1})
        await client.post(CREATE, json=FOX, headers=TOKEN)
        answer = await client.post(CREATE, json=FOX, headers=TOKEN)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == str(answer.json()["retry_after"])


async def test_an_uploaded_file_can_be_edited() -> None:
    async with caller() as client:
        files = {"content": ("in.png", picture((900, 500)), "image/png")}
        told = (await client.post("/replicate/v1/files", files=files, headers=TOKEN)).json()
        assert told["size"] == len(picture((900, 500)))
        assert (await client.get(told["urls"]["get"], headers=TOKEN)).json()["id"] == told["id"]
        answer = await replicate(client, {"prompt": "blue", "image_input": [told["urls"]["get"]]})
        assert decoded((await client.get(answer.json()["output"])).content).size == (1376, 768)


async def test_an_input_that_cannot_be_fetched_fails_the_prediction() -> None:
    async with caller() as client:
        told = (await replicate(client, {"prompt": "a", "image_input": ["https://elsewhere.example/a.png"]})).json()
        assert told["status"] == "failed"
        assert (await books(client))[0]["billed_usd"] == "0"


async def test_a_token_is_demanded_under_either_word() -> None:
    async with caller() as client:
        assert (await client.post(CREATE, json=FOX)).status_code == 401
        assert (await client.post(CREATE, json=FOX, headers={"authorization": "Token x"})).status_code == 201


async def test_the_token_is_looked_at_before_the_body() -> None:
    async with caller() as client:
        await fault(client, "replicate", "bad_key")
        for path in (CREATE, "/replicate/v1/predictions", CREATE.replace("google", "nobody")):
            answer = await client.post(path, json={"input": {}}, headers=TOKEN)
            assert (answer.status_code, answer.json()["title"]) == (401, "Authentication required")


async def test_metrics_count_the_images_and_name_the_resolution() -> None:
    async with caller() as client:
        metrics = (await replicate(client, {"prompt": "a fox", "resolution": "2K"})).json()["metrics"]
        assert (metrics["image_output_count"], metrics["resolution"]) == (1, "2K")
        flux = (await replicate(client, {"prompt": "a fox", "num_outputs": 3}, "black-forest-labs/flux-dev")).json()
        assert flux["metrics"]["image_output_count"] == 3
        assert "resolution" not in flux["metrics"]


async def test_files_are_taken_with_a_token_only() -> None:
    async with caller() as client:
        files = {"content": ("in.png", picture(), "image/png")}
        assert (await client.post("/replicate/v1/files", files=files)).status_code == 401
        assert (await client.post("/replicate/v1/files", files={"other": b"x"}, headers=TOKEN)).status_code == 422


async def test_a_data_uri_that_should_have_been_uploaded_is_refused_at_create() -> None:
    async with caller() as client:
        given = {"prompt": "blue", "image_input": ["data:image/png;base64," + "A" * 1_000_000]}
        answer = await replicate(client, given)
        assert answer.status_code == 422
        assert answer.json()["invalid_fields"][0]["field"] == "input.image_input"
        assert await books(client) == []
        within = {"prompt": "blue", "image_input": ["data:image/png;base64," + "A" * 900_000]}
        assert (await replicate(client, within)).json()["error"] == "An input image could not be read."


async def test_a_short_list_is_billed_for_what_it_holds() -> None:
    async with caller() as client:
        await fault(client, "replicate", "short_count")
        flux = "black-forest-labs/flux-schnell"
        told = (await replicate(client, {"prompt": "a fox", "num_outputs": 4}, flux)).json()
        assert (told["status"], len(told["output"])) == ("succeeded", 3)
        (row,) = await books(client)
        assert (row["images"], row["billed_usd"]) == (3, "0.009")


@pytest.mark.parametrize(
    ("model", "given", "code"),
    [
        ("nano-banana-2", {"image_search": True, "google_search": True}, 201),
        ("nano-banana-2", {"image_search": "yes"}, 422),
        ("nano-banana-2", {"safety_filter_level": "block_only_high"}, 422),
        ("nano-banana-pro", {"safety_filter_level": "block_low_and_above"}, 201),
        ("nano-banana-pro", {"safety_filter_level": "none"}, 422),
        ("nano-banana-pro", {"image_search": True}, 422),
    ],
)
async def test_search_and_safety_are_fields_of_some_models(model: str, given: dict[str, Any], code: int) -> None:
    async with caller() as client:
        assert (await replicate(client, {"prompt": "a fox", **given}, f"google/{model}")).status_code == code
