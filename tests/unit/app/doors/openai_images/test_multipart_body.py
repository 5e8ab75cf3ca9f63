"""A form as it arrives: files become blobs, text becomes text, and what may not be is refused once it is known."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.errors import ApiError, ParameterError
from app.doors.openai_images.multipart_body import MultipartBody, boundary_of
from providers.blobs import Base64Blob, MemoryBlob
from providers.spool import SPOOL_THRESHOLD
from tests.open_files import open_files

B = "----boundary"
PIXELS = bytes(range(256)) * 200
LIMITS = BodyLimits()


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (f"Content-Disposition: form-data; {disposition}", *headers))
    return f"--{B}\r\n{lines}\r\n".encode() + data + b"\r\n"


def text(name: str, value: str) -> bytes:
    return part(f'name="{name}"', value.encode())


def file(name: str, data: bytes = PIXELS, filename: str = "a.png", type: str = "image/png") -> bytes:
    return part(f'name="{name}"; filename="{filename}"', data, f"Content-Type: {type}")


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{B}--\r\n".encode()


def read(body: bytes, *, chunk: int = 1 << 20, limits: BodyLimits = LIMITS, spool_dir: Path | None = None) -> Any:
    reading = MultipartBody(B, spool_dir, limits)
    try:
        for start in range(0, len(body), chunk):
            reading.feed(body[start : start + chunk])
        return reading.finish()
    finally:
        reading.close()


def plain(parts: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, value if isinstance(value, str) else (value.media_type, value.read())) for name, value in parts]


def refused(body: bytes, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(body, **options)
    assert len(caught.value.message) < 300
    return caught.value


@pytest.mark.parametrize("chunk", [1, 2, 7, 61, 4096, 1 << 20])
def test_parts_are_read_whatever_the_chunks(chunk: int) -> None:
    body = form(file("image[]"), text("prompt", "ein Füchslein"), file("mask", b"\r\n--", type=""), text("n", ""))
    assert plain(read(body, chunk=chunk)) == [
        ("image[]", ("image/png", PIXELS)),
        ("prompt", "ein Füchslein"),
        ("mask", ("", b"\r\n--")),
        ("n", ""),
    ]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000), st.integers(1, 400))
def test_a_file_comes_out_as_it_went_in(data: bytes, chunk: int) -> None:
    body = form(file("image", data), file("image", b"x"))
    if f"\r\n--{B}".encode() not in data:
        assert [blob.read() for _, blob in read(body, chunk=chunk)] == [data, b"x"]


def test_a_large_file_lies_in_a_mapped_file_without_a_name(tmp_path: Path) -> None:
    data = PIXELS * (2 * SPOOL_THRESHOLD // len(PIXELS))
    ((_, blob),) = read(form(file("image", data)), spool_dir=tmp_path)
    assert isinstance(blob, MemoryBlob)
    assert isinstance(blob.data, memoryview)
    assert blob.read() == data
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "head",
    [
        'name="image"; filename="Füchslein.png"',
        'name="image"; filename="a%22b.png"',
        r'name="image"; filename="a\"b.png"',
        r'name="image"; filename="C:\pictures\fox.png"',
        'name="image"; filename="../../etc/passwd\0"',
        "name=image; filename=blob",
        "filename=x; name=image",
        'name="image"; filename="a.png"; filename*=UTF-8\'\'%e2%82%ac.png',
    ],
)
def test_file_names_do_not_matter(head: str) -> None:
    assert plain(read(form(part(head, PIXELS)))) == [("image", ("", PIXELS))]


def test_a_file_is_what_has_a_file_name_or_a_type_that_is_not_text() -> None:
    body = form(
        part('name="image"', PIXELS, "Content-Type: Application/Octet-Stream"),
        part('name="image"; filename="x.txt"', b"abc", "Content-Type: text/plain; charset=utf-8"),
        part('name="image"', b"https://a/b.png", "Content-Type: text/plain"),
        part('name="prompt"; filename="prompt.txt"', b"a fox", "Content-Type: text/plain"),
        part('name="image_config"', b'{"a": 1}', "content-type: application/json"),
    )
    assert plain(read(body)) == [
        ("image", ("application/octet-stream", PIXELS)),
        ("image", ("text/plain", b"abc")),
        ("image", "https://a/b.png"),
        ("prompt", "a fox"),
        ("image_config", '{"a": 1}'),
    ]


def test_a_file_field_left_empty_in_a_browser_is_no_part() -> None:
    empty = part('name="mask"; filename=""', b"", "Content-Type: application/octet-stream")
    assert plain(read(form(empty, empty, text("prompt", "x")))) == [("prompt", "x")]
    assert plain(read(form(file("image", b"")))) == [("image", ("image/png", b""))]


@pytest.mark.parametrize("name", ["image", "images[][image_url]", "lora[image]"])
@pytest.mark.parametrize("size", [20_000, 2_000_000])
def test_a_long_data_url_in_a_text_part_never_becomes_a_string(name: str, size: int) -> None:
    data = bytes(size)
    ((_, blob),) = read(form(text(name, f"data:image/webp;base64,{base64.b64encode(data).decode()}\r\n")))
    assert isinstance(blob, Base64Blob)
    assert (blob.media_type, blob.read()) == ("image/webp", data)


def test_bare_base64_is_an_image_where_an_image_stands_and_text_elsewhere() -> None:
    long = "x" * 30_000
    (_, blob), (_, prompt) = read(form(text("image", long), text("prompt", long)))
    assert isinstance(blob, Base64Blob)
    assert prompt == long


def test_base64_with_line_breaks_is_refused_with_what_would_be_right() -> None:
    error = refused(form(text("image", base64.encodebytes(PIXELS).decode())))
    assert (error.status, error.param) == (400, "image")
    assert "line breaks" in error.message


def test_seventeen_images_are_refused_at_the_seventeenth_and_sixteen_with_a_mask_are_not() -> None:
    most = [file("image[]", b"x")] * 15 + [text("image", "https://a/b.png")]
    assert len(read(form(*most, file("mask", b"x"), text("images[0][type]", "image_url")))) == 18
    unfinished = b"".join([*most, file("image[]", b"x")])
    error = refused(unfinished)
    assert (error.status, error.param) == (400, "image")
    assert "16" in error.message


def test_two_masks_are_refused() -> None:
    error = refused(form(file("mask"), file("mask")))
    assert (error.status, error.param) == (400, "mask")


def test_a_file_above_the_limit_is_refused_with_its_name_and_one_of_the_limit_passes() -> None:
    limits = dataclasses.replace(LIMITS, image_bytes=1000)
    assert read(form(file("image[]", bytes(1000))), limits=limits)
    error = refused(form(file("image[]", bytes(1001))), limits=limits)
    assert (error.status, error.param, error.code) == (413, "image[]", "request_too_large")
    assert "1,000" in error.message


def test_a_text_above_the_limits_is_refused_with_its_name() -> None:
    limits = dataclasses.replace(LIMITS, text_image_bytes=50_000, text_bytes=2000)
    error = refused(form(text("prompt", "x" * 50_001)), limits=limits)
    assert (error.status, error.param) == (413, "prompt")
    error = refused(form(text("a", "x" * 1500), text("b", "x" * 501)), limits=limits)
    assert (error.status, error.param) == (413, "b")
    urls = [text(f"x{n}", "data:image/png;base64," + "A" * 20_000) for n in range(3)]
    assert refused(form(*urls), limits=limits).status == 413


def test_too_many_parts_are_refused() -> None:
    limits = dataclasses.replace(LIMITS, parts=10)
    assert len(read(form(*[text("a", "x")] * 10), limits=limits)) == 10
    error = refused(form(*[text("a", "x")] * 11), limits=limits)
    assert (error.status, error.param) == (400, "body")


def test_the_bytes_of_a_raw_buffer_are_recognised_at_the_first() -> None:
    error = refused(form(text("image[0]", "137"), text("image[1]", "80")))
    assert (error.status, error.param) == (400, "image[0]")
    assert "toFile()" in error.message


def test_an_object_that_became_text_in_javascript_is_named_for_what_it_is() -> None:
    error = refused(form(text("prompt", "[object Object]"), text("provider", "[object Object]")))
    assert error.param == "provider"
    assert "JSON.stringify" in error.message


@pytest.mark.parametrize("name", ["prompt", "file", "font"])
def test_a_file_where_none_belongs_is_refused_at_its_header(name: str) -> None:
    error = refused(file(name)[:150])
    assert (error.status, error.param) == (400, name)


def test_text_that_is_not_utf_8_is_refused_by_name() -> None:
    error = refused(form(part('name="prompt"', "Füchse".encode("latin-1"))))
    assert (error.status, error.param) == (400, "prompt")
    assert "byte 1" in error.message


WHOLE = form(file("image", PIXELS), text("prompt", "x"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--",
        WHOLE[:20],
        WHOLE[:150],
        WHOLE[:-8],
        b"{}",
        part('name="a"', b"x").replace(b"form-data", b"attachment"),
        f"--{B}\r\nContent-Type: image/png\r\n\r\nx\r\n--{B}--".encode(),
        f"--{B}\r\n: \r\n\r\nx\r\n--{B}--".encode(),
        f"--{B}\nContent-Disposition: form-data; name=a\n\nx\n--{B}--".encode(),
        form(part('name="\xff"', b"x").replace("\xff".encode(), b"\xff")),
        form(part('name="a"', b"x", "Content-Length: 7")),
        form(part('name=""', b"x")),
        form(part('name="image"', b"eA==", "Content-Transfer-Encoding: base64")),
        form(part('name="a"', b"x", *[f"X-{n}: y" for n in range(20)])),
        f"--{B}\r\nContent-Disposition: ".encode() + b"x" * 10_000,
        part('name="image"; filename="' + "f" * 10_000 + '"', b"x"),
    ],
    ids=range(17),
)
def test_a_body_that_is_no_form_is_a_400_with_our_words(body: bytes) -> None:
    error = refused(body)
    assert error.status == 400
    assert "segment" not in error.message.lower()


def test_an_endless_header_is_refused_long_before_its_end() -> None:
    reading = MultipartBody(B, None, LIMITS)
    reading.feed(f"--{B}\r\nContent-Disposition: ".encode())
    for _ in range(LIMITS.header_bytes // 1000):
        reading.feed(b"x" * 1000)
    with pytest.raises(ParameterError):
        reading.feed(b"x" * 1000)


@pytest.mark.parametrize(
    "value",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 300],
)
def test_a_content_type_without_a_boundary_is_refused(value: str) -> None:
    with pytest.raises(ParameterError, match="leave that header"):
        boundary_of(value)


@pytest.mark.parametrize(
    "value", ["multipart/form-data; boundary=abc", 'Multipart/Form-Data;charset=x; Boundary="abc"']
)
def test_a_boundary_is_found(value: str) -> None:
    assert boundary_of(value) == "abc"


def test_closing_frees_the_file_of_a_part_that_never_ended(tmp_path: Path) -> None:
    reading = MultipartBody(B, tmp_path, LIMITS)
    reading.feed(file("image", bytes(3 * SPOOL_THRESHOLD))[:-2])
    assert open_files(tmp_path) == 1
    reading.close()
    reading.close()
    assert open_files(tmp_path) == 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_damage_raises_anything_but_a_clear_refusal(data: st.DataObject) -> None:
    whole = bytearray(
        form(file("image[]", b"\x89PNG" * 10), text("a[b]", "x"), file("mask", b"y"), text("prompt", "z"))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                whole[place] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del whole[place : place + data.draw(st.integers(1, 30))]
            case _:
                whole[place:place] = data.draw(
                    st.sampled_from([b"\r\n", b"\r", b'"', b"--" + B.encode(), b"\xff", b";"])
                )
        if not whole:
            break
    with contextlib.suppress(ApiError):
        read(bytes(whole), chunk=data.draw(st.integers(1, 200)))


@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(ApiError):
        read(f"--{B}\r\n".encode() + body)


@given(st.binary(max_size=40).filter(lambda after: not after.startswith(B[-1:].encode())), st.integers(1, 200))
def test_a_boundary_that_nearly_comes_is_data(after: bytes, chunk: int) -> None:
    nearly = f"\r\n--{B[:-1]}".encode() + after + b"\r\n--" + b"\r\n"
    assert plain(read(form(file("image", nearly)), chunk=chunk)) == [("image", ("image/png", nearly))]


@pytest.mark.parametrize("after", ["x", "-", "-x", " x\r\n"])
def test_a_boundary_with_something_behind_it_is_refused(after: str) -> None:
    refused(form(file("image", f"\r\n--{B}{after}".encode())))
