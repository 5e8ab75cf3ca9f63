"""Formats and sizes end to end: exactly what was asked for, whatever the vendor can be asked for."""

from __future__ import annotations

import base64
from itertools import product
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.e2e.asking import FOUR, ask, edit, error_of, metric, warned
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import checked, encoded, pictures, scene

FORMATS = ("png", "jpeg", "webp", "avif", "gif")
NATIVE = {"gemini": "jpeg", "vertex": "png", "fal": "png", "replicate": "png"}
LOSSY = ("jpeg", "webp", "avif")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures in levels of 255."""
    if one.size != other.size:
        other = other.resize(one.size)
    means: list[float] = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return max(means)


def size_in_bytes(answer: dict[str, Any]) -> int:
    return len(base64.b64decode(answer["data"][0]["b64_json"]))


@pytest.mark.parametrize(("provider", "wanted"), list(product(FOUR, FORMATS)))
def test_every_format_from_every_provider(plain: str, vendors: Vendors, provider: str, wanted: str) -> None:
    unasked = checked(ask(plain, model=f"{provider}/{NANO_BANANA_2}").json())
    assert unasked.format == NATIVE[provider].upper()
    vendors.reset()  # the same picture again
    response = ask(plain, model=f"{provider}/{NANO_BANANA_2}", output_format=wanted)
    picture = checked(response.json())
    assert picture.format == wanted.upper()
    assert picture.size == (1376, 768)
    assert difference(unasked, picture) < (12 if wanted == "gif" else 6)
    # Only what is lost is told: of a format, that is colours.
    assert ("256 colours" in warned(response).get("output_format", "")) == (wanted == "gif")


def test_unasked_the_vendors_own_file_is_passed_on_as_it_is(plain: str) -> None:
    for provider, native in NATIVE.items():
        assert checked(ask(plain, model=f"{provider}/{NANO_BANANA_2}").json()).format == native.upper()


@pytest.mark.parametrize(("provider", "wanted"), list(product(FOUR, LOSSY)))
def test_compression_changes_the_size_of_the_file(plain: str, provider: str, wanted: str) -> None:
    fields = {"model": f"{provider}/{NANO_BANANA_2}", "output_format": wanted, "resolution": "1K"}
    lengths = [size_in_bytes(ask(plain, output_compression=quality, **fields).json()) for quality in (10, 60, 95)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[0] * 2 < lengths[2]


def test_compression_of_a_format_that_loses_nothing_is_a_warning(plain: str) -> None:
    response = ask(plain, output_format="png", output_compression=30)
    assert checked(response.json()).format == "PNG"
    assert "output_compression" in warned(response)


@pytest.mark.parametrize(
    ("provider", "size"),
    [
        *product(FOUR, ["1001x563", "640x480", "333x1000", "1536x1536", "2047x1153", "37x41", "512x512"]),
    ],
)
def test_exact_sizes_are_met_to_the_pixel(plain: str, provider: str, size: str) -> None:
    response = ask(plain, model=f"{provider}/{NANO_BANANA_2}", size=size, resize="exact")
    assert response.status_code == 200, response.text[:600]
    picture = checked(response.json())
    assert f"{picture.width}x{picture.height}" == size
    assert "size" not in warned(response)
    assert shows_something(picture)


def shows_something(picture: Image.Image) -> bool:
    """Whether there is a picture in it: no bars, no single colour."""
    return all(low + 20 < high for low, high in picture.convert("RGB").getextrema())  # type: ignore[misc]


def test_exact_sizes_are_met_by_edits_streams_of_n_and_formats_together(plain: str) -> None:
    response = edit(plain, encoded(scene(300, 200), "PNG"), size="501x333", resize="exact", n=3, output_format="avif")
    found = pictures(response.json())
    assert [(picture.size, picture.format) for picture in found] == [((501, 333), "AVIF")] * 3


def test_an_exact_size_beyond_what_is_worked_on_is_refused(plain: str, vendors: Vendors) -> None:
    for fields in ({"size": "9000x9000"}, {"size": "16:9"}, {"size": None}):
        assert error_of(ask(plain, resize="exact", **fields), 400)["param"] in ("size", "resize")
    assert vendors.books() == []


def test_one_format_for_all_is_a_setting_that_callers_may_overrule(start: StartGateway) -> None:
    url = start(gateway_output_format="webp")
    for provider in FOUR:
        assert checked(ask(url, model=f"{provider}/{NANO_BANANA_2}").json()).format == "WEBP"
    assert checked(ask(url, output_format="jpeg").json()).format == "JPEG"


@pytest.mark.parametrize("named", ["jpg", "JPEG", "image/jpeg"])
def test_other_spellings_of_a_format_are_understood(plain: str, named: str) -> None:
    assert checked(ask(plain, output_format=named).json()).format == "JPEG"


def test_a_transparent_background_nobody_can_do_is_refused(plain: str, vendors: Vendors) -> None:
    error = error_of(ask(plain, background="transparent"), 400)
    assert (error["param"], error["code"]) == ("background", "unsupported_value")
    assert vendors.books() == []


@pytest.mark.parametrize("provider", FOUR)
def test_a_4k_picture_is_converted_too(start: StartGateway, provider: str) -> None:
    url = start()
    response = ask(
        url, model=f"{provider}/{NANO_BANANA_2}", size=None, aspect_ratio="1:1", resolution="4K", output_format="webp"
    )
    picture = checked(response.json())
    assert (picture.size, picture.format) == ((4096, 4096), "WEBP")
    assert metric(url, "gateway_rejected_deliveries_total") == 0
