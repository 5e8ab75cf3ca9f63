"""Cutting long base64 out of a JSON body loses nothing and invents nothing."""

from __future__ import annotations

import base64
import json
import mmap
import tempfile
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.blobs import CUT_THRESHOLD, Base64Blob, MemoryBlob, TextTooLargeError, blob_of_text, cut
from providers.spec.blob import PIECE_BYTES, Blob, BlobDamagedError
from providers.spec.conversation import BLOB_KEY, Reply
from tests.base64_text import text_of

PICTURE = bytes(range(256)) * 80
"""20 KB, more than the threshold even before it is base64."""
LONG = base64.b64encode(PICTURE).decode()


def read(body: bytes | mmap.mmap) -> Any:
    skeleton, blobs = cut(body)
    return Reply(200, {}, skeleton, blobs).json()


def rebuilt(value: Any) -> Any:
    """The document with every blob as the string that stood there."""
    if isinstance(value, dict):
        return {key: rebuilt(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rebuilt(item) for item in value]
    if isinstance(value, Base64Blob):
        text = bytes(value.text).decode()  # also where it is no multiple of four characters
        return f"data:{value.media_type};base64,{text}" if value.media_type else text
    return value


def blobs_in(value: Any) -> int:
    if isinstance(value, dict):
        return sum(blobs_in(item) for item in value.values())
    if isinstance(value, list):
        return sum(blobs_in(item) for item in value)
    return isinstance(value, Base64Blob)


def long_base64(seed: int, size: int) -> str:
    return base64.b64encode((seed.to_bytes(3, "big") * (size // 3 + 1))[:size]).decode()


long_strings = st.builds(
    long_base64, st.integers(0, 2**24 - 1), st.integers(CUT_THRESHOLD * 3 // 4 - 8, CUT_THRESHOLD * 3 // 4 + 40)
)
data_urls = st.builds("data:{};base64,{}".format, st.sampled_from(["image/png", "image/jpeg"]), long_strings)
prose = st.text(min_size=1, max_size=9).map(lambda text: text * (CUT_THRESHOLD // len(text) + 2))
strings = st.text(max_size=20) | st.sampled_from(['"', "\\", '\\"', "\\\\", '"{}', "=", "data:,"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | strings
documents = st.recursive(
    leaves | long_strings | data_urls | prose,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=12,
)


def escaped_slashes(text: str) -> str:
    return text.replace("/", "\\/")


def escaped_equals(text: str) -> str:
    return text.replace("=", "\\u003d")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    documents,
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([str, escaped_equals, escaped_slashes]),
)
def test_a_cut_document_put_together_again_is_the_document(
    document: Any, ascii_only: bool, indent: int | None, escaping: Any
) -> None:
    body = escaping(json.dumps(document, ensure_ascii=ascii_only, indent=indent)).encode("utf-8", "surrogatepass")
    try:
        expected = json.loads(body)
    except ValueError:  # lone surrogates are not UTF-8
        return
    assert rebuilt(read(body)) == expected
    writable: Any = bytearray(body)  # as a spooled body is, in which the padding is put right in place
    assert rebuilt(read(writable)) == expected


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from([b"", b'"', b"\\", b'\\"', b"\\\\"]))
def test_bytes_of_any_kind_are_cut_without_an_exception(before: bytes, after: bytes, ending: bytes) -> None:
    body = before + b'"' + LONG.encode() + ending + after
    skeleton, blobs = cut(body)
    marks = [json.dumps({BLOB_KEY: index}).encode() for index in range(len(blobs))]
    # The text as it was cut: what is asked for as base64 may be refused as damaged, for it can end anywhere.
    texts = [blob.text for blob in blobs if isinstance(blob, Base64Blob)]
    assert len(skeleton) == len(body) - sum(len(text) + 2 for text in texts) + sum(map(len, marks))


def test_the_skeleton_of_a_large_answer_is_small_and_the_picture_is_exact() -> None:
    body = json.dumps({"parts": [{"inlineData": {"mimeType": "image/png", "data": LONG}}, {"text": "a fox"}]}).encode()
    skeleton, blobs = cut(body)
    assert len(skeleton) < 200
    (blob,) = blobs
    assert blob.read() == PICTURE
    assert blob.length == len(PICTURE)
    assert blob.media_type == ""


@pytest.mark.parametrize("size", range(CUT_THRESHOLD, CUT_THRESHOLD + 4))
def test_the_length_is_that_of_the_decoded_bytes_whatever_the_padding(size: int) -> None:
    (blob,) = cut(json.dumps([base64.b64encode(PICTURE[:size]).decode()]).encode())[1]
    assert (blob.length, blob.read()) == (size, PICTURE[:size])


@pytest.mark.parametrize("head", ["image/png", "IMAGE/PNG", "image/png;name=a"])
def test_a_data_url_gives_its_media_type_in_lower_case(head: str) -> None:
    document = read(json.dumps({"url": f"data:{head};base64,{LONG}"}).encode())
    assert document["url"].media_type == "image/png"
    assert document["url"].read() == PICTURE


def test_a_data_url_with_escaped_slashes_gives_a_clean_media_type() -> None:
    body = json.dumps({"url": f"data:image/png;base64,{LONG}"}).replace("/", "\\/").encode()
    document = read(body)
    assert document["url"].media_type == "image/png"
    assert document["url"].read() == PICTURE


@pytest.mark.parametrize(("size", "padding"), [(20_480, "="), (20_479, "==")])
def test_padding_that_is_escaped_is_unescaped(size: int, padding: str) -> None:
    text = base64.b64encode(PICTURE[:size]).decode()
    assert text.rstrip("=") + padding == text
    body = json.dumps({"data": text}).replace("=", "\\u003d").encode()
    assert bytes(read(body)["data"].base64()).decode() == text
    assert read(body)["data"].length == size


def test_an_escape_in_the_middle_only_is_found_too() -> None:
    text = LONG.replace("/", "A")
    middle = len(text) // 2
    body = b'["' + text[:middle].encode() + b"\\/" + text[middle + 1 :].encode() + b'"]'
    assert rebuilt(read(body)) == [text[:middle] + "/" + text[middle + 1 :]]


@pytest.mark.parametrize(
    "text",
    [
        "a fox, " * 4000,
        "A" * 20_000 + " and no more",
        "-_" * 10_000,
        "data:image/svg+xml," + "A" * 20_000,
        "data:image/png;base64" + "A" * 20_000,
        'say "' + "A" * 20_000 + '"',
        "é" * 20_000,
    ],
)
def test_long_text_that_is_not_base64_stays_text(text: str) -> None:
    body = json.dumps({"logs": text}).encode()
    assert cut(body)[1] == ()
    assert read(body) == {"logs": text}


def test_an_object_key_is_never_cut() -> None:
    body = b'{"' + LONG.encode() + b'" \n: 1, "b": "' + LONG.encode() + b'"}'
    assert rebuilt(read(body)) == {LONG: 1, "b": LONG}


def test_a_string_as_long_as_the_threshold_allows_stays() -> None:
    text = "A" * (CUT_THRESHOLD - 4)
    assert read(json.dumps({"a": text, "b": LONG}).encode())["a"] == text


def test_a_string_without_an_end_is_left_to_the_parser() -> None:
    body = b'{"data":"' + LONG.encode()
    skeleton, blobs = cut(body)
    assert (skeleton, blobs) == (body, ())
    with pytest.raises(ValueError):
        Reply(200, {}, skeleton, blobs).json()


def test_a_body_in_another_encoding_is_left_alone() -> None:
    body = json.dumps({"data": LONG}).encode("utf-16")
    assert cut(body) == (body, ())


def test_a_mapped_file_is_cut_like_bytes_and_its_blobs_outlive_it() -> None:
    body = json.dumps({"a": LONG, "b": [f"data:image/webp;base64,{LONG}"]}).replace("=", "\\u003d").encode()
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    document = read(mapped)
    del mapped
    assert blobs_in(document) == 2
    assert rebuilt(document) == json.loads(body)
    assert document["b"][0].read() == PICTURE


def test_damaged_base64_is_told_when_it_is_read() -> None:
    for text in (b"A" * 20_001, b"A" * 8000 + b"*" + b"A" * 11_999):
        with pytest.raises(BlobDamagedError):
            Base64Blob(text).read()


def test_base64_text_that_is_cut_short_is_not_sent_on() -> None:
    with pytest.raises(BlobDamagedError):
        Base64Blob(b"A" * 20_001).base64()


@pytest.mark.parametrize("blob", [MemoryBlob(b"secret picture", "image/png"), Base64Blob(b"c2VjcmV0", "image/png")])
def test_a_blob_shows_its_size_and_never_its_bytes(blob: Blob) -> None:
    assert "secret" not in repr(blob)
    assert "c2VjcmV0" not in repr(blob)
    assert f"{blob.length} bytes" in repr(blob)


def test_a_blob_in_memory_may_be_a_view() -> None:
    blob = MemoryBlob(memoryview(PICTURE))
    assert (blob.read(), blob.length) == (PICTURE, len(PICTURE))
    assert text_of(blob.base64()).decode() == LONG


@pytest.mark.parametrize("length", [0, 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])
def test_a_view_that_is_copied_in_pieces_is_read_whole(length: int) -> None:
    data = (PICTURE * (length // len(PICTURE) + 1))[:length]
    assert MemoryBlob(memoryview(data)).read() == data


@pytest.mark.parametrize("escape", [r"\/", r"\u002f", r"\u002F"])
@pytest.mark.parametrize("shift", range(6))
def test_escapes_anywhere_in_a_long_string_are_undone(shift: int, escape: str) -> None:
    plain = b"A" * 10_000 + b"/" + b"B" * shift + b"/" * 300_000 + b"C" * 10_000
    body = b'{"image": "' + plain.replace(b"/", escape.encode()) + b'"}'
    (blob,) = cut(body)[1]
    assert isinstance(blob, Base64Blob)
    assert bytes(blob.text) == plain


def test_text_with_escapes_is_put_together_where_the_caller_says() -> None:
    gathered: list[bytes] = []

    def gather(pieces: Iterable[bytes | memoryview]) -> bytes:
        gathered.append(b"".join(pieces))
        return gathered[-1]

    cut(json.dumps([LONG, LONG.replace("A", "/"), LONG]).replace("/", r"\/").encode(), gather=gather)
    assert [LONG.encode(), LONG.replace("A", "/").encode(), LONG.encode()] == gathered


@pytest.mark.parametrize("inside", [r"\\", r"\u00e9", "\u00e9", r"\x"])
def test_escapes_that_no_base64_has_leave_the_string_to_the_parser(inside: str) -> None:
    body = f'{{"image": "{LONG}/{inside}{"A" * 20_000}"}}'.replace("/", r"\/").encode()
    assert cut(body)[1] == ()


@pytest.mark.parametrize("text", ["x y" * 20_000, '\\"' * 30_000, "\\\\" * 30_000, '", "' * 15_000])
def test_what_is_no_image_counts_as_text_and_images_do_not(text: str) -> None:
    fits = f'["{LONG}", "{LONG}", "{"x y" * 6000}"]'.encode()
    assert len(cut(fits, text_limit=20_000)[1]) == 2
    with pytest.raises(TextTooLargeError):
        cut(f'["{LONG}", "{LONG}", "{text}"]'.encode(), text_limit=20_000)
    with pytest.raises(TextTooLargeError):
        cut(f'["{LONG}", "{LONG}", "{text}'.encode(), text_limit=20_000)


def test_a_text_by_itself_is_a_blob_when_it_looks_like_one() -> None:
    blob = blob_of_text(f"data:Image/PNG;base64,{LONG}".encode())
    assert blob is not None
    assert (blob.media_type, blob.read()) == ("image/png", PICTURE)
    assert blob_of_text(b"https://host/a.png") is None
    assert blob_of_text(b"data:image/png,abc") is None


@given(st.binary(max_size=3 * PIECE_BYTES), st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
def test_pieces_are_the_image_in_order(data: bytes, grown: bool) -> None:
    if grown:
        data = data + bytes(2 * PIECE_BYTES)
    for blob in (MemoryBlob(data), Base64Blob(base64.b64encode(data))):
        pieces = list(blob.pieces())
        assert b"".join(pieces) == data
        assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)


@pytest.mark.parametrize("at", [100, PIECE_BYTES // 3 * 4 - 2, PIECE_BYTES // 3 * 4 + 5])
def test_damaged_text_is_found_in_whatever_piece(at: int) -> None:
    text = bytearray(base64.b64encode(bytes(2 * PIECE_BYTES)))
    text[at : at + 2] = b"=="
    with pytest.raises(BlobDamagedError):
        list(Base64Blob(bytes(text)).pieces())
