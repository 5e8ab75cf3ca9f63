"""Numbers of a TIFF directory are taken up to a bound, in TIFF files and in EXIF."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from app.media.decoding import decoded
from app.media.directories import MAX_ENTRIES, MAX_NUMBER_BYTES
from app.media.sniff import ImageFormat, NotAnImageError
from tests.hostile.tiffs import BYTES, EXTRA, LONG, PLAIN, SHORT, Entry, directory, numbers, tiff

MANY = numbers(MAX_NUMBER_BYTES + 1000)
ORIENTATION, PROFILE, EXIF = 0x0112, 34675, 34665


def exif(entry: Entry, extra: bytes) -> bytes:
    """A block with one entry; what it leads to lies at 26."""
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory([entry]) + extra


@pytest.mark.parametrize(("length", "kept"), [(MAX_NUMBER_BYTES, True), (MAX_NUMBER_BYTES + 2, False)])
def test_an_entry_of_too_many_numbers_is_as_if_it_were_not_there(length: int, kept: bool) -> None:
    block = Image.Exif()
    block.load(exif((ORIENTATION, SHORT, length // 2, 26), MANY))
    assert (ORIENTATION in block) is kept


def test_an_orientation_is_read_as_ever() -> None:
    block = Image.Exif()
    block.load(exif((ORIENTATION, SHORT, 1, 6), b""))
    assert block[ORIENTATION] == 6


def test_bytes_may_be_as_many_as_they_are() -> None:
    image, _ = decoded(tiff((PROFILE, BYTES, len(MANY), EXTRA), extra=MANY), ImageFormat.TIFF)
    assert image.info["icc_profile"] == MANY


@pytest.mark.parametrize("tag", [338, 320, 33432])
def test_a_tiff_is_decoded_without_the_numbers(tag: int) -> None:
    image, _ = decoded(tiff((tag, SHORT, len(MANY) // 2, EXTRA), extra=MANY), ImageFormat.TIFF)
    assert image.size == (16, 16)


def test_the_bound_holds_in_the_directories_a_tiff_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = directory([(0x9000, SHORT, len(MANY) // 2, EXTRA + 18)])
    seen: list[dict[int, object]] = []
    get_ifd = Image.Exif.get_ifd

    def noting(block: Image.Exif, tag: int) -> dict[int, object]:
        seen.append(get_ifd(block, tag))
        return seen[-1]

    monkeypatch.setattr(Image.Exif, "get_ifd", noting)
    decoded(tiff((EXIF, LONG, 1, EXTRA), extra=inner + MANY), ImageFormat.TIFF)
    assert seen
    assert all(0x9000 not in each for each in seen)


@pytest.mark.parametrize("kind", [0, 14, 15, 19, 99, 65535])
def test_entries_of_a_kind_there_is_none_of_are_refused(kind: int) -> None:
    """The TIFF library would print two lines for each, past our log."""
    with pytest.raises(NotAnImageError, match="entries that no TIFF has"):
        decoded(tiff((40000, kind, 1, 8)), ImageFormat.TIFF)


@pytest.mark.parametrize(("entries", "taken"), [(MAX_ENTRIES, True), (MAX_ENTRIES + 1, False)])
def test_a_directory_has_a_bound(entries: int, taken: bool) -> None:
    data = tiff(*((1000 + place, SHORT, 1, 8) for place in range(entries - len(PLAIN))))
    if taken:
        assert decoded(data, ImageFormat.TIFF)[0].size == (16, 16)
    else:
        with pytest.raises(NotAnImageError, match="entries that no TIFF has"):
            decoded(data, ImageFormat.TIFF)


@pytest.mark.parametrize("kind", [*range(1, 14), 16, 17, 18])
def test_entries_of_every_kind_there_is_are_taken(kind: int) -> None:
    assert decoded(tiff((40000, kind, 1, 8)), ImageFormat.TIFF)[0].size == (16, 16)
