"""Cutting a body while it comes is the same as cutting it whole, however it comes, or is left to that."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from providers.blobs import CUT_THRESHOLD, cut
from providers.cutting import Cutter, Found
from providers.spec.blob import FIRST_BYTES, LAST_BYTES
from tests.unit.providers.test_blob_spellings import DOCUMENTS, Speller, pictures

RANDOM = random.Random(3)
PICTURE = RANDOM.randbytes(90_000)
PICTURES = [RANDOM.randbytes(length) for length in (20_000, 20_001, 20_002, 90_001)]
LONG = base64.b64encode(PICTURE).decode()


def chunks(body: bytes, sizes: Iterable[int]) -> list[bytes]:
    """A body as it comes; what is left of it after so many pieces, in one."""
    found, at = [], 0
    for size in sizes:
        found.append(body[at : at + size])
        at += size
    return [*found, body[at:]]


def fed(pieces: Iterable[bytes]) -> tuple[bytes, tuple[Found, ...]] | None:
    cutter = Cutter()
    for piece in pieces:
        cutter.feed(piece)
    return cutter.cut()


def checked(body: bytes, pieces: list[bytes]) -> bool:
    """Whether it was cut while it came; then it is the same as when it is cut whole."""
    assert b"".join(pieces) == body
    cut_here = fed(pieces)
    if cut_here is None:
        return False
    skeleton, found = cut_here
    wanted, blobs = cut(body)
    assert skeleton == wanted
    assert [each.media_type for each in found] == [blob.media_type for blob in blobs]
    for each, blob in zip(found, blobs, strict=True):
        data = blob.read()
        text = body[each.start : each.end] + each.padding
        assert base64.b64decode(text, validate=True) == data
        assert each.length == blob.length == len(data)
        assert each.ends.head == data[:FIRST_BYTES]
        assert each.ends.tail == data[-LAST_BYTES:]
    return True


def reply(*pictures: bytes, mime: str = "image/png", indent: int | None = 2) -> bytes:
    """As Gemini answers."""
    parts: list[Any] = [{"text": 'a "fox"\n'}]
    parts += [{"inlineData": {"mimeType": mime, "data": base64.b64encode(each).decode()}} for each in pictures]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 1290, "totalTokenCount": 1297}
    return json.dumps({"candidates": [candidate], "usageMetadata": usage, "é": "é"}, indent=indent).encode()


def escaped(body: bytes) -> bytes:
    return body.replace(b"=", b"\\u003d")


def with_urls(*pictures: bytes) -> bytes:
    urls = [head + base64.b64encode(each).decode() for head, each in zip(HEADS, pictures, strict=False)]
    return json.dumps({"images": [{"url": url, "width": 10} for url in urls], "seed": 1}).encode()


HEADS = ("data:image/png;base64,", "DATA:IMAGE/JPEG;q;BASE64,", "data:;base64,")
ORDINARY = {
    "one": reply(PICTURES[0]),
    "two": reply(PICTURES[1], PICTURES[2]),
    "larger": reply(PICTURES[3], PICTURE, indent=None),
    "escaped": escaped(reply(PICTURES[1])),
    "escaped twice": escaped(reply(PICTURES[0], PICTURES[3])),
    "urls": with_urls(PICTURES[0], PICTURES[1], PICTURE),
    "escaped urls": escaped(with_urls(PICTURES[2], PICTURES[3])),
    "of the least length": json.dumps([base64.b64encode(bytes(CUT_THRESHOLD // 4 * 3)).decode()]).encode(),
    "none": reply(),
    "short ones": reply(*[PICTURE[:1000]] * 5),
    "empty": b"",
}


documents = DOCUMENTS | st.lists(pictures() | st.text(max_size=9), min_size=1, max_size=4)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    DOCUMENTS | st.lists(pictures() | st.text(max_size=9), min_size=1, max_size=4),
    st.data(),
    st.lists(st.integers(0, 20_000) | st.integers(0, 9), max_size=20),
)
def test_a_document_of_any_kind_is_cut_as_when_it_is_whole_or_left_to_that(
    document: Any, data: st.DataObject, sizes: list[int]
) -> None:
    body = Speller(data.draw).written(document).encode()
    checked(body, chunks(body, sizes))


@settings(max_examples=150)
@given(st.sampled_from(sorted(ORDINARY)), st.lists(st.integers(0, 70_000) | st.integers(0, 9), max_size=40))
def test_an_ordinary_body_is_cut_however_it_comes(name: str, sizes: list[int]) -> None:
    assert checked(ORDINARY[name], chunks(ORDINARY[name], sizes))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 64, 1000, CUT_THRESHOLD, 65_536])
@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_body_is_cut_in_pieces_of_one_size(name: str, size: int) -> None:
    body = ORDINARY[name]
    assert checked(body, [body[at : at + size] for at in range(0, len(body), size)])


@pytest.mark.parametrize("name", ["two", "escaped", "escaped urls", "urls", "of the least length"])
def test_an_ordinary_body_is_cut_wherever_two_pieces_of_it_meet(name: str) -> None:
    body = ORDINARY[name]
    found = fed([body])
    assert found is not None
    for picture in found[1]:
        at_ends = (picture.start, picture.start + CUT_THRESHOLD, picture.end, picture.end + len(picture.padding) * 6)
        for border in {place + by for place in at_ends for by in range(-30, 30)}:
            place = min(max(border, 0), len(body))
            assert checked(body, [body[:place], body[place:]])
            assert checked(body, [body[:place], body[place : place + 1], body[place + 1 :]])


@pytest.mark.parametrize("lacks", range(6))
@pytest.mark.parametrize("spelt", [str, lambda text: text.replace("=", "\\u003D")])
def test_a_string_about_as_long_as_is_cut_is_cut_or_not_as_when_it_is_whole(lacks: int, spelt: Any) -> None:
    data = bytes(CUT_THRESHOLD // 4 * 3 + 3 - lacks)
    body = spelt(json.dumps({"data": base64.b64encode(data).decode()})).encode() + b" " * CUT_THRESHOLD
    assert checked(body, [body]) or b"\\" in body
    assert checked(body, [body[at : at + 100] for at in range(0, len(body), 100)]) or b"\\" in body


@pytest.mark.parametrize("blanks", ["", " ", "\r\n\t ", " " * 100])
@pytest.mark.parametrize("behind", [",", "]", ""])
def test_blanks_behind_a_picture_do_not_make_it_a_key(blanks: str, behind: str) -> None:
    body = f'["{LONG}"{blanks}{behind}'.encode()
    for border in range(len(LONG), len(body)):
        assert checked(body, [body[:border], body[border:]])


middle = len(LONG) // 2
OUT_OF_THE_ORDINARY = {
    "a long key": f'{{"{LONG}": 1}}',
    "a long key before blanks": f'{{"{LONG}" \r\n\t: 1}}',
    "text cut short": f'{{"data": "{LONG[:-1]}"}}',
    "text cut shorter": f'{{"data": "{LONG[:-3]}"}}',
    "a damaged character in the middle": f'{{"data": "{LONG[:middle]}*{LONG[middle + 1 :]}"}}',
    "a letter of another alphabet": f'{{"data": "{LONG[:middle]}é{LONG[middle + 1 :]}"}}',
    "a blank in the middle": f'{{"data": "{LONG[:middle]} {LONG[middle + 1 :]}"}}',
    "a line break in the middle": f'{{"data": "{LONG[:middle]}\n{LONG[middle:]}"}}',
    "padding in the middle": f'{{"data": "{LONG[: middle // 4 * 4]}QQ=={LONG[middle // 4 * 4 :]}"}}',
    "too much padding": f'{{"data": "{LONG}===="}}',
    "padding too long": f'{{"data": "{LONG[:-4]}Q==="}}',
    "padding behind what is whole": f'{{"data": "{LONG}="}}',
    "escaped padding too long": f'{{"data": "{LONG}QQ\\u003d\\u003d\\u003d"}}',
    "a backslash in the middle": f'{{"data": "{LONG[:middle]}\\/{LONG[middle + 1 :]}"}}',
    "a backslash that stands for itself": f'{{"data": "{LONG[:-4]}\\\\QQ="}}',
    "an escaped quote": f'{{"data": "{LONG[:-4]}\\"QQ="}}',
    "an escaped letter that is none": f'{{"data": "{LONG[:-4]}\\u00e9QQ="}}',
    "an escape that is none": f'{{"data": "{LONG[:-4]}\\xQQ="}}',
    "a URL that is not base64": f'{{"url": "data:image/svg+xml,{LONG}"}}',
    "a URL with a head without end": f'{{"url": "data:image/png{";a=b" * 90};base64,{LONG}"}}',
    "long prose": f'{{"logs": "{"a fox, " * 4000}"}}',
    "long prose of quotes": f'{{"logs": "{chr(92)}"{"A" * 20_000}"}}',
    "very many strings": json.dumps(["a"] * 2001),
    "very many strings behind a picture": json.dumps([LONG, *["a"] * 2000]),
    "too much text": json.dumps(["a" * 10_000] * 14),
    "too much text beside a picture": json.dumps([*["a" * 10_000] * 13, LONG, " " * 3000]),
    "too much of nothing": " " * 131_073,
    "a picture without an end": f'{{"data": "{LONG}',
    "escaped padding without an end": f'{{"data": "{LONG}\\u003d',
    "half an escape": f'{{"data": "{LONG}\\',
}


@pytest.mark.parametrize("size", [1, 3, 1000, 1 << 30])
@pytest.mark.parametrize("name", OUT_OF_THE_ORDINARY)
def test_what_is_out_of_the_ordinary_is_left_alone(name: str, size: int) -> None:
    body = OUT_OF_THE_ORDINARY[name].encode()
    assert fed([body[at : at + size] for at in range(0, len(body), size)]) is None


@pytest.mark.parametrize("ending", ["QQ==AAAA", "QQ==AA", "QUI=AAAA", "QQ==QQ==", "QQ=AA=", "A===", "====", "QQ==="])
def test_padding_before_the_end_is_none_wherever_two_pieces_meet(ending: str) -> None:
    body = f'["{LONG[:20_000]}{ending}"]'.encode()
    for border in range(20_000, len(body)):
        for next_border in range(border, len(body)):
            assert fed([body[:border], body[border:next_border], body[next_border:]]) is None


def test_what_is_just_ordinary_is_cut() -> None:
    for body in (json.dumps(["a"] * 1000), json.dumps([LONG, *["a"] * 999]), "[" + " " * 131_071):
        assert checked(body.encode(), [body.encode()])


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=60), max_size=6), st.booleans())
@example([b'"', b'\\"', b'"', b'"', b"\\", b":"], True)
def test_bytes_of_any_kind_are_cut_as_when_they_are_whole_or_left_to_that(between: list[bytes], quoted: bool) -> None:
    mark = b'"' if quoted else b""
    pieces = [part for each in between for part in (each, mark, LONG.encode(), mark)]
    checked(b"".join(pieces), pieces)


@settings(max_examples=300)
@given(st.integers(0, len(ORDINARY["two"]) - 1), st.binary(min_size=1, max_size=9), st.integers(0, 9), st.data())
def test_an_ordinary_body_with_a_fault_is_cut_as_when_it_is_whole_or_left_to_that(
    at: int, fault: bytes, replaced: int, data: st.DataObject
) -> None:
    whole = ORDINARY["two"]
    body = whole[:at] + fault + whole[at + replaced :]
    place = data.draw(st.integers(max(0, at - 20), at + 20))
    checked(body, [body[:place], body[place:]])


MATTERS = ['"', "\\", "\\u003d", "=", "QQ", ":", ",", " ", "A"]
MATTERS += [f'"{LONG[:20_000]}', f'"{LONG[:20_001]}', f'"{LONG[:20_002]}', f'"{LONG[:20_000]}"']
MATTERS += [f'"{LONG[:20_000]}QQ==", "', f'"data:;base64,{LONG[:17_003]}']


@settings(max_examples=200)
@given(st.lists(st.sampled_from(MATTERS), max_size=12))
def test_strings_of_all_that_matters_are_cut_as_when_they_are_whole_or_left_to_that(parts: list[str]) -> None:
    pieces = [part.encode() for part in parts]
    checked(b"".join(pieces), pieces)
    body = b"".join(pieces)
    checked(body, [body])
