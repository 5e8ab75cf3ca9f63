"""Ranges: one that can be read is granted as far as there are bytes, everything else is the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doors.hosted.ranges import UnsatisfiableError, wanted

SIZE = 1000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=100-", (100, SIZE)),
        ("bytes=999-", (999, SIZE)),
        ("bytes=900-5000", (900, SIZE)),
        ("bytes=-1", (999, SIZE)),
        ("bytes=-5000", (0, SIZE)),
        ("BYTES=0-0", (0, 1)),
        ("bytes= 0-0 ", (0, 1)),
        ("bytes=0-999999999999999999", (0, SIZE)),
    ],
)
def test_one_range_is_granted_as_far_as_there_are_bytes(header: str, expected: tuple[int, int]) -> None:
    assert wanted(header, SIZE) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_beyond_the_end_cannot_be_granted(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        wanted(header, SIZE)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=0-0,5-9",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=--5",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=١-٢",
        "items=0-1",
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 19,
    ],
)
def test_what_cannot_be_read_or_is_several_is_the_whole(header: str | None) -> None:
    assert wanted(header, SIZE) is None


@given(st.one_of(st.text(), st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}")), st.integers(0, 10_000))
def test_whatever_is_granted_is_there(header: str, size: int) -> None:
    try:
        part = wanted(header, size)
    except UnsatisfiableError:
        return
    if part is not None:
        start, end = part
        assert 0 <= start < end <= size
