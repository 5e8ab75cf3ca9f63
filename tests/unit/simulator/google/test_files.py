"""The Gemini Files API: the resumable upload, and files that requests may name."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from simulator.google.order import VERTEX_INLINE_BYTES
from simulator.google.routes import GEMINI_BODY
from simulator.server import create_app
from tests.unit.simulator.kit import FAST, caller, google, google_body, image_of, picture

KEY = {"x-goog-api-key": "test-key"}
START = {
    **KEY,
    "x-goog-upload-protocol": "resumable",
    "x-goog-upload-command": "start",
    "x-goog-upload-header-content-type": "image/png",
}
FINAL = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
FILES = "/gemini/upload/v1beta/files"


async def started(client: httpx.AsyncClient, length: int) -> str:
    headers = {**START, "x-goog-upload-header-content-length": str(length)}
    answer = await client.post(FILES, headers=headers, json={"file": {"display_name": "image-1"}})
    assert answer.status_code == 200, answer.text
    return answer.headers["x-goog-upload-url"]


async def stored(client: httpx.AsyncClient, data: bytes) -> dict[str, Any]:
    answer = await client.post(await started(client, len(data)), content=data, headers=FINAL)
    assert answer.headers["x-goog-upload-status"] == "final", answer.text
    file: dict[str, Any] = answer.json()["file"]
    return file


def naming(uri: str, mime: str | None = "image/png") -> dict[str, Any]:
    body = google_body("make it blue")
    body["contents"][0]["parts"].insert(0, {"fileData": {"fileUri": uri, "mimeType": mime}})
    return body


async def test_an_uploaded_picture_is_edited_and_counted_as_received() -> None:
    data = picture((500, 900))
    async with caller() as client:
        file = await stored(client, data)
        assert (file["state"], file["sizeBytes"], file["displayName"]) == ("ACTIVE", str(len(data)), "image-1")
        answer = await google(client, "gemini", naming(file["uri"]))
        assert (await image_of(client, "gemini", answer)).size == (768, 1376)
        (received,) = (await client.get("/_control/inputs")).json()
    assert (received["provider"], received["format"], received["bytes"]) == ("gemini", "png", len(data))


async def test_a_file_is_told_about_until_48_hours_have_passed() -> None:
    now = 0.0
    transport = httpx.ASGITransport(create_app(FAST, clock=lambda: now))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator.test") as client:
        file = await stored(client, picture())
        assert file["uri"].endswith(f"/gemini/v1beta/{file['name']}")
        assert (await client.get(file["uri"], headers=KEY)).json() == file
        now = 48 * 3600.0 + 1
        assert (await client.get(file["uri"], headers=KEY)).status_code == 403
        assert (await google(client, "gemini", naming(file["uri"]))).status_code == 403


async def test_a_file_may_come_in_pieces() -> None:
    data = picture()
    async with caller() as client:
        url = await started(client, len(data))
        first = {"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}
        assert (await client.post(url, content=data[:100], headers=first)).headers["x-goog-upload-status"] == "active"
        assert (await client.post(url, content=data[50:], headers=FINAL)).status_code == 400
        last = {**FINAL, "x-goog-upload-offset": "100"}
        assert (await client.post(url, content=data[100:], headers=last)).json()["file"]["sizeBytes"] == str(len(data))
        assert (await client.post(url, content=b"", headers=last)).status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"x-goog-api-key": ""}, 403),
        ({"x-goog-upload-protocol": "raw"}, 400),
        ({"x-goog-upload-command": "upload"}, 400),
        ({"x-goog-upload-header-content-length": "many"}, 400),
        ({"x-goog-upload-header-content-length": "9" * 11}, 413),
        ({"x-goog-upload-header-content-type": ""}, 400),
    ],
)
async def test_an_upload_that_begins_otherwise_is_refused(change: dict[str, str], status: int) -> None:
    async with caller() as client:
        answer = await client.post(FILES, headers={**START, "x-goog-upload-header-content-length": "9", **change})
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == status


@pytest.mark.parametrize("content", [b"123456789 and more", b"1234"])
async def test_a_file_of_another_length_than_announced_is_refused(content: bytes) -> None:
    async with caller() as client:
        answer = await client.post(await started(client, 9), content=content, headers=FINAL)
        assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.test/gemini/v1beta/files/abc",
        "http://simulator.test/fal/files/abc",
        "http://simulator.test/gemini/v1beta/files/",
        "files/abc",
        "http://[broken",
    ],
)
async def test_a_file_that_is_not_ours_may_not_be_read(uri: str) -> None:
    async with caller() as client:
        assert (await google(client, "gemini", naming(uri))).json()["error"]["code"] in (400, 403)


async def test_vertex_knows_no_files_of_gemini() -> None:
    async with caller() as client:
        file = await stored(client, picture())
        assert (await google(client, "vertex", naming(file["uri"]))).status_code == 403


@pytest.mark.parametrize("mime", ["image/gif", {"a": 1}])
async def test_a_file_of_a_type_the_models_do_not_take_is_refused(mime: Any) -> None:
    async with caller() as client:
        file = await stored(client, picture())
        assert (await google(client, "gemini", naming(file["uri"], mime))).status_code == 400


async def test_a_reset_forgets_files_and_uploads() -> None:
    async with caller() as client:
        file, url = await stored(client, picture()), await started(client, 9)
        await client.post("/_control/reset", json={})
        assert (await client.get(file["uri"], headers=KEY)).status_code == 403
        assert (await client.post(url, content=b"123456789", headers=FINAL)).status_code == 404


@pytest.mark.parametrize(("vendor", "length"), [("gemini", GEMINI_BODY), ("vertex", VERTEX_INLINE_BYTES)])
async def test_too_much_inline_is_refused(vendor: str, length: int) -> None:
    body = google_body()
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(bytes(length + 1)).decode()}}
    body["contents"][0]["parts"].append(part)
    async with caller() as client:
        told = (await google(client, vendor, body)).json()["error"]
        assert (told["code"], told["status"]) == (400, "INVALID_ARGUMENT")
        assert "limit" in told["message"]
