"""Edits end to end: what callers send reaches every vendor upright, bare and the way that vendor takes it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pillow_heif
import pytest

from tests.e2e import patient
from tests.e2e.asking import FOUR, assert_books_agree, billed, edit, edit_json, error_of, story, warned
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import checked, data_url, encoded, photograph, scene

VERTEX_BYTES = 7_000_000
FILE_SERVICES = {"gemini": "/gemini/upload/", "fal": "/storage/upload/", "replicate": "/v1/files"}
SMALL = encoded(scene(320, 240), "PNG")


def heic(width: int, height: int) -> bytes:
    pillow_heif.register_heif_opener()
    return encoded(scene(width, height), "HEIF", quality=80)


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    """A file server on this machine, and the paths it was asked for."""
    asked: list[str] = []

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path.startswith("/fox") else 404)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(SMALL)))
            self.end_headers()
            self.wfile.write(SMALL)

        def log_message(self, format: str, *args: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("provider", FOUR)
def test_a_phones_photograph_arrives_upright_and_bare(plain: str, vendors: Vendors, provider: str) -> None:
    response = edit(plain, ("IMG.jpg", photograph(), "image/jpeg"), model=f"{provider}/{NANO_BANANA_2}")
    assert response.status_code == 200, response.text[:600]
    assert checked(response.json()).size == (896, 1200)  # the vendor follows the picture's own ratio: 3:4
    (received,) = vendors.inputs(provider)
    assert received["exif"] is False
    upright = (received["width"], received["height"])
    if provider == "vertex":
        assert received["bytes"] <= VERTEX_BYTES
        assert upright[0] * 4 == upright[1] * 3
        assert "smaller" in warned(response)["image"]
    else:
        assert upright == (3000, 4000)
        assert received["bytes"] > VERTEX_BYTES
        assert "image" not in warned(response)
    assert story(response) == [(provider, "ok", "charged")]
    assert_books_agree(response, vendors)


@pytest.mark.parametrize("provider", ["gemini", "fal", "replicate"])
def test_a_large_photograph_goes_through_the_vendors_file_service(plain: str, vendors: Vendors, provider: str) -> None:
    assert edit(plain, photograph(), photograph(), model=f"{provider}/{NANO_BANANA_2}").status_code == 200
    calls = [call for call in vendors.requests() if call["vendor"] == provider]
    uploads = [call for call in calls if FILE_SERVICES[provider] in call["path"]]
    assert uploads
    orders = [call for call in calls if call["method"] == "POST" and call not in uploads]
    # Gemini takes 15 MB of base64 inline, which is one such photograph less than these two; the others take none.
    assert all(call["size"] < (20_000_000 if provider == "gemini" else 100_000) for call in orders), orders
    assert [(each["width"], each["height"]) for each in vendors.inputs(provider)] == [(3000, 4000)] * 2


@pytest.mark.parametrize("provider", FOUR)
def test_a_small_picture_goes_inline_and_untouched(plain: str, vendors: Vendors, provider: str) -> None:
    response = edit(plain, SMALL, model=f"{provider}/{NANO_BANANA_2}")
    assert response.status_code == 200, response.text[:600]
    assert [each["bytes"] for each in vendors.inputs(provider)] == [len(SMALL)]
    uploads = [call for call in vendors.requests() if FILE_SERVICES.get(provider, "upload") in call["path"]]
    assert not uploads


@pytest.mark.parametrize(
    ("name", "format", "options"),
    [
        ("heic", "HEIF", {"quality": 80}),
        ("gif", "GIF", {}),
        ("avif", "AVIF", {"quality": 70}),
        ("bmp", "BMP", {}),
        ("tiff", "TIFF", {}),
        ("png", "PNG", {}),
        ("webp", "WEBP", {}),
    ],
)
def test_formats_vendors_do_not_take_are_converted(
    plain: str, vendors: Vendors, name: str, format: str, options: dict[str, Any]
) -> None:
    pillow_heif.register_heif_opener()
    data = encoded(scene(640, 480), format, **options)
    for provider in FOUR:
        # The name and the type lie, as those of many clients do: the bytes decide.
        response = edit(plain, ("photo.png", data, "application/octet-stream"), model=f"{provider}/{NANO_BANANA_2}")
        assert response.status_code == 200, (provider, response.text[:600])
        (received,) = vendors.inputs(provider)
        assert (received["width"], received["height"]) == (640, 480)
        assert received["format"] == (name if name in ("png", "webp") else "png")


def test_an_animation_is_edited_by_its_first_frame_with_a_warning(plain: str, vendors: Vendors) -> None:
    frames = [scene(200, 100), scene(200, 100).rotate(180)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    response = edit(plain, data)
    assert response.status_code == 200
    assert "first frame" in warned(response)["image"]


@pytest.mark.parametrize("name", ["image", "image[]", "images", "images[]"])
def test_fourteen_pictures_reach_every_provider_in_order(plain: str, vendors: Vendors, name: str) -> None:
    sizes = [(100 + 10 * place, 100) for place in range(14)]
    files = [encoded(scene(*size), "PNG") for size in sizes]
    for provider in FOUR:
        response = edit(plain, *files, name=name, model=f"{provider}/{NANO_BANANA_2}")
        assert response.status_code == 200, (provider, response.text[:600])
        assert [(each["width"], each["height"]) for each in vendors.inputs(provider)] == sizes


def test_numbered_parts_mixed_with_fields_keep_their_order(plain: str, vendors: Vendors) -> None:
    sizes = [(100, 100), (120, 100), (140, 100)]
    parts: list[tuple[str, Any]] = [
        (f"image[{place}]", (f"{place}.png", encoded(scene(*size), "PNG"), "image/png"))
        for place, size in enumerate(sizes)
    ]
    parts.insert(1, ("model", (None, f"fal/{NANO_BANANA_2}")))
    parts.append(("prompt", (None, "make it night")))
    response = httpx.post(f"{plain}/v1/images/edits", files=parts, timeout=60)
    assert response.status_code == 200, response.text[:600]
    assert [(each["width"], each["height"]) for each in vendors.inputs("fal")] == sizes


def test_more_pictures_than_any_provider_takes_are_refused_with_the_number(plain: str, vendors: Vendors) -> None:
    for count, most in ((16, "14"), (17, "16")):
        error = error_of(edit(plain, *[SMALL] * count), 400)
        assert error["param"] == "image"
        assert most in error["message"]
    assert vendors.books() == []


def test_the_json_variant_takes_data_urls_and_objects(plain: str, vendors: Vendors) -> None:
    other = encoded(scene(100, 200), "PNG")
    response = edit_json(
        plain,
        model=f"replicate/{NANO_BANANA_2}",
        images=[{"image_url": data_url(SMALL)}, {"image_url": {"url": data_url(other)}}],
    )
    assert response.status_code == 200, response.text[:600]
    assert [(each["width"], each["height"]) for each in vendors.inputs("replicate")] == [(320, 240), (100, 200)]


def test_a_url_is_fetched_only_where_private_addresses_are_allowed(
    start: StartGateway, vendors: Vendors, served: tuple[str, list[str]]
) -> None:
    files, asked = served
    trusting, careful = start(gateway_fetch_private=True), start()
    images = [{"image_url": f"{files}/fox.png?token=secret-in-the-query"}]
    error = error_of(edit_json(careful, images=images), 400)
    assert error["param"] == "images[0].image_url"
    assert "https" in error["message"]
    assert "secret" not in error["message"]
    assert asked == []
    response = edit_json(trusting, model=f"gemini/{NANO_BANANA_2}", images=images)
    assert response.status_code == 200, response.text[:600]
    assert asked == ["/fox.png?token=secret-in-the-query"]
    assert [each["bytes"] for each in vendors.inputs("gemini")] == [len(SMALL)]
    missing = error_of(edit_json(trusting, images=[{"image_url": f"{files}/wolf.png"}]), 400)
    assert "404" in missing["message"]


def test_a_url_in_a_text_part_of_a_form_is_fetched(
    start: StartGateway, vendors: Vendors, served: tuple[str, list[str]]
) -> None:
    files, asked = served
    url = start(gateway_fetch_private=True)
    form = {"model": f"fal/{NANO_BANANA_2}", "prompt": "bluer", "image": f"{files}/fox.png"}
    response = patient.post(f"{url}/v1/images/edits", files={key: (None, value) for key, value in form.items()})
    assert response.status_code == 200, response.text[:600]
    assert asked == ["/fox.png"]
    assert len(vendors.inputs("fal")) == 1


@pytest.mark.parametrize("field", ["image", "images", "image_url", "input_references"])
def test_generations_take_reference_pictures_too(plain: str, vendors: Vendors, field: str) -> None:
    value: Any = data_url(SMALL) if field in ("image", "image_url") else [data_url(SMALL)]
    body = {"model": f"vertex/{NANO_BANANA_2}", "prompt": "the same by night", field: value}
    response = httpx.post(f"{plain}/v1/images/generations", json=body, timeout=60)
    assert response.status_code == 200, response.text[:600]
    assert len(vendors.inputs("vertex")) == 1


def test_a_dry_run_prices_the_inputs_and_calls_nobody(plain: str, vendors: Vendors) -> None:
    plans = [
        edit(plain, *[SMALL] * 3, query="?dry_run=true").json(),
        edit_json(plain, images=[{"image_url": data_url(SMALL)}] * 3, dry_run=True).json(),
    ]
    for plan in plans:
        assert (plan["object"], plan["operation"]) == ("route_plan", "edit")
        parts = {each["provider"]: each["price_parts"] for each in plan["candidates"]}
        assert set(parts) == set(FOUR)
        google = [Decimal(price) for name, price in parts["gemini"].items() if "input" in name]
        assert google == [3 * Decimal("0.00056")]
        assert not any("input" in name for name in parts["fal"])
        for each in plan["candidates"]:
            assert Decimal(each["price_usd"]) == sum(Decimal(part) for part in each["price_parts"].values())
    assert vendors.requests() == []


def test_the_price_of_an_edit_counts_its_inputs(plain: str, vendors: Vendors) -> None:
    response = edit(plain, *[SMALL] * 3, model=f"gemini/{NANO_BANANA_2}", resolution="1K")
    assert Decimal(response.json()["metadata"]["cost_usd"]) == Decimal("0.0672") + 3 * Decimal("0.00056")
    assert billed(vendors) == Decimal("0.0672") + 3 * Decimal("0.00056")


def test_an_edit_falls_back_with_its_pictures(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="fal")
    vendors.fail("fal", "503")
    response = edit(url, photograph(), SMALL)
    assert response.status_code == 200, response.text[:600]
    (first, outcome, _), (second, *_) = story(response)
    assert (first, outcome) == ("fal", "overloaded")
    assert second != "fal"
    assert len(vendors.inputs(second)) == 2
    assert_books_agree(response, vendors)


def test_an_upload_that_fails_costs_nothing_and_the_next_provider_serves(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="replicate")
    vendors.fail("replicate", "bad_key")
    response = edit(url, photograph())
    assert response.status_code == 200, response.text[:600]
    assert story(response)[0] == ("replicate", "credentials", "none")


def test_an_edit_without_a_picture_is_refused_whatever_was_asked_for_before(plain: str, vendors: Vendors) -> None:
    fields = {"model": NANO_BANANA_2, "prompt": "a fox", "n": 1}
    for _ in range(2):
        assert httpx.post(f"{plain}/v1/images/generations", json=fields, timeout=30).status_code == 200
    bought = billed(vendors)
    error = error_of(httpx.post(f"{plain}/v1/images/edits", json=fields, timeout=30), 400)
    assert (error["param"], billed(vendors)) == ("image", bought)
