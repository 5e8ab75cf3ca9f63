"""Images answered by URL: they work for whoever has the URL, end in time, and cannot be guessed, widened or listed."""

from __future__ import annotations

import io
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from app.hosting.names import draw
from app.hosting.signing import Signer
from tests.e2e import patient
from tests.e2e.asking import FOUR, ask, edit, error_of, warned
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import checked, encoded, opened, scene

KEY = "the signing key of these tests, long enough"
URL = re.compile(r"http://127\.0\.0\.1:\d+/v1/images/files/([A-Za-z0-9_-]{43})/(\d{10}-[0-9a-f]{40}\.[a-z]+)")


def url_of(response: httpx.Response) -> str:
    """The URL of the one image, after checking that there is nothing else."""
    assert response.status_code == 200, response.text[:600]
    (entry,) = response.json()["data"]
    assert set(entry) == {"url"}
    url: str = entry["url"]
    return url


def picture_at(url: str) -> Image.Image:
    response = patient.get(url)
    assert response.status_code == 200, response.text[:300]
    picture = Image.open(io.BytesIO(response.content))
    picture.load()
    return picture


@pytest.mark.parametrize("provider", FOUR)
@pytest.mark.parametrize("output_format", [None, "webp"])
def test_each_providers_image_is_had_by_url(plain: str, provider: str, output_format: str | None) -> None:
    response = ask(plain, model=f"{provider}/{NANO_BANANA_2}", response_format="url", output_format=output_format)
    url = url_of(response)
    assert URL.fullmatch(url)
    had = patient.get(url)
    assert had.status_code == 200
    picture = Image.open(io.BytesIO(had.content))
    assert picture.size == (1376, 768)
    assert response.json()["size"] == "1376x768"
    assert had.headers["content-type"] == f"image/{response.json()['output_format']}" == picture.get_format_mimetype()
    assert had.headers["x-content-type-options"] == "nosniff"
    assert had.headers["accept-ranges"] == "bytes"
    assert "immutable" in had.headers["cache-control"]
    assert had.headers["content-length"] == str(len(had.content))


def test_several_images_have_several_urls(plain: str) -> None:
    response = ask(plain, response_format="url", n=3)
    urls = [entry["url"] for entry in response.json()["data"]]
    assert len(set(urls)) == 3
    assert len({patient.get(url).content for url in urls}) == 3


def test_an_edit_is_had_by_url(plain: str) -> None:
    response = edit(plain, encoded(scene(64, 64), "PNG"), response_format="url")
    assert picture_at(url_of(response)).size == (1024, 1024)


def test_an_image_is_had_in_parts(plain: str) -> None:
    url = url_of(ask(plain, response_format="url"))
    whole = patient.get(url).content
    for wanted, status, expected in (
        ("bytes=0-99", 206, whole[:100]),
        ("bytes=100-", 206, whole[100:]),
        ("bytes=-7", 206, whole[-7:]),
        (f"bytes=0-{len(whole) * 2}", 206, whole),
        ("bytes=5-2", 200, whole),
        ("lines=1-2", 200, whole),
    ):
        part = patient.get(url, headers={"Range": wanted})
        assert (part.status_code, part.content) == (status, expected), wanted
        if status == 206:
            assert part.headers["content-range"].endswith(f"/{len(whole)}")
    beyond = patient.get(url, headers={"Range": f"bytes={len(whole)}-"})
    assert error_of(beyond, 416)["code"] == "range_not_satisfiable"
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"


def test_a_cache_is_told_that_nothing_changed(plain: str) -> None:
    url = url_of(ask(plain, response_format="url"))
    tag = patient.get(url).headers["etag"]
    for headers in ({"If-None-Match": tag}, {"If-None-Match": f'"other", W/{tag}'}, {"If-None-Match": "*"}):
        unchanged = patient.get(url, headers=headers)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == tag
    assert patient.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert patient.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    looked = patient.head(url)
    assert (looked.status_code, looked.content) == (200, b"")
    assert int(looked.headers["content-length"]) == len(patient.get(url).content)
    old = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert patient.get(url, headers={"If-Modified-Since": old}).status_code == 200


def test_the_url_is_the_permission_while_the_api_needs_a_key(start: StartGateway) -> None:
    gateway = start(gateway_api_keys="a-key-of-a-caller")
    error_of(ask(gateway, response_format="url"), 401)
    url = url_of(ask(gateway, response_format="url", headers={"Authorization": "Bearer a-key-of-a-caller"}))
    assert picture_at(url).size == (1376, 768)
    elsewhere = patient.get(url, headers={"Origin": "https://shop.example", "Host": "images.example"})
    assert elsewhere.status_code == 200
    assert elsewhere.headers["access-control-allow-origin"] == "*"


def test_a_url_cannot_be_guessed_altered_or_widened(start: StartGateway) -> None:
    gateway = start(gateway_signing_key=KEY)
    url = url_of(ask(gateway, response_format="url"))
    found = URL.fullmatch(url)
    assert found is not None
    signature, name = found.groups()
    expires = int(name[:10])
    assert signature == Signer(KEY.encode()).sign(name)
    prefix = f"{gateway}/v1/images/files"
    turned = signature[:-1] + ("A" if signature[-1] != "A" else "E")
    for path in (
        f"{prefix}/{signature}/{expires + 3600}{name[10:]}",
        f"{prefix}/{turned}/{name}",
        f"{prefix}/{signature}/{name.replace(name[12], '0' if name[12] != '0' else '1', 1)}",
        f"{prefix}/{signature}/{name}/",
        f"{prefix}/{signature}/{name}.json",
        f"{prefix}/{signature}/../{name}",
        f"{prefix}/{signature}/%2e%2e/%2e%2e/signing-key",
        f"{prefix}/{signature}/",
        f"{prefix}/{signature}",
        f"{prefix}/",
        f"{prefix}/{'A' * 43}/{name}",
        f"{prefix}/{Signer(b'another key, as long as it must be').sign(name)}/{name}",
        f"{prefix}/{signature}=/{name}",
    ):
        answer = patient.get(path)
        assert answer.status_code == 404, path
        error_of(answer, 404)
    assert patient.get(url).status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        assert patient.request(method, url).status_code == 405


def test_a_url_that_has_ended_says_when(start: StartGateway) -> None:
    gateway = start(gateway_signing_key=KEY)
    assert ask(gateway, response_format="url").status_code == 200
    ended = draw("image/png", expires=int(time.time()) - 1)
    name = str(ended)
    error = error_of(patient.get(f"{gateway}/v1/images/files/{Signer(KEY.encode()).sign(name)}/{name}"), 410)
    assert error["code"] == "image_expired"
    assert str(datetime.now(UTC).year) in error["message"]


def test_a_url_ends_when_the_setting_says(start: StartGateway) -> None:
    before = time.time()
    found = URL.fullmatch(url_of(ask(start(gateway_image_ttl_s=61), response_format="url")))
    assert found is not None
    assert before + 60 <= int(found[2][:10]) <= time.time() + 62


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_url_works_until_its_end_and_not_beyond(start: StartGateway) -> None:
    url = url_of(ask(start(gateway_image_ttl_s=60), response_format="url"))
    assert patient.get(url).status_code == 200
    give_up = time.monotonic() + 70
    while (answer := patient.get(url)).status_code == 200:
        assert time.monotonic() < give_up
        time.sleep(1)
    assert error_of(answer, 410)["code"] == "image_expired"


@pytest.mark.parametrize("settings", [{}, {"gateway_signing_key": KEY}])
def test_a_url_survives_a_restart(start: StartGateway, tmp_path: Path, settings: dict[str, Any]) -> None:
    settings = {**settings, "gateway_data_dir": tmp_path / "kept"}
    url = url_of(ask(start(**settings), response_format="url"))
    before = patient.get(url).content
    again = start(**settings)
    assert patient.get(again + urlsplit(url).path).content == before
    other = start(gateway_data_dir=tmp_path / "another")
    assert patient.get(other + urlsplit(url).path).status_code == 404


def test_the_url_begins_with_what_the_operator_says(start: StartGateway) -> None:
    gateway = start(gateway_public_url="https://images.example.com/prefix")
    url = url_of(ask(gateway, response_format="url"))
    assert url.startswith("https://images.example.com/prefix/v1/images/files/")
    assert picture_at(gateway + urlsplit(url).path.removeprefix("/prefix")).size == (1376, 768)


@pytest.mark.parametrize("model", ["dall-e-2", "dall-e-3"])
def test_names_whose_clients_read_nothing_but_url_get_urls(plain: str, model: str) -> None:
    assert picture_at(url_of(ask(plain, model=model))).size == (1376, 768)
    asked = ask(plain, model=model, response_format="b64_json")
    assert set(asked.json()["data"][0]) == {"b64_json"}


def test_base64_is_the_default_and_has_no_url_beside_it(start: StartGateway, tmp_path: Path) -> None:
    gateway = start()
    for fields in ({}, {"response_format": "b64_json"}, {"model": "gpt-image-1"}):
        response = ask(gateway, **fields)
        assert set(response.json()["data"][0]) == {"b64_json"}
        assert checked(response.json()).size == (1376, 768)
    assert not (tmp_path / "data").exists()  # nothing is kept for callers who want none of it kept


def test_a_store_that_fails_answers_in_base64_with_a_warning(
    start: StartGateway, vendors: Vendors, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "a file and no folder"
    in_the_way.write_bytes(b"")
    gateway = start(gateway_data_dir=in_the_way)
    response = ask(gateway, response_format="url", n=2)
    assert response.status_code == 200, response.text[:600]
    assert [set(entry) for entry in response.json()["data"]] == [{"b64_json"}] * 2
    assert opened(response.json()["data"][1]["b64_json"]).size == (1376, 768)
    message = warned(response)["response_format"]
    assert "b64_json" in message
    assert str(tmp_path) not in message
    provider = response.json()["metadata"]["provider"]
    assert vendors.sums(provider)["images"] == 2


def test_the_folder_of_images_and_the_key_are_for_the_gateway_alone(start: StartGateway, tmp_path: Path) -> None:
    data = tmp_path / "data"
    url_of(ask(start(), response_format="url"))
    files = [path for path in data.rglob("*") if path.is_file()]
    assert len(files) == 2  # the image and the key
    for path in files:
        if "key" in path.name:
            assert path.stat().st_mode & 0o077 == 0
