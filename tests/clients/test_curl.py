"""The gateway as people try it from a shell."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.clients.curl import Curled, curl
from tests.clients.kit import arrived
from tests.clients.pictures import delivered
from tests.clients.uploads import MARKS, PAINTED, PHOTO_UPRIGHT, Uploads
from tests.e2e.conftest import NANO_BANANA_2, Vendors

MODEL = ("-F", f"model={NANO_BANANA_2}")
PROMPT = ("-F", "prompt=make it night")


def generate(gateway: str, folder: Path, *options: str, **fields: Any) -> Curled:
    body = json.dumps({"model": NANO_BANANA_2, "prompt": "a red fox", **fields})
    header = ("-H", "Content-Type: application/json")
    return curl(f"{gateway}/images/generations", *header, "-d", body, *options, folder=folder)


def edit(gateway: str, folder: Path, *options: str, query: str = "") -> Curled:
    return curl(f"{gateway}/images/edits{query}", *MODEL, *options, *PROMPT, folder=folder)


def pictures_in(answer: dict[str, Any], folder: Path) -> list[Image.Image]:
    """The answer's pictures, each decoded as ``base64 --decode`` would."""
    found = []
    for number, image in enumerate(answer["data"]):
        file = folder / f"picture-{number}"
        file.write_bytes(base64.b64decode(image["b64_json"], validate=True))
        found.append(delivered(str(file), format=answer["output_format"], size=answer["size"]))
    return found


def test_generates(gateway: str, tmp_path: Path) -> None:
    (picture,) = pictures_in(generate(gateway, tmp_path, size="16:9").json(), tmp_path)
    assert picture.size == (1376, 768)


def test_edits_one_file(gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors) -> None:
    answer = edit(gateway, tmp_path, "-F", f"image=@{uploads.photo}").json()
    assert len(pictures_in(answer, tmp_path)) == 1
    assert arrived(vendors) == [PHOTO_UPRIGHT]


@pytest.mark.parametrize("names", [("image[]", "image[]"), ("image", "image"), ("image[0]", "image[1]")])
def test_edits_several_files_under_every_name_in_use(
    gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors, names: tuple[str, str]
) -> None:
    first, second = (f"{name}=@{file}" for name, file in zip(names, (uploads.painted, uploads.marks), strict=True))
    answer = edit(gateway, tmp_path, "-F", first, "-F", second, "-F", "n=2").json()
    assert len(pictures_in(answer, tmp_path)) == 2
    assert arrived(vendors) == [PAINTED, MARKS] * 2


def test_edits_a_file_whose_type_the_caller_does_not_know(
    gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors
) -> None:
    unknown = f"image=@{uploads.marks};type=application/octet-stream;filename=blob"
    assert len(pictures_in(edit(gateway, tmp_path, "-F", unknown).json(), tmp_path)) == 1
    assert arrived(vendors) == [MARKS]


def test_edits_with_a_mask(gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors) -> None:
    files = ("-F", f"mask=@{uploads.mask}", "-F", f"image=@{uploads.painted}")
    assert len(pictures_in(edit(gateway, tmp_path, *files).json(), tmp_path)) == 1
    assert arrived(vendors)[0] == PAINTED


def test_uploads_in_chunks_without_a_length(gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors) -> None:
    chunked = ("-H", "Transfer-Encoding: chunked")
    assert len(pictures_in(edit(gateway, tmp_path, *chunked, "-F", f"image=@{uploads.photo}").json(), tmp_path)) == 1
    assert arrived(vendors) == [PHOTO_UPRIGHT]


def test_uploads_what_it_asks_leave_for_first(gateway: str, tmp_path: Path, vendors: Vendors) -> None:
    size = (1024, 704)
    large = tmp_path / "large.png"
    Image.effect_noise(size, 90).convert("RGB").save(large)
    expecting = (
        "-H",
        "Expect: 100-continue",
    )  # what curl sends by itself with large bodies; how large, versions differ
    assert len(pictures_in(edit(gateway, tmp_path, *expecting, "-F", f"image=@{large}").json(), tmp_path)) == 1
    assert arrived(vendors) == [size]


def test_a_file_that_is_no_picture_is_refused_in_the_envelope(
    gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors
) -> None:
    error = edit(gateway, tmp_path, "-F", f"image=@{uploads.text}").json(400)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["type"]) == ("image", "invalid_request_error")
    assert vendors.books() == []


def test_a_url_gives_the_whole_and_a_range(gateway: str, tmp_path: Path) -> None:
    answer = generate(gateway, tmp_path, response_format="url", output_format="png").json()
    (image,) = answer["data"]
    assert image.get("b64_json") is None
    whole = curl(image["url"], folder=tmp_path)
    assert (whole.status, whole.headers["content-type"]) == (200, "image/png")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in whole.headers["cache-control"]
    delivered(str(tmp_path / "body"), format="png", size=answer["size"])
    part = curl("-r", "0-99", image["url"], folder=tmp_path)
    assert (part.status, part.body) == (206, whole.body[:100])
    assert part.headers["content-range"] == f"bytes 0-99/{len(whole.body)}"
    rest = curl("-r", "100-", image["url"], folder=tmp_path)
    assert part.body + rest.body == whole.body
    again = curl("-H", f"If-None-Match: {whole.headers['etag']}", image["url"], folder=tmp_path)
    assert again.status == 304
    guessed = curl(image["url"][:-1], folder=tmp_path)
    assert guessed.status in {403, 404}


@pytest.mark.parametrize("asked", ["query", "field"])
def test_a_dry_run_of_an_edit_is_a_plan_and_calls_nobody(
    gateway: str, tmp_path: Path, uploads: Uploads, vendors: Vendors, asked: str
) -> None:
    file = ("-F", f"image=@{uploads.photo}")
    if asked == "query":
        plan = edit(gateway, tmp_path, *file, query="?dry_run=true").json()
    else:
        plan = edit(gateway, tmp_path, *file, "-F", "dry_run=true").json()
    assert (plan["object"], plan["operation"], plan["model"]) == ("route_plan", "edit", NANO_BANANA_2)
    assert plan["candidates"]
    assert vendors.requests() == []


@pytest.mark.parametrize("operation", ["image_generation", "image_edit"])
def test_a_stream_is_events_and_comments_and_nothing_else(
    gateway: str, tmp_path: Path, uploads: Uploads, operation: str
) -> None:
    if operation == "image_edit":
        streamed = edit(gateway, tmp_path, "-N", "-F", "stream=true", "-F", f"image=@{uploads.marks}")
    else:
        streamed = generate(gateway, tmp_path, "-N", stream=True)
    assert (streamed.status, streamed.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    text = streamed.body.decode("utf-8")
    assert text.endswith("\n\n")
    blocks = [block.split("\n") for block in text.removesuffix("\n\n").split("\n\n")]
    events = [block for block in blocks if not block[0].startswith(":")]
    assert all(len(block) == 1 for block in blocks if block[0].startswith(":"))
    ((name, data),) = events
    assert name == f"event: {operation}.completed"
    event = json.loads(data.removeprefix("data: "))
    assert event["type"] == f"{operation}.completed"
    assert set(event["usage"]) >= {"total_tokens", "input_tokens", "output_tokens", "input_tokens_details"}
    assert pictures_in({**event, "data": [event]}, tmp_path)
