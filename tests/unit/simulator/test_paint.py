"""Pictures: real, of the size that was asked for, with the prompt on them and the vendor to be told."""

import pytest
from PIL import Image, ImageChops

from simulator.caption import LONGEST, shortened
from simulator.paint import Format, NotAPicture, Painter, Recipe, Reference, read_reference
from simulator.vendors import Vendor
from tests.unit.simulator.kit import decoded, picture

SIZE = (688, 384)


def painted(
    prompt: str = "a red fox",
    vendor: Vendor = Vendor.FAL,
    size: tuple[int, int] = SIZE,
    references: tuple[Reference, ...] = (),
) -> Image.Image:
    return decoded(Painter().paint(Recipe(vendor, "model", size, Format.PNG, prompt, references)))


def share_that_differs(one: Image.Image, other: Image.Image) -> float:
    difference = ImageChops.difference(one.convert("L"), other.convert("L"))
    histogram = difference.histogram()
    return 1 - sum(histogram[:16]) / sum(histogram)


@pytest.mark.parametrize("format_", list(Format))
@pytest.mark.parametrize("size", [(1024, 1024), (192, 1536), (1536, 192), (256, 256)])
def test_a_picture_decodes_in_its_format_and_size(format_: Format, size: tuple[int, int]) -> None:
    image = decoded(Painter().paint(Recipe(Vendor.GEMINI, "model", size, format_, "a red fox")))
    assert image.size == size
    assert Image.MIME[image.format or ""] == format_.value


@pytest.mark.parametrize("size", [SIZE, (192, 1536), (1536, 192)])
def test_another_prompt_gives_other_pixels(size: tuple[int, int]) -> None:
    assert share_that_differs(painted("a red fox", size=size), painted("a blue whale", size=size)) > 0.005


def test_each_vendor_has_its_own_colours() -> None:
    images = [painted(vendor=vendor) for vendor in Vendor]
    for place, one in enumerate(images):
        for other in images[place + 1 :]:
            corner = [image.convert("RGB").getpixel((2, SIZE[1] - 2)) for image in (one, other)]
            assert corner[0] != corner[1]


def test_an_edit_shows_its_input() -> None:
    red, blue = (
        painted(references=(read_reference(picture(colour=colour), first=True),))
        for colour in ((220, 20, 20), (20, 20, 220))
    )
    assert share_that_differs(red, blue) > 0.3
    assert share_that_differs(red, painted()) > 0.3


def test_further_inputs_are_seen_too() -> None:
    first = read_reference(picture(), first=True)
    second = read_reference(picture(colour=(0, 255, 0)), first=False)
    assert share_that_differs(painted(references=(first,)), painted(references=(first, second))) > 0.01


def test_two_marks_make_two_pictures_of_one_prompt() -> None:
    one, other = (
        Painter().paint(Recipe(Vendor.FAL, "model", SIZE, Format.PNG, "a red fox", mark=mark))
        for mark in ("7kq2x", "b")
    )
    assert one != other
    assert share_that_differs(decoded(one), decoded(other)) < 0.02, "only the footnote differs"


def test_the_same_recipe_gives_the_same_bytes() -> None:
    recipe = Recipe(Vendor.VERTEX, "model", SIZE, Format.JPEG, "a red fox")
    painter = Painter()
    assert painter.paint(recipe) == painter.paint(recipe) == Painter().paint(recipe)


def test_a_filtered_picture_is_black() -> None:
    image = decoded(Painter().paint(Recipe(Vendor.FAL, "model", SIZE, Format.PNG, "a red fox", black=True)))
    assert image.getextrema() == ((0, 0), (0, 0), (0, 0))


@pytest.mark.parametrize("prompt", ["", "x" * 5000, "word " * 9000, "línea\nwith\tbreaks", "狐 🦊"])
def test_no_prompt_is_too_odd_to_paint(prompt: str) -> None:
    assert painted(prompt).size == SIZE
    assert len(shortened(prompt)) <= LONGEST


def test_letters_without_a_glyph_are_painted_as_their_look_alikes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.lettering.system_faces", lambda: ())
    assert painted("Café — 5 €").tobytes() == painted("Cafe — 5 EUR").tobytes()


def test_bytes_that_are_no_picture_are_refused() -> None:
    for data in (b"", b"not a picture", picture()[:60]):
        with pytest.raises(NotAPicture):
            read_reference(data, first=True)


def test_a_large_input_is_kept_small_but_its_size_is_remembered() -> None:
    reference = read_reference(picture((3000, 1500)), first=True)
    assert reference.size == (3000, 1500)
    assert reference.picture.size == (768, 384)
