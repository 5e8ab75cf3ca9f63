"""Gemini API and Vertex AI: what they accept, refuse and answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.unit.simulator.kit import (
    MODEL,
    books,
    caller,
    decoded,
    fault,
    google,
    google_body,
    google_path,
    image_of,
    picture,
)

BOTH = pytest.mark.parametrize("vendor", ["gemini", "vertex"])
KEY = {"x-goog-api-key": "test-key"}


def error(answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()["error"]
    assert told["code"] == answer.status_code
    return told


@pytest.mark.parametrize(
    ("model", "image", "size"),
    [
        (MODEL, {"aspectRatio": "21:9", "imageSize": "512"}, (792, 336)),
        (MODEL, {"aspectRatio": "4:1", "imageSize": "1K"}, (2048, 512)),
        ("gemini-3-pro-image-preview", {"aspectRatio": "4:5", "imageSize": "2K"}, (1856, 2304)),
        ("gemini-2.5-flash-image", {"aspectRatio": "3:4"}, (864, 1184)),
        ("gemini-nano-banana-2.1", {"imageSize": "2K"}, (2048, 2048)),
    ],
)
@BOTH
async def test_pictures_have_the_models_pixels(
    vendor: str, model: str, image: dict[str, Any], size: tuple[int, int]
) -> None:
    async with caller() as client:
        answer = await google(client, vendor, google_body(image=image), model)
        assert (await image_of(client, vendor, answer)).size == size


async def test_gemini_sends_the_models_format_and_vertex_what_was_asked() -> None:
    async with caller() as client:
        formats = [
            (await image_of(client, vendor, await google(client, vendor, google_body(image=image), model))).format
            for vendor, model, image in [
                ("gemini", MODEL, {}),
                ("gemini", "gemini-2.5-flash-image", {}),
                ("vertex", MODEL, {}),
                ("vertex", MODEL, {"imageOutputOptions": {"mimeType": "image/jpeg", "compressionQuality": 60}}),
            ]
        ]
    assert formats == ["JPEG", "PNG", "PNG", "JPEG"]


@pytest.mark.parametrize(
    ("model", "image"),
    [
        (MODEL, {"imageSize": "512px"}),
        (MODEL, {"imageSize": "0.5K"}),
        (MODEL, {"imageSize": "2k"}),
        (MODEL, {"aspectRatio": "7:5"}),
        ("gemini-nano-banana-2.1", {"imageSize": "512"}),
        ("gemini-3-pro-image", {"imageSize": "512"}),
        ("gemini-3-pro-image", {"aspectRatio": "4:1"}),
        ("gemini-2.5-flash-image", {"imageSize": "2K"}),
    ],
)
@BOTH
async def test_a_size_or_ratio_the_model_lacks_is_an_invalid_argument(
    vendor: str, model: str, image: dict[str, str]
) -> None:
    async with caller() as client:
        answer = await google(client, vendor, google_body(image=image), model)
        assert error(answer)["status"] == "INVALID_ARGUMENT"
        assert await books(client) == []


@pytest.mark.parametrize(
    ("model", "generation"),
    [
        (MODEL, {"candidateCount": 2}),
        (MODEL, {"thinkingConfig": {"thinkingLevel": "MEDIUM"}}),
        (MODEL, {"thinkingConfig": {"thinkingLevel": "HIGH", "thinkingBudget": 5}}),
        ("gemini-2.5-flash-image", {"thinkingConfig": {"includeThoughts": True}}),
        ("gemini-3-pro-image", {"thinkingConfig": {"thinkingLevel": "HIGH"}}),
    ],
)
async def test_generation_settings_the_model_lacks_are_an_invalid_argument(
    model: str, generation: dict[str, Any]
) -> None:
    async with caller() as client:
        answer = await google(client, "gemini", google_body(**generation), model)
        assert error(answer)["status"] == "INVALID_ARGUMENT"


async def test_snake_and_camel_case_may_be_mixed() -> None:
    body = {
        "contents": [{"parts": [{"text": "a"}, {"inline_data": {"mimeType": "image/png", "data": b64(picture())}}]}],
        "generation_config": {"imageConfig": {"aspect_ratio": "1:8", "imageSize": "512"}, "response_modalities": None},
        "tools": [{"googleSearch": {"searchTypes": {"web_search": {}}}}],
    }
    async with caller() as client:
        answer = await google(client, "gemini", body)
        assert (await image_of(client, "gemini", answer)).size == (192, 1536)
        assert "groundingMetadata" in answer.json()["candidates"][0]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_an_unknown_key_is_named_with_its_snake_path() -> None:
    async with caller() as client:
        answer = await google(client, "gemini", google_body(aspectRatio="1:1"))
        (detail,) = error(answer)["details"]
        assert detail["fieldViolations"][0]["field"] == "generation_config"
        assert '"aspectRatio"' in error(answer)["message"]


@pytest.mark.parametrize("field", ["personGeneration", "prominentPeople", "imageOutputOptions"])
async def test_gemini_does_not_know_vertex_image_fields(field: str) -> None:
    async with caller() as client:
        answer = await google(client, "gemini", google_body(image={field: {} if field[0] == "i" else "ALLOW_ALL"}))
        assert error(answer)["status"] == "INVALID_ARGUMENT"


async def test_an_edit_follows_its_input_and_is_booked_as_one() -> None:
    body = google_body("make it blue")
    body["contents"][0]["parts"].insert(0, {"inlineData": {"mimeType": "image/png", "data": b64(picture((500, 900)))}})
    async with caller() as client:
        answer = await google(client, "vertex", body)
        assert (await image_of(client, "vertex", answer)).size == (768, 1376)
        assert answer.json()["usageMetadata"]["promptTokensDetails"][1] == {"modality": "IMAGE", "tokenCount": 1120}
        assert (await books(client))[0]["operation"] == "edit"


@pytest.mark.parametrize("blob", [{"mimeType": "image/png", "data": "AAAA"}, {"mimeType": "image/gif", "data": "AAAA"}])
async def test_an_input_that_is_no_picture_is_an_invalid_argument(blob: dict[str, str]) -> None:
    body = google_body()
    body["contents"][0]["parts"].append({"inlineData": blob})
    async with caller() as client:
        assert (await google(client, "gemini", body)).status_code == 400


async def test_a_percent_encoded_colon_is_a_colon() -> None:
    async with caller() as client:
        path = google_path("gemini").replace(":generate", "%3Agenerate")
        assert (await client.post(path, json=google_body(), headers=KEY)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/vertex/v1beta1/publishers/google/models/{}:generateContent",
        "/vertex/v1/projects/p/locations/us-central1/publishers/google/models/{}:generateContent",
        "/gemini/v1/models/{}:generateContent",
    ],
)
async def test_all_paths_of_both_vendors_answer(path: str) -> None:
    async with caller() as client:
        assert (await client.post(path.format(MODEL), json=google_body(), headers=KEY)).status_code == 200


async def test_missing_credentials_are_refused_as_each_vendor_does() -> None:
    async with caller() as client:
        answers = [await client.post(google_path(vendor), json=google_body()) for vendor in ("gemini", "vertex")]
        assert [error(answer)["status"] for answer in answers] == ["PERMISSION_DENIED", "UNAUTHENTICATED"]
        bearer = {"authorization": "Bearer token"}
        assert (await client.post(google_path("vertex"), json=google_body(), headers=bearer)).status_code == 200


async def test_a_service_account_gets_a_token() -> None:
    async with caller() as client:
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}
        told = (await client.post("/vertex/token", data=form)).json()
        assert told["token_type"] == "Bearer"
        assert told["expires_in"] > 3000


@BOTH
async def test_an_unknown_model_is_not_found(vendor: str) -> None:
    async with caller() as client:
        assert error(await google(client, vendor, google_body(), "imagen-4.0"))["status"] == "NOT_FOUND"


async def test_a_stream_tells_one_part_an_event_and_usage_last() -> None:
    async with caller() as client:
        path = google_path("gemini", method="streamGenerateContent")
        answer = await client.post(f"{path}?alt=sse", json=google_body(), headers=KEY)
        events = [json.loads(line[6:]) for line in answer.text.split("\r\n\r\n") if line]
        assert answer.headers["content-type"].startswith("text/event-stream")
        images = [e for e in events if "inlineData" in e["candidates"][0]["content"]["parts"][0]]
        assert len(images) == 1
        assert events[-1]["candidates"][0]["finishReason"] == "STOP"
        assert events[-1]["usageMetadata"]["candidatesTokenCount"] == 1120
        refused = await client.post(path, json=google_body(candidateCount=2), headers=KEY)
        assert refused.json()[0]["error"]["code"] == 400


async def test_thoughts_come_first_when_they_are_asked_for() -> None:
    async with caller() as client:
        answer = await google(client, "gemini", google_body(thinkingConfig={"includeThoughts": True}))
        parts = answer.json()["candidates"][0]["content"]["parts"]
        assert [part.get("thought", False) for part in parts] == [True, True, True, False]
        assert "thoughtSignature" in parts[-1]


@BOTH
async def test_thought_first_shows_a_wrong_picture_before_the_right_one_flagged_and_not(vendor: str) -> None:
    async with caller() as client:
        await fault(client, vendor, "thought_first")
        for flagged in (True, False):
            parts = (await google(client, vendor, google_body())).json()["candidates"][0]["content"]["parts"]
            sizes = [decoded(base64.b64decode(part["inlineData"]["data"])).size for part in parts]
            assert sizes == [(512, 512), (1024, 1024)]
            assert parts[0].get("thought", False) is flagged


async def test_a_gemini_429_states_its_wait_and_a_vertex_429_does_not() -> None:
    async with caller() as client:
        await fault(client, "*", "429", params={"retry_after": 7})
        gemini = error(await google(client, "gemini", google_body()))
        assert gemini["status"] == "RESOURCE_EXHAUSTED"
        assert gemini["details"][-1]["retryDelay"] == "7s"
        assert "details" not in error(await google(client, "vertex", google_body()))


@pytest.mark.parametrize("kind", ["no_image", "refusal", "flagged_black", "short_count"])
@BOTH
async def test_usage_counts_nothing_where_nothing_is_billed(vendor: str, kind: str) -> None:
    async with caller() as client:
        await fault(client, vendor, kind, count=2)
        for _ in range(2):
            usage = (await google(client, vendor, google_body())).json()["usageMetadata"]
            assert not {"candidatesTokenCount", "candidatesTokensDetails", "thoughtsTokenCount"} & set(usage)
            assert usage["totalTokenCount"] == usage["promptTokenCount"]
        paid = (await google(client, vendor, google_body())).json()["usageMetadata"]
        assert paid["candidatesTokenCount"] == 1120
        assert (await books(client))[0]["images"] == 1


@BOTH
async def test_the_key_is_looked_at_before_the_body_and_the_model(vendor: str) -> None:
    async with caller() as client:
        await fault(client, vendor, "503", model="another-model")
        await fault(client, vendor, "bad_key", count=2)
        wrong = [await google(client, vendor, {"nonsense": 1}), await google(client, vendor, google_body(), "imagen")]
        for answer in wrong:
            assert error(answer)["details"][0]["reason"] in ("API_KEY_INVALID", "ACCESS_TOKEN_EXPIRED")
        assert (await google(client, vendor, {"nonsense": 1})).status_code == 400
        assert (await client.get("/_control/faults")).json()[0]["hits"] == 0


async def test_vertex_lists_its_models() -> None:
    async with caller() as client:
        for root in ("/vertex/v1beta1", "/vertex/v1/projects/p/locations/global"):
            answer = await client.get(f"{root}/publishers/google/models", headers=KEY)
            assert f"publishers/google/models/{MODEL}" in {each["name"] for each in answer.json()["publisherModels"]}


@BOTH
async def test_two_pictures_of_one_prompt_differ_and_the_seed_decides_how(vendor: str) -> None:
    async with caller() as client:

        async def data() -> str:
            parts = (await google(client, vendor, google_body())).json()["candidates"][0]["content"]["parts"]
            return str(parts[-1]["inlineData"]["data"])

        first, second = await data(), await data()
        assert first != second
        await client.post("/_control/reset", json={"seed": 1})
        assert (await data(), await data()) == (first, second)


async def test_the_model_list_names_the_models() -> None:
    async with caller() as client:
        models = (await client.get("/gemini/v1beta/models", headers=KEY)).json()["models"]
        assert "models/gemini-2.5-flash-image" in {model["name"] for model in models}
        one = (await client.get(f"/gemini/v1beta/models/{MODEL}", headers=KEY)).json()
        assert "generateContent" in one["supportedGenerationMethods"]


SEXUAL = "HARM_CATEGORY_SEXUALLY_EXPLICIT"


@pytest.mark.parametrize(
    ("vendor", "field", "status"),
    [
        ("gemini", {"safetySettings": [{"category": SEXUAL, "threshold": "BLOCK_ONLY_HIGH"}]}, 200),
        ("vertex", {"safety_settings": [{"category": SEXUAL, "threshold": "OFF", "method": "SEVERITY"}]}, 200),
        ("vertex", {"safetySettings": [{"category": "HARM_CATEGORY_IMAGE_HATE", "threshold": "BLOCK_NONE"}]}, 200),
        ("gemini", {"safetySettings": [{"category": "HARM_CATEGORY_IMAGE_HATE", "threshold": "BLOCK_NONE"}]}, 400),
        ("gemini", {"safetySettings": [{"category": SEXUAL, "threshold": "OFF", "method": "SEVERITY"}]}, 400),
        ("gemini", {"safetySettings": [{"category": SEXUAL, "threshold": "BLOCK_SOME"}]}, 400),
        ("gemini", {"safetySettings": [{"category": ["x"], "threshold": "OFF"}]}, 400),
        ("gemini", {"safetySettings": [{"category": SEXUAL}]}, 400),
        ("gemini", {"safetyLevel": "strict"}, 400),
        ("gemini", {"systemInstruction": {"parts": [{"text": "Flat vector style."}]}}, 200),
        ("vertex", {"system_instruction": {"role": "system", "parts": [{"text": "Flat."}]}}, 200),
        ("gemini", {"systemInstruction": {"parts": []}}, 400),
        ("gemini", {"systemInstruction": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}}, 400),
        ("gemini", {"tools": [{"googleSearch": {"searchTypes": {"webSearch": {}, "imageSearch": {}}}}]}, 200),
        ("gemini", {"tools": [{"googleSearch": {"searchTypes": {"imageSearch": True}}}]}, 400),
    ],
)
async def test_safety_search_and_instructions_are_taken_as_they_are_documented(
    vendor: str, field: dict[str, Any], status: int
) -> None:
    async with caller() as client:
        assert (await google(client, vendor, google_body() | field)).status_code == status


@pytest.mark.parametrize(("quality", "status"), [(0, 200), (100, 200), (101, 400), (-1, 400), ("60", 400)])
async def test_a_compression_quality_lies_between_0_and_100(quality: object, status: int) -> None:
    async with caller() as client:
        image = {"imageOutputOptions": {"mimeType": "image/jpeg", "compressionQuality": quality}}
        assert (await google(client, "vertex", google_body(image=image))).status_code == status


async def test_image_search_is_refused_by_a_model_without_it() -> None:
    body = google_body() | {"tools": [{"googleSearch": {"searchTypes": {"imageSearch": {}}}}]}
    async with caller() as client:
        assert (await google(client, "gemini", body, "gemini-3-pro-image")).status_code == 400
