"""Mask edits end to end: what is outside the mask is the caller's own, bit for bit, whoever paints."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from PIL import Image, ImageChops

from tests.e2e.asking import FOUR, assert_books_agree, edit, edit_json, error_of, story, warned
from tests.e2e.conftest import NANO_BANANA_2, StartGateway, Vendors
from tests.e2e.pictures import checked, data_url, encoded, mask_for, photograph, scene

Box = tuple[int, int, int, int]


def outside(picture: Image.Image, hole: Box) -> bytes:
    """The pixels outside of the hole."""
    kept = picture.convert("RGB")
    kept.paste((0, 0, 0), hole)
    return kept.tobytes()


def share_changed(before: Image.Image, after: Image.Image, hole: Box) -> float:
    """How much of the hole has other pixels than before."""
    difference = ImageChops.difference(before.convert("RGB").crop(hole), after.convert("RGB").crop(hole)).convert("L")
    return 1 - difference.histogram()[0] / (difference.width * difference.height)


@pytest.mark.parametrize("provider", FOUR)
@pytest.mark.parametrize("size", [(1024, 1024), (801, 613), (333, 1201)])
def test_outside_the_mask_every_pixel_is_the_callers_own(
    plain: str, vendors: Vendors, provider: str, size: tuple[int, int]
) -> None:
    original = scene(*size, noise=40)
    hole = (size[0] // 4, size[1] // 4, size[0] // 4 * 3, size[1] // 4 * 3)
    response = edit(plain, encoded(original, "PNG"), mask=mask_for(*size, hole), model=f"{provider}/{NANO_BANANA_2}")
    assert response.status_code == 200, response.text[:600]
    edited = checked(response.json())
    assert edited.size == size
    assert edited.format == "PNG"
    assert outside(edited, hole) == outside(original, hole)
    assert share_changed(original, edited, hole) > 0.9
    assert "emulated" in warned(response)["mask"]
    first, guide = vendors.inputs(provider)
    assert (first["width"], first["height"]) == (guide["width"], guide["height"])
    assert_books_agree(response, vendors)


def test_an_odd_hole_at_the_edge_is_met_to_the_pixel(plain: str) -> None:
    original, hole = scene(517, 389, noise=40), (0, 0, 101, 389)
    response = edit(plain, encoded(original, "PNG"), mask=mask_for(517, 389, hole))
    edited = checked(response.json())
    assert outside(edited, hole) == outside(original, hole)
    assert share_changed(original, edited, (0, 0, 100, 389)) > 0.9


def test_a_json_edit_takes_a_mask_as_an_object(plain: str) -> None:
    original, hole = scene(400, 300, noise=40), (100, 100, 200, 200)
    response = edit_json(
        plain,
        images=[{"image_url": data_url(encoded(original, "PNG"))}],
        mask={"image_url": data_url(mask_for(400, 300, hole))},
    )
    assert response.status_code == 200, response.text[:600]
    assert outside(checked(response.json()), hole) == outside(original, hole)


def test_transparency_of_the_callers_own_picture_stays_outside_the_mask(plain: str) -> None:
    original, hole = scene(320, 320).convert("RGBA"), (200, 200, 300, 300)
    original.paste((10, 20, 30, 40), (0, 0, 100, 100))
    edited = checked(edit(plain, encoded(original, "PNG"), mask=mask_for(320, 320, hole)).json())
    assert edited.mode == "RGBA"
    assert edited.crop((0, 0, 200, 320)).tobytes() == original.crop((0, 0, 200, 320)).tobytes()


def test_a_photographs_mask_is_for_the_picture_as_it_is_seen(plain: str) -> None:
    hole = (1000, 1000, 2000, 3000)
    response = edit(plain, photograph(), mask=mask_for(3000, 4000, hole), output_format="png")
    assert response.status_code == 200, response.text[:600]
    edited = checked(response.json())
    assert edited.size == (3000, 4000)
    stored = Image.open(io.BytesIO(photograph())).transpose(Image.Transpose.ROTATE_270)
    # Turning a JPEG and encoding it anew costs a little; which place is which must be right.
    for place in ((100, 100), (2900, 100), (100, 3900), (2900, 3900)):
        box = (place[0] - 50, place[1] - 50, place[0] + 50, place[1] + 50)
        was, now = (each.convert("RGB").crop(box).resize((1, 1), Image.Resampling.BOX) for each in (stored, edited))
        assert max(abs(a - b) for a, b in zip(was.getpixel((0, 0)), now.getpixel((0, 0)), strict=True)) < 6  # type: ignore[arg-type]


def test_the_price_counts_the_guide_picture(plain: str, vendors: Vendors) -> None:
    image = encoded(scene(256, 256), "PNG")
    priced = [
        Decimal(each["price_parts"]["input_images"])
        for mask in (None, mask_for(256, 256, (0, 0, 9, 9)))
        for each in edit(plain, image, mask=mask, query="?dry_run=1").json()["candidates"]
        if each["provider"] == "gemini"
    ]
    assert priced == [Decimal("0.00056"), Decimal("0.00112")]
    assert vendors.requests() == []


def test_thirteen_pictures_and_a_mask_are_taken_and_fourteen_are_not(plain: str, vendors: Vendors) -> None:
    image, mask = encoded(scene(128, 128), "PNG"), mask_for(128, 128, (0, 0, 64, 64))
    assert edit(plain, *[image] * 13, mask=mask, model=f"fal/{NANO_BANANA_2}").status_code == 200
    assert len(vendors.inputs("fal")) == 14
    error = error_of(edit(plain, *[image] * 14, mask=mask), 400)
    assert error["param"] == "image"
    assert "mask among them" in error["message"]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (mask_for(200, 100, (0, 0, 9, 9)), ("200x100", "100x200")),
        (encoded(scene(100, 200), "PNG"), ("transparen",)),
        (encoded(scene(100, 200), "JPEG"), ("PNG",)),
        (encoded(Image.new("RGBA", (100, 200), (0, 0, 0, 255)), "PNG"), ("transparen",)),
        (b"no image at all", ("mask",)),
        (mask_for(100, 200, (0, 0, 9, 9))[:60], ("mask",)),
    ],
    ids=["wrong size", "no alpha", "jpeg", "all opaque", "no image", "cut short"],
)
def test_a_mask_that_is_none_is_refused_with_what_would_be_right(
    plain: str, vendors: Vendors, mask: bytes, words: tuple[str, ...]
) -> None:
    error = error_of(edit(plain, encoded(scene(100, 200), "PNG"), mask=mask), 400)
    assert error["param"] == "mask"
    assert error["code"] == "invalid_value"
    assert all(word in error["message"] or word in error["message"].lower() for word in words), error["message"]
    assert vendors.books() == []


def test_a_mask_without_a_picture_is_refused(plain: str) -> None:
    error = error_of(edit(plain, mask=mask_for(10, 10, (0, 0, 5, 5))), 400)
    assert error["param"] == "image"


def test_a_mask_edit_falls_back_and_still_keeps_the_outside(start: StartGateway, vendors: Vendors) -> None:
    url = start(cheapest="fal")
    vendors.fail("fal", "wrong_size")
    original, hole = scene(640, 480, noise=40), (100, 100, 400, 400)
    response = edit(url, encoded(original, "PNG"), mask=mask_for(640, 480, hole))
    assert response.status_code == 200, response.text[:600]
    assert [each[1:] for each in story(response)] == [("bad_reply", "charged"), ("ok", "charged")]
    assert outside(checked(response.json()), hole) == outside(original, hole)


def test_n_masked_edits_share_one_outside(plain: str) -> None:
    original, hole = scene(320, 240, noise=40), (0, 100, 320, 240)  # the caption, in which pictures differ, lies below
    body = edit(plain, encoded(original, "PNG"), mask=mask_for(320, 240, hole), n=3).json()
    found = [checked({**body, "data": [each]}) for each in body["data"]]
    assert {outside(picture, hole) for picture in found} == {outside(original, hole)}
    assert len({picture.crop(hole).tobytes() for picture in found}) == 3


def test_a_lossy_format_says_that_the_outside_is_only_nearly_kept(plain: str) -> None:
    original, hole = scene(320, 240, noise=40), (50, 50, 150, 150)
    response = edit(plain, encoded(original, "PNG"), mask=mask_for(320, 240, hole), output_format="jpeg")
    assert checked(response.json()).format == "JPEG"
    assert "nearly" in warned(response)["output_format"]
