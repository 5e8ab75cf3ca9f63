"""Pictures from the command line: generate and edit as a person uses them, as real processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.command import run
from tests.e2e.conftest import Vendors


def gemini(vendors: Vendors) -> dict[str, str]:
    return {"GEMINI_API_KEY": "k", "GEMINI_BASE_URL": f"{vendors.url}/gemini"}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").resize((300, 200)).convert("RGB").save(path)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "mask.png"
    drawn = Image.new("RGBA", (300, 200), "black")
    drawn.paste((0, 0, 0, 0), (0, 0, 150, 200))
    drawn.save(path)
    return path


def test_generate_writes_a_picture_and_says_who_made_it(tmp_path: Path) -> None:
    done = run("generate", "a red fox in the snow", "-o", "fox.png", "--size", "1:1", cwd=tmp_path)
    with Image.open(tmp_path / "fox.png") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (1024, 1024))
    assert "simulated" in done.stderr
    assert re.search(r"fox\.png  1024x1024 png by \w+ \(simulated\) in [0-9.]+ s", done.stderr)
    assert re.search(r"1 image for \$0\.06\d+ in [0-9.]+ s, 1 attempt$", done.stderr, re.MULTILINE)


def test_several_pictures_are_numbered_and_each_is_told_of(vendors: Vendors, tmp_path: Path) -> None:
    arguments = ("generate", "a fox", "-n", "4", "--format", "webp", "-o", "fox.png")
    done = run(*arguments, cwd=tmp_path, environment=gemini(vendors))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["fox-1.webp", "fox-2.webp", "fox-3.webp", "fox-4.webp"]
    for name in written:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "WEBP"
    assert re.findall(r"^(\d/4)  fox-(\d)\.webp", done.stderr, re.MULTILINE) == [
        (f"{i}/4", f"{i}") for i in range(1, 5)
    ]
    assert "4 images for $0.2" in done.stderr
    assert vendors.sums("gemini")["images"] == 4


def test_fewer_pictures_than_asked_are_kept_and_the_command_fails(vendors: Vendors, tmp_path: Path) -> None:
    vendors.fail("gemini", "refusal", count=1)
    done = run("generate", "a fox", "-n", "3", "-o", "fox.png", cwd=tmp_path, environment=gemini(vendors), code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fox-1.png", "fox-2.png"]
    assert done.stderr.count("2 of 3 images were made") == 1
    assert "2 images for $" in done.stderr


def test_no_picture_at_all_is_one_sentence_and_what_was_tried(vendors: Vendors, tmp_path: Path) -> None:
    vendors.fail("gemini", "refusal")
    done = run("generate", "a fox", cwd=tmp_path, environment=gemini(vendors), code=1)
    assert "gemini: " in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_format_the_provider_cannot_make_is_converted_to(vendors: Vendors, tmp_path: Path) -> None:
    run("generate", "a fox", "-o", "fox.png", cwd=tmp_path, environment=gemini(vendors))
    with Image.open(tmp_path / "fox.png") as picture:
        assert picture.format == "PNG"


def test_edit_sends_the_pictures_and_writes_what_comes(vendors: Vendors, photo: Path, tmp_path: Path) -> None:
    done = run("edit", photo.name, photo.name, "night", "-o", "night.jpg", cwd=tmp_path, environment=gemini(vendors))
    with Image.open(tmp_path / "night.jpg") as picture:
        assert picture.format == "JPEG"
        assert picture.width > picture.height
    assert [(one["format"], one["width"]) for one in vendors.inputs("gemini")] == [("png", 300)] * 2
    assert "night.jpg" in done.stderr


def test_edit_with_a_mask_changes_nothing_outside_of_it(
    vendors: Vendors, photo: Path, mask: Path, tmp_path: Path
) -> None:
    arguments = ("edit", photo.name, "a wall", "--mask", mask.name, "-o", "wall.png")
    done = run(*arguments, cwd=tmp_path, environment=gemini(vendors))
    outside, inside = (150, 0, 300, 200), (0, 0, 150, 200)
    with Image.open(photo) as before, Image.open(tmp_path / "wall.png") as after:
        assert after.size == (300, 200)
        assert after.convert("RGB").crop(outside).tobytes() == before.crop(outside).tobytes()
        assert after.convert("RGB").crop(inside).tobytes() != before.crop(inside).tobytes()
    assert "mask was emulated" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("generate", "a fox", "-o", "fox.txt"), "the file's ending must be one of .png, .jpg"),
        (("generate", "a fox", "-o", "nowhere/fox.png"), "nowhere is not a folder."),
        (("generate", "a fox", "-o", "folder.png"), "folder.png is a folder."),
        (("generate", "a fox", "--size", "huge"), "size must be a size such as"),
        (("generate", ""), "prompt must have 1 to 32,000 characters"),
        (("generate", "a fox", "--provider", "nope"), "gemini, vertex, fal, replicate"),
        (("generate", "a fox", "--model", "flux-schnell", "--provider", "gemini"), "does not"),
        (("generate", "a fox", "--model", "fal/flux-schnell", "--provider", "gemini"), "names another provider"),
        (("edit", "gone.png", "night"), "gone.png cannot be read (No such file or directory)."),
        (("edit", "photo.png", "night", "--mask", "gone.png"), "gone.png cannot be read"),
        (("edit", "photo.png", "mask.png"), "The prompt is missing: mask.png is a file"),
        (("edit", "photo.png", "night", "--mask", "photo.png"), "it has no transparency"),
        (("edit", "notes.txt", "night"), "Input image 1 cannot be used"),
        (("edit", "huge.png", "night"), "huge.png has 60,000,000 bytes; at most 52,428,800 are taken."),
    ],
)
def test_a_wrong_input_is_one_sentence_and_costs_nothing(
    vendors: Vendors, photo: Path, mask: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").write_text("no picture")
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.truncate(60_000_000)
    environment = {**gemini(vendors), "FAL_KEY": "k", "FAL_BASE_URL": f"{vendors.url}/fal"}
    said = " ".join(run(*arguments, cwd=tmp_path, environment=environment, code=1).stderr.split())
    assert sentence in said
    assert "Traceback" not in said
    assert vendors.books() == []


@pytest.mark.parametrize(
    "arguments", [("generate", "a fox", "-n", "11"), ("generate", "a fox", "--format", "tiff"), ("edit", "photo.png")]
)
def test_a_command_that_cannot_be_read_ends_with_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "Usage" in run(*arguments, cwd=tmp_path, code=2).stderr


def test_a_wrong_input_is_told_before_the_simulator_is_started(tmp_path: Path) -> None:
    assert "simulated" not in run("generate", "a fox", "-o", "fox.txt", cwd=tmp_path, code=1).stderr


def test_the_provider_may_be_named_twice(tmp_path: Path) -> None:
    run("generate", "a fox", "--provider", "fal", "--model", "fal/flux-schnell", cwd=tmp_path)
    assert (tmp_path / "image.png").exists()
