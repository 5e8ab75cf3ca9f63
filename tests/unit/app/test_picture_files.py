"""Where pictures are written, under which names, and what is done when that fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.picture_files import FORMATS, PictureError, Target
from providers.spec.request import OutputFormat

PNG, JPEG, WEBP = OutputFormat.PNG, OutputFormat.JPEG, OutputFormat.WEBP


@pytest.mark.parametrize(("ending", "format"), list(FORMATS.items()))
def test_the_ending_picks_the_format_whatever_its_case(ending: str, format: OutputFormat) -> None:
    assert Target(Path(f"fox{ending}")).format is format
    assert Target(Path(f"fox{ending.upper()}")).format is format


def test_every_format_has_an_ending() -> None:
    assert set(FORMATS.values()) == set(OutputFormat)


def test_a_format_by_name_rules_over_the_ending() -> None:
    assert Target(Path("fox.png"), WEBP).format is WEBP


@pytest.mark.parametrize("name", ["fox", "fox.txt", "fox.tiff", ".png"])
def test_an_ending_that_says_nothing_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(PictureError, match=re.escape(".png, .jpg, .jpeg, .webp, .avif, .gif")):
        Target(Path(name)).check(1)


@pytest.mark.parametrize(
    ("name", "format", "of", "file"),
    [
        ("fox.png", PNG, 1, "fox.png"),
        ("fox.png", PNG, 4, "fox-2.png"),
        ("fox.jpg", JPEG, 1, "fox.jpg"),
        ("fox.JPG", JPEG, 1, "fox.JPG"),
        ("fox.png", WEBP, 1, "fox.webp"),
        ("fox.png", WEBP, 4, "fox-2.webp"),
        ("fox", WEBP, 1, "fox.webp"),
        ("fox.v1.2", WEBP, 4, "fox.v1.2-2.webp"),
    ],
)
def test_a_file_has_the_ending_of_what_it_is_and_a_number_among_several(
    name: str, format: OutputFormat, of: int, file: str
) -> None:
    assert Target(Path("there") / name).numbered(2, of=of, format=format) == Path("there") / file


def test_a_picture_is_written_and_its_path_told(tmp_path: Path) -> None:
    path = Target(tmp_path / "fox.png").write(b"picture", PNG, 2, of=3)
    assert (path, path.read_bytes()) == (tmp_path / "fox-2.png", b"picture")


def test_folders_are_looked_for_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="is not a folder"):
        Target(tmp_path / "nowhere/fox.png").check(1)
    (tmp_path / "fox-3.png").mkdir()
    Target(tmp_path / "fox.png").check(2)
    with pytest.raises(PictureError, match=r"fox-3\.png is a folder"):
        Target(tmp_path / "fox.png").check(3)


def test_a_picture_that_cannot_be_written_there_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "fox.png").mkdir()
    with pytest.raises(PictureError, match="cannot be written") as failed:
        Target(tmp_path / "fox.png").write(b"picture", PNG, 1, of=1)
    rescued = Path(str(failed.value).split("the image is in ")[1].rstrip("."))
    assert rescued.suffix == ".png"
    assert not rescued.is_dir()
    assert Path(str(failed.value).rpartition(" is in ")[2][:-1]).read_bytes() == b"picture"
